using System.Buffers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Bondline.Transport;

/// <summary>The bytes under TLS: one burst of records leaves in one send, a busy connection is read 128 KiB at a time, an idle one holds no buffer.</summary>
/// <remarks>One reader and one writer at a time. The socket must be non-blocking.</remarks>
internal sealed class RecordStream(Socket socket) : Stream
{
    /// <summary>Header, content type and tag of a TLS 1.3 record.</summary>
    public const int RecordOverhead = 22;

    private const int FullRecord = 16_384 + RecordOverhead, LargeReadBytes = 128 << 10;

    private byte[]? _burst;
    private int _burstLength;
    private byte[]? _received;
    private int _receivedStart, _receivedEnd;

    /// <summary>The last read filled what it was given: more is likely waiting.</summary>
    public bool IsBusy { get; private set; }

    /// <summary>A read of one record's plaintext would not wait.</summary>
    public bool HasWholeRecord => _receivedEnd - _receivedStart >= FullRecord;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>From now to <see cref="FlushBurstAsync"/> writes are collected.</summary>
    /// <param name="plaintextBytes">What will be encrypted, so that one buffer fits it.</param>
    public void BeginBurst(int plaintextBytes) =>
        _burst = ArrayPool<byte>.Shared.Rent(plaintextBytes + (plaintextBytes / 16_384 + 1) * RecordOverhead);

    /// <summary>Sends what was collected.</summary>
    public ValueTask FlushBurstAsync()
    {
        var send = socket.SendAsync(_burst.AsMemory(0, _burstLength), SocketFlags.None);
        if (!send.IsCompletedSuccessfully) return FinishBurstAsync(send);
        var sent = send.Result;
        if (sent < _burstLength) return FinishBurstAsync(new ValueTask<int>(sent));
        EndBurst();
        return default;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_burst is null) return SendAsync(buffer, cancellationToken);
        if (_burst.Length - _burstLength < buffer.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(_burstLength + buffer.Length);
            _burst.AsSpan(0, _burstLength).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_burst);
            _burst = larger;
        }

        buffer.Span.CopyTo(_burst.AsSpan(_burstLength));
        _burstLength += buffer.Length;
        return default;
    }

    /// <summary>Reads; a read of zero bytes waits until there is something, holding no buffer.</summary>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_receivedStart < _receivedEnd) return new(TakeReceived(buffer.Span));
        if (buffer.IsEmpty) return socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
        return TryReceive(buffer.Span, out var length) ? new(length) : WaitAndReceiveAsync(buffer, cancellationToken);
    }

    /// <summary>Takes what the kernel has, if the connection is busy, so that the next read need not ask twice.</summary>
    /// <returns>False if a read would wait.</returns>
    public bool TryPrefetch()
    {
        if (_receivedStart < _receivedEnd) return true;
        if (!IsBusy) return false;
        if (FillReceived() > 0) return true;
        IsBusy = false; // nothing yet, or the end, which the next read finds again
        return false;
    }

    public override void Flush() { }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Asynchronous only.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("Asynchronous only.");

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask FinishBurstAsync(ValueTask<int> send)
    {
        try
        {
            var sent = await send;
            while (sent < _burstLength)
                sent += await socket.SendAsync(_burst.AsMemory(sent, _burstLength - sent), SocketFlags.None);
        }
        finally
        {
            EndBurst();
        }
    }

    private void EndBurst()
    {
        ArrayPool<byte>.Shared.Return(_burst!);
        _burst = null;
        _burstLength = 0;
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        while (!buffer.IsEmpty)
            buffer = buffer[await socket.SendAsync(buffer, SocketFlags.None, cancellationToken)..];
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> WaitAndReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            await socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None, cancellationToken);
            if (TryReceive(buffer.Span, out var length)) return length;
        }
    }

    private bool TryReceive(Span<byte> destination, out int length)
    {
        if (IsBusy)
        {
            length = FillReceived();
            if (length > 0)
            {
                length = TakeReceived(destination);
                return true;
            }

            IsBusy = false;
            return length == 0;
        }

        length = Receive(destination);
        if (length < 0) return false;
        IsBusy = length == destination.Length && length >= 4096;
        return true;
    }

    /// <returns>As <see cref="Receive"/>, into a large buffer that is kept only if it holds something.</returns>
    private int FillReceived()
    {
        var buffer = ArrayPool<byte>.Shared.Rent(LargeReadBytes);
        var length = -1;
        try
        {
            length = Receive(buffer);
        }
        finally
        {
            if (length <= 0) ArrayPool<byte>.Shared.Return(buffer);
        }

        if (length <= 0) return length;
        (_received, _receivedStart, _receivedEnd) = (buffer, 0, length);
        IsBusy = length >= FullRecord;
        return length;
    }

    /// <returns>Bytes; 0 at the end; -1 if there is nothing yet.</returns>
    private int Receive(Span<byte> destination)
    {
        var length = socket.Receive(destination, SocketFlags.None, out var error);
        return error switch
        {
            SocketError.Success => length,
            SocketError.WouldBlock => -1,
            _ => throw new SocketException((int)error),
        };
    }

    private int TakeReceived(Span<byte> destination)
    {
        var length = Math.Min(destination.Length, _receivedEnd - _receivedStart);
        _received.AsSpan(_receivedStart, length).CopyTo(destination);
        _receivedStart += length;
        if (_receivedStart == _receivedEnd)
        {
            ArrayPool<byte>.Shared.Return(_received!);
            _received = null;
            _receivedStart = _receivedEnd = 0;
        }

        return length;
    }
}

using System.Runtime.CompilerServices;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>One stream of a bond as an ordinary .NET stream: one reader and one writer at a time, on any threads.</summary>
/// <remarks>
/// A cancelled read or write leaves the stream usable; how much of a cancelled write was taken is not known.
/// Reading <see cref="Memory{T}.Empty"/> waits until something can be read without holding a buffer. An idle stream holds none itself.
/// Disposing a stream whose writes were not completed resets it (<see cref="StreamError.Cancelled"/>).
/// </remarks>
public sealed class BondStream : Stream
{
    private readonly BondDriver _driver;

    // Under the bond's lock.
    private StreamWaiter? _reader, _writer;
    private TaskCompletionSource? _closed;
    private HeaderBytes? _headerBytes;
    private StreamError _aborted;
    private bool _isFinished, _isOver, _isBondLost;

    internal BondStream(BondDriver driver, StreamEndpoint endpoint) => (_driver, Endpoint) = (driver, endpoint);

    /// <summary>What the end that opened the stream said about it.</summary>
    public StreamHeader Header { get; internal set; } = null!;

    public StreamId Id => Endpoint.Id;

    /// <summary>Completes when both directions are over and acknowledged, or the bond is lost. Never faults.</summary>
    public Task Closed
    {
        get
        {
            lock (_driver.Gate)
            {
                if (_isOver) return Task.CompletedTask;
                _closed ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
                return _closed.Task;
            }
        }
    }

    /// <summary>Once <see cref="Closed"/>: both directions came to their end, and every byte was taken. False if either was reset or the bond was lost first.</summary>
    public bool IsComplete
    {
        get
        {
            lock (_driver.Gate)
                return _isOver && !_isBondLost && Endpoint is { ReceiveState: ReceiveState.Finished, SendState: SendState.Acknowledged };
        }
    }

    /// <summary>The peer's end of stream was read, and every byte before it.</summary>
    public bool IsReadToEnd
    {
        get
        {
            lock (_driver.Gate) return Endpoint.ReceiveState == ReceiveState.Finished;
        }
    }

    /// <summary>
    /// What follows a read of a few bytes is short and never blocks: it may run on the thread that received them, which serves the whole bond.
    /// Saves small messages a change of thread. Set it before the first read.
    /// </summary>
    public bool ContinuesInline { get; set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    internal StreamEndpoint Endpoint { get; }

    /// <summary>Neighbours in the bond's list of streams.</summary>
    internal BondStream? Previous { get; set; }

    internal BondStream? Next { get; set; }

    internal StreamWaiter? Reader => _reader;

    internal StreamWaiter? Writer => _writer;

    internal bool HasHeader => Header is not null;

    /// <returns>0 at the peer's end of stream.</returns>
    /// <exception cref="BondStreamException">The peer or <see cref="Abort"/> reset the stream, or the bond is lost.</exception>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<int>(cancellationToken);
        var length = TryRead(new(buffer.Span), out var wait);
        return length >= 0 ? new(length) : ReadSlowlyAsync(buffer, wait, cancellationToken);
    }

    /// <summary>Reads without a copy: appends the pooled segments that hold the bytes; <see cref="ReturnParts"/> returns them.</summary>
    /// <param name="parts">Where they are appended, in order, 8 KiB at most each.</param>
    /// <param name="most">How many parts.</param>
    /// <param name="wait">When to ask again; to be awaited once.</param>
    /// <returns>Bytes; 0 at the peer's end of stream; -1 if there are none yet.</returns>
    /// <exception cref="BondStreamException">As for <see cref="ReadAsync(Memory{byte}, CancellationToken)"/>.</exception>
    internal int TryTake(List<ArraySegment<byte>> parts, int most, out ValueTask wait) => TryRead(new(parts, most), out wait);

    /// <summary>Returns segments of <see cref="TryTake"/> or <see cref="RentParts"/>, and removes them from the list.</summary>
    internal void ReturnParts(List<ArraySegment<byte>> parts, int index, int count)
    {
        for (var i = index; i < index + count; i++) _driver.Bond.Options.Segments.Return(parts[i].Array!);
        parts.RemoveRange(index, count);
    }

    /// <exception cref="BondStreamException">The peer reads no more, <see cref="Abort"/> was called, or the bond is lost.</exception>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled(cancellationToken);
        var written = TryWrite(new(buffer.Span), out var wait);
        return written == buffer.Length ? default : WriteSlowlyAsync(buffer[written..], wait, cancellationToken);
    }

    /// <summary>Rents segments for <see cref="TryGive"/>.</summary>
    internal void RentParts(List<ArraySegment<byte>> parts, int count)
    {
        for (var i = 0; i < count; i++) parts.Add(_driver.Bond.Options.Segments.Rent(SegmentPool.LargeLength));
    }

    /// <summary>Writes without a copy of whole segments; those taken are removed from the list.</summary>
    /// <param name="parts">From <see cref="RentParts"/>, and filled.</param>
    /// <param name="wait">When to try again; to be awaited once.</param>
    /// <returns>True if all was taken.</returns>
    /// <exception cref="BondStreamException">As for <see cref="WriteAsync(ReadOnlyMemory{byte}, CancellationToken)"/>.</exception>
    internal bool TryGive(List<ArraySegment<byte>> parts, out ValueTask wait)
    {
        TryWrite(new(parts), out wait);
        return parts.Count == 0;
    }

    /// <summary>Ends our sending direction: the peer reads end of stream after what was written. Reading goes on.</summary>
    /// <exception cref="BondStreamException">As for writing.</exception>
    public ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled(cancellationToken);
        _driver.Change(this, static (stream, _, now) =>
        {
            if (stream._isFinished) return;
            stream.ThrowIfNotWritable();
            stream._isFinished = true;
            stream._driver.Bond.Finish(stream.Endpoint, now);
        });
        return _isFinished ? default : throw new BondStreamException(StreamError.BondLost);
    }

    /// <summary>Resets both directions; reads and writes here then throw <see cref="BondStreamException"/> with <paramref name="error"/>.</summary>
    public void Abort(StreamError error) => _driver.Change((Stream: this, Error: error), static (abort, work, now) =>
    {
        if (abort.Stream._aborted != StreamError.None || abort.Stream._isOver) return;
        abort.Stream.Reset(abort.Error, now);
        work.AddWait(abort.Stream._reader);
        work.AddWait(abort.Stream._writer);
    });

    public override void Flush() { }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override void Write(byte[] buffer, int offset, int count) => WriteAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) _driver.Change(this, static (stream, work, now) => stream.LetGo(work, now));
        base.Dispose(disposing);
    }

    /// <summary>Under the lock: takes the header off the front of a stream the peer opened.</summary>
    /// <returns>True when it is whole: <see cref="Header"/> is set.</returns>
    internal bool TryReadHeader(Instant now)
    {
        if (_aborted != StreamError.None || _isOver) return false;
        _headerBytes ??= new();
        switch (_headerBytes.TryRead(_driver.Bond, Endpoint, now, out var header))
        {
            case HeaderStatus.Complete:
                Header = header!;
                _headerBytes = null;
                return true;

            case HeaderStatus.Malformed:
                _headerBytes = null;
                Reset(StreamError.HeaderMalformed, now);
                return false;

            default:
                // It ended or was reset before it said what it is.
                if (Endpoint.ReceiveState != ReceiveState.Open) Reset(StreamError.HeaderMalformed, now);
                return false;
        }
    }

    /// <summary>Under the lock: the bond has forgotten the stream, or is lost itself.</summary>
    internal void HandleOver(bool isBondLost, DriverWork work)
    {
        _isOver = true;
        _isBondLost = isBondLost;
        work.AddWait(_reader);
        work.AddWait(_writer);
        if (_closed is not null) work.AddSignal(_closed);
    }

    /// <returns>Bytes; -1 if there are none yet: <paramref name="wait"/> then says when to ask again.</returns>
    private int TryRead(ReadDestination destination, out ValueTask wait)
    {
        wait = default;
        var work = DriverWork.Take();
        var length = 0;
        try
        {
            lock (_driver.Gate)
            {
                ThrowIfAborted();
                var canRead = !_isOver && Endpoint.ReceiveState == ReceiveState.Open && (destination.TakesBytes || Endpoint.ReadableBytes == 0);
                if (canRead)
                {
                    var now = _driver.Context.Clock.Now;
                    length = destination.Fill(_driver.Bond, Endpoint, now);
                    if (length == 0 && Endpoint.ReceiveState == ReceiveState.Open)
                    {
                        wait = (_reader ??= new(_driver.Gate)).Arm();
                        length = -1;
                    }

                    _driver.Collect(work, now);
                }

                if (length == 0 && Endpoint.ReceiveState == ReceiveState.Reset) throw new BondStreamException(Endpoint.ResetCode);
            }
        }
        catch (Exception bug) when (bug is not (BondStreamException or StreamInUseException))
        {
            _driver.FailUnexpected("read of a stream", bug);
            throw;
        }

        work.Run(_driver);
        return length;
    }

    /// <returns>Bytes taken; if not all, <paramref name="wait"/> says when to try again.</returns>
    private int TryWrite(WriteSource source, out ValueTask wait)
    {
        wait = default;
        var work = DriverWork.Take();
        int length;
        try
        {
            lock (_driver.Gate)
            {
                ThrowIfNotWritable();
                if (_isFinished) throw new StreamInUseException("The writes of this stream were completed.");
                var now = _driver.Context.Clock.Now;
                length = source.Drain(_driver.Bond, Endpoint, now, out var isAll);
                if (!isAll) wait = (_writer ??= new(_driver.Gate)).Arm();
                _driver.Collect(work, now);
            }
        }
        catch (Exception bug) when (bug is not (BondStreamException or StreamInUseException))
        {
            _driver.FailUnexpected("write of a stream", bug);
            throw;
        }

        work.Run(_driver);
        return length;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> ReadSlowlyAsync(Memory<byte> buffer, ValueTask wait, CancellationToken cancellationToken)
    {
        while (true)
        {
            using (_reader!.CancelWith(cancellationToken))
                await wait;

            var length = TryRead(new(buffer.Span), out wait);
            if (length >= 0) return length;
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WriteSlowlyAsync(ReadOnlyMemory<byte> buffer, ValueTask wait, CancellationToken cancellationToken)
    {
        while (true)
        {
            using (_writer!.CancelWith(cancellationToken))
                await wait;

            buffer = buffer[TryWrite(new(buffer.Span), out wait)..];
            if (buffer.IsEmpty) return;
        }
    }

    /// <summary>Under the lock: nobody will read, and write only if the end was announced already.</summary>
    private void LetGo(DriverWork work, Instant now)
    {
        if (_isOver || _aborted != StreamError.None) return;
        if (_isFinished && Endpoint.ReceiveState == ReceiveState.Open) _driver.Bond.StopSending(Endpoint, StreamError.Cancelled, now);
        else if (!_isFinished) Reset(StreamError.Cancelled, now);
        work.AddWait(_reader);
        work.AddWait(_writer);
    }

    private void Reset(StreamError error, Instant now)
    {
        _aborted = error;
        if (Endpoint.SendState is SendState.Open or SendState.Finishing) _driver.Bond.Reset(Endpoint, error, now);
        if (Endpoint.ReceiveState == ReceiveState.Open) _driver.Bond.StopSending(Endpoint, error, now);
    }

    private void ThrowIfAborted()
    {
        if (_aborted != StreamError.None) throw new BondStreamException(_aborted);
        if (_isBondLost) throw new BondStreamException(StreamError.BondLost);
    }

    private void ThrowIfNotWritable()
    {
        ThrowIfAborted();
        if (Endpoint.SendState == SendState.Reset) throw new BondStreamException(Endpoint.StopCode);
    }

    /// <summary>Memory to copy to, or a list for the segments themselves.</summary>
    private readonly ref struct ReadDestination
    {
        private readonly Span<byte> _copy;
        private readonly List<ArraySegment<byte>>? _parts;
        private readonly int _most;

        public ReadDestination(Span<byte> copy) => _copy = copy;

        public ReadDestination(List<ArraySegment<byte>> parts, int most) => (_parts, _most) = (parts, most);

        public bool TakesBytes => _parts is not null || !_copy.IsEmpty;

        public int Fill(Bond bond, StreamEndpoint endpoint, Instant now) =>
            _parts is null ? bond.Read(endpoint, _copy, now) : bond.Take(endpoint, _parts, _most, now);
    }

    /// <summary>Memory to copy from, or segments to hand over.</summary>
    private readonly ref struct WriteSource
    {
        private readonly ReadOnlySpan<byte> _copy;
        private readonly List<ArraySegment<byte>>? _parts;

        public WriteSource(ReadOnlySpan<byte> copy) => _copy = copy;

        public WriteSource(List<ArraySegment<byte>> parts) => _parts = parts;

        public int Drain(Bond bond, StreamEndpoint endpoint, Instant now, out bool isAll)
        {
            var taken = _parts is null ? bond.Write(endpoint, _copy, now) : bond.Give(endpoint, _parts, now);
            isAll = _parts is null ? taken == _copy.Length : _parts.Count == 0;
            return taken;
        }
    }

    /// <summary>The front of a stream whose header is not whole yet.</summary>
    private sealed class HeaderBytes
    {
        private const int MaxHeaderLength = 1024;

        private readonly byte[] _bytes = new byte[VarInt.MaxLength + MaxHeaderLength];
        private int _length;

        public HeaderStatus TryRead(Bond bond, StreamEndpoint endpoint, Instant now, out StreamHeader? header)
        {
            header = null;
            while (true)
            {
                // Never past the header: what follows is the reader's.
                var whole = 1;
                if (VarInt.TryRead(_bytes.AsSpan(0, _length), out var bodyLength, out var lengthLength))
                {
                    if (bodyLength > MaxHeaderLength) return HeaderStatus.Malformed;
                    whole = lengthLength + (int)bodyLength;
                }
                else if (_length > 0)
                {
                    whole = 1 << (_bytes[0] >> 6);
                }

                if (_length == whole && lengthLength > 0) return StreamHeader.TryRead(_bytes.AsSpan(0, _length), out header, out _);
                var read = bond.Read(endpoint, _bytes.AsSpan(_length, whole - _length), now);
                if (read == 0) return HeaderStatus.Incomplete;
                _length += read;
            }
        }
    }
}

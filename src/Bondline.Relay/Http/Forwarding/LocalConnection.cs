using System.Buffers;
using Bondline.Transport;

namespace Bondline.Relay;

/// <summary>A connection of HTTP/1.1 to the local service: a stream of the bond, used for one request at a time.</summary>
/// <remarks>While it waits it holds no buffer: an idle connection, a WebSocket or a long poll costs nothing but the stream.</remarks>
internal sealed class LocalConnection : IDisposable
{
    private const int SmallBytes = 4096, LargeBytes = 64 << 10;

    private byte[]? _buffer;
    private int _start, _end;
    private ValueTask<int> _wait;
    private bool _isWaiting, _isLarge;

    /// <param name="stream">Owned from here on.</param>
    public LocalConnection(BondStream stream)
    {
        Stream = stream;
        stream.ContinuesInline = true; // what follows is put together and handed to Kestrel, which does not block
    }

    public BondStream Stream { get; }

    /// <summary>It has carried a request before: the service may have closed it just when another was on its way.</summary>
    public bool IsReused { get; private set; }

    /// <summary>Somebody signs in over it, or may: from then on it serves that visitor's connection only.</summary>
    public bool IsPinned { get; set; }

    /// <summary>While it is idle: when it became so.</summary>
    public long IdleSince { get; private set; }

    /// <summary>While it is idle: the service said something, mostly that it is over.</summary>
    public bool IsDisturbed => _wait.IsCompleted;

    /// <summary>What has come and was not consumed.</summary>
    public Memory<byte> Unread => _buffer.AsMemory(_start, _end - _start);

    /// <summary>The exchange is over, nothing is unread: from here on the connection is watched.</summary>
    public void BecomeIdle(long now)
    {
        (IsReused, IdleSince) = (true, now);
        BeginWait();
    }

    /// <summary>Starts to wait for bytes or the end.</summary>
    /// <returns>True if there is no need to wait.</returns>
    public bool BeginWait()
    {
        if (!_isWaiting)
        {
            if (_start == _end) ReturnBuffer();
            _wait = Stream.ReadAsync(Memory<byte>.Empty);
            _isWaiting = true;
        }
        return _wait.IsCompleted;
    }

    /// <summary>Waits for bytes or the end, but not for longer than that.</summary>
    /// <returns>True if there are some.</returns>
    public async Task<bool> WaitAsync(TimeSpan limit, TimeProvider time)
    {
        if (BeginWait()) return true;
        var wait = _wait.AsTask();
        _wait = new(wait);
        return await Task.WhenAny(wait, Task.Delay(limit, time)) == wait;
    }

    /// <summary>Waits for bytes and puts them behind those that are unread.</summary>
    /// <returns>Bytes; 0 at the end.</returns>
    /// <exception cref="BondStreamException">It was reset.</exception>
    public async ValueTask<int> FillAsync()
    {
        BeginWait();
        _isWaiting = false;
        await _wait;
        MakeRoom();
        var read = await Stream.ReadAsync(_buffer.AsMemory(_end));
        _end += read;
        _isLarge = _end == _buffer!.Length;
        return read;
    }

    public void Consume(int count) => _start += count;

    public void Dispose()
    {
        ReturnBuffer();
        Stream.Dispose();
        if (_isWaiting) _ = EndWaitAsync();
    }

    private async Task EndWaitAsync()
    {
        try
        {
            await _wait;
        }
        catch (BondStreamException) // disposing does that
        {
        }
    }

    private void MakeRoom()
    {
        if (_buffer is null)
        {
            _buffer = ArrayPool<byte>.Shared.Rent(_isLarge ? LargeBytes : SmallBytes);
            (_start, _end) = (0, 0);
        }
        else if (_start > 0)
        {
            Unread.Span.CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }
        if (_end < _buffer.Length) return;
        var larger = ArrayPool<byte>.Shared.Rent(2 * _buffer.Length);
        Unread.Span.CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }

    private void ReturnBuffer()
    {
        if (_buffer is not null) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = null;
        (_start, _end) = (0, 0);
    }
}

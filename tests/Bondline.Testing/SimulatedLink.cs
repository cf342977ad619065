namespace Bondline.Testing;

/// <summary>One direction of a connection: an ordered stream of bytes through a socket buffer, a bottleneck and a delay. Nothing is lost but by <see cref="Cut"/>.</summary>
internal sealed class SimulatedLink(SimulatedClock clock, SimulatedPath path, Direction direction, SeededRandom random) : IEventTarget
{
    private const int Departure = 1, Arrival = 2, Resume = 3;

    private byte[] _bytes = new byte[4096];
    private int _start, _end;                        // what the receiver has not consumed, of _bytes
    private long _consumed, _delivered, _departed;   // positions in the stream
    private long _departing;
    private Instant _lastArrival;
    private long _epoch;
    private bool _isSending, _isWriterWaiting, _isHeld;

    /// <summary>The receiving driver; null until it has joined.</summary>
    public SimulatedPort? Receiver { get; set; }

    public SimulatedPort? Sender { get; set; }

    public bool IsCut { get; private set; }

    /// <summary>Delivered and not consumed.</summary>
    public ReadOnlySpan<byte> Readable => _bytes.AsSpan(_start, (int)(_delivered - _consumed));

    public long BytesDelivered => _delivered;

    private long Written => _consumed + _end - _start;

    /// <returns>True if the write is done at once; else the sender hears of it later.</returns>
    public bool Write(ReadOnlySpan<byte> bytes)
    {
        if (IsCut) return true;
        if (bytes.Length > path.LargestWrite(direction)) Silence();
        MakeRoom(bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(_end));
        _end += bytes.Length;
        Send();
        _isWriterWaiting = Written - _departed > path.SocketBufferBytes;
        return !_isWriterWaiting;
    }

    public void Consume(int length)
    {
        _start += length;
        _consumed += length;
        if (_start != _end) return;
        _start = _end = 0;
    }

    /// <summary>Nothing arrives any more; what was on its way is sent again after <see cref="Heal"/>.</summary>
    public void Silence()
    {
        _isHeld = true;
        _epoch++;
        _departed = _delivered;
        _isSending = false;
    }

    public void Heal(TimeSpan retransmission)
    {
        if (!_isHeld) return;
        _epoch++;
        clock.Add(clock.Now + retransmission, this, Resume, _epoch);
    }

    public void Cut()
    {
        IsCut = true;
        _epoch++;
        _isHeld = true;
    }

    public void Run(int kind, long argument)
    {
        switch (kind)
        {
            case Departure when argument == _epoch:
                Depart();
                break;
            case Arrival when argument >> 40 == _epoch:
                _delivered += argument & 0xFF_FFFF_FFFF;
                Receiver?.HandleArrived();
                break;
            case Resume when argument == _epoch:
                _isHeld = false;
                Send();
                break;
        }
    }

    private void Send()
    {
        if (_isSending || _isHeld || Written == _departed) return;
        _isSending = true;
        var rate = path.BytesPerSecond(direction);
        var most = Math.Max(path.PieceBytes, (long)(rate * 0.0005));
        _departing = Math.Min(Written - _departed, path.PieceBytes > 32 * 1024 ? most : random.Between(1 + most / 4, most));
        clock.Add(clock.Now + TimeSpan.FromMicroseconds(_departing / rate * 1e6), this, Departure, _epoch);
    }

    private void Depart()
    {
        _isSending = false;
        _departed += _departing;
        var way = path.RoundTrip / 2;
        if (path.Jitter > TimeSpan.Zero) way += random.Between(TimeSpan.Zero, path.Jitter);
        _lastArrival = Instant.Later(_lastArrival, clock.Now + way);
        clock.Add(_lastArrival, this, Arrival, _epoch << 40 | _departing);
        Send();
        if (!_isWriterWaiting || Written - _departed > path.SocketBufferBytes) return;
        _isWriterWaiting = false;
        Sender?.HandleWritten();
    }

    private void MakeRoom(int length)
    {
        if (_end + length <= _bytes.Length) return;
        var held = _end - _start;
        var target = held + length <= _bytes.Length / 2 ? _bytes : new byte[Math.Max(_bytes.Length * 2, (held + length) * 2)];
        Buffer.BlockCopy(_bytes, _start, target, 0, held);
        _bytes = target;
        _start = 0;
        _end = held;
    }
}

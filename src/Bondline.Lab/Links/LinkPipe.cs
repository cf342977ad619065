using System.Runtime.CompilerServices;
using Bondline.Linux;

namespace Bondline.Lab;

/// <summary>One direction of a link: reads packets from one device, keeps each as long as the settings say, writes it to the other.</summary>
/// <remarks>Used by the emulator's thread only; other threads may read <see cref="Counters"/>. Times are nanoseconds of <see cref="PreciseThread.Now"/>.</remarks>
internal sealed class LinkPipe(IPacketDevice from, IPacketDevice to, LinkDirection direction, TcpFlows flows, ulong seed) : IDisposable
{
    // A longer queue than this (300 Mbit/s for over 0.8 s) drops packets.
    private const long BlockBytes = 32 << 20;

    // Packets of one direction taken before the other one has its turn.
    private const int Batch = 64;

    private readonly PacketQueue _queue = new(BlockBytes);
    private LinkSettings _settings = new();
    private long _rate, _delay, _jitter, _jitterPeriod, _queueLimit;
    private ulong _lossThreshold, _random = seed | 1;
    private long _freeAt, _lastDue, _jitterNow, _jitterUntil;
    private long _packets, _bytes, _droppedQueue, _droppedLoss, _droppedSilence, _droppedOther, _mostLate;

    public IPacketDevice From => from;

    public IPacketDevice To => to;

    /// <summary>Nothing passes; set, it also discards what is on its way.</summary>
    public bool IsSilent
    {
        get;
        set
        {
            field = value;
            if (!value) return;
            _droppedSilence += _queue.Count;
            _queue.Clear();
            _freeAt = _lastDue = 0;
        }
    }

    /// <summary>Changes apply to the packets that come from now on.</summary>
    public LinkSettings Settings
    {
        get => _settings;
        set
        {
            _settings = value;
            _rate = value.RateBitsPerSecond;
            _delay = Nanoseconds(value.Delay);
            _jitter = Nanoseconds(value.Jitter);
            _jitterPeriod = Nanoseconds(value.JitterPeriod);
            _jitterUntil = 0;
            _queueLimit = Nanoseconds(value.QueueLimit);
            _lossThreshold = (ulong)(value.Loss * (1UL << 53));
        }
    }

    public long NextDue => _queue.NextDue;

    public DirectionCounters Counters => new(
        Volatile.Read(ref _packets), Volatile.Read(ref _bytes), Volatile.Read(ref _droppedQueue), Volatile.Read(ref _droppedLoss),
        Volatile.Read(ref _droppedSilence), Volatile.Read(ref _droppedOther), Volatile.Read(ref _mostLate) / 1000);

    /// <summary>Takes waiting packets in, at most one batch, as if they all came <paramref name="now"/>.</summary>
    /// <returns>False if more may be waiting.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TakeIn(long now, Span<byte> scratch, out int taken)
    {
        for (taken = 0; taken < Batch; taken++)
        {
            var room = _queue.Reserve(IPacketDevice.MaxPacketLength);
            var length = from.Read(room.IsEmpty ? scratch : room);
            if (length == 0) return true;
            if (IsSilent)
                _droppedSilence++;
            else if (room.IsEmpty)
                _droppedOther++;
            else if (flows.Passes(room[..length], direction))
                Queue(length, now);
        }
        return false;
    }

    /// <summary>Hands over the packets that are due.</summary>
    /// <returns>How many there were.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int HandOver(long now)
    {
        var handed = 0;
        long due;
        while ((due = _queue.NextDue) <= now)
        {
            var packet = _queue.First;
            if (to.TryWrite(packet))
            {
                _packets++;
                _bytes += packet.Length - IPacketDevice.PrefixLength;
            }
            else
            {
                _droppedOther++;
            }
            if (now - due > _mostLate) _mostLate = now - due;
            _queue.RemoveFirst();
            handed++;
        }
        return handed;
    }

    public void Dispose() => _queue.Dispose();

    private void Queue(int length, long now)
    {
        var start = Math.Max(now, _freeAt);
        if (start - now > _queueLimit)
        {
            _droppedQueue++;
            return;
        }
        if (_rate > 0) _freeAt = start + (length - IPacketDevice.PrefixLength) * 8_000_000_000L / _rate;
        if (_lossThreshold != 0 && NextRandom() >> 11 < _lossThreshold)
        {
            _droppedLoss++;
            return;
        }
        var due = (_rate > 0 ? _freeAt : now) + _delay;
        if (_jitter > 0)
        {
            if (now >= _jitterUntil)
            {
                _jitterNow = (long)((NextRandom() >> 11) * (1.0 / (1UL << 53)) * _jitter);
                _jitterUntil = now + _jitterPeriod;
            }
            due += _jitterNow;
        }
        _lastDue = Math.Max(_lastDue, due);
        _queue.Commit(length, _lastDue);
    }

    // xorshift64*: seeded, a few instructions, good enough to draw losses.
    private ulong NextRandom()
    {
        _random ^= _random >> 12;
        _random ^= _random << 25;
        _random ^= _random >> 27;
        return _random * 0x2545_F491_4F6C_DD1D;
    }

    private static long Nanoseconds(TimeSpan span) => span.Ticks * 100;
}

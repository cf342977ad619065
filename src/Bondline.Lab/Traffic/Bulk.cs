using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Bondline.Linux;

namespace Bondline.Lab;

internal sealed class BulkSender(TrafficOptions options, Action<TrafficEvent> print) : ITraffic
{
    private const int BlockLength = 256 << 10;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _sent;

    public IEnumerable<Action> Attach(Socket socket) => [() => Send(socket)];

    public long Count => Volatile.Read(ref _sent);

    public TrafficEvent Report() => new("report") { Bytes = Volatile.Read(ref _sent) };

    public void Dispose() => _hash.Dispose();

    private void Send(Socket socket)
    {
        var block = new byte[BlockLength];
        ulong random = 0x9E37_79B9_7F4A_7C15;
        Fill(block, ref random);
        while (options.Bytes == 0 || _sent < options.Bytes)
        {
            var length = (int)(options.Bytes == 0 ? BlockLength : Math.Min(BlockLength, options.Bytes - _sent));
            if (options.IsHashed)
            {
                Fill(block, ref random); // never the same bytes twice: a piece lost or repeated shows
                _hash.AppendData(block, 0, length);
            }
            for (var done = 0; done < length;)
            {
                var taken = socket.Send(block, done, length - done, SocketFlags.None);
                done += taken;
                Volatile.Write(ref _sent, _sent + taken);
            }
        }
        socket.Shutdown(SocketShutdown.Send);
        socket.Receive(block); // the receiver closes when it has everything
        print(new("finished") { Bytes = _sent, Sha256 = options.IsHashed ? Convert.ToHexStringLower(_hash.GetHashAndReset()) : null });
    }

    private static void Fill(byte[] block, ref ulong random)
    {
        foreach (ref var word in MemoryMarshal.Cast<byte, ulong>(block.AsSpan()))
        {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            word = random;
        }
    }
}

internal sealed class BulkReceiver(TrafficOptions options, Action<TrafficEvent> print) : ITraffic
{
    private const int TimelineLimit = 60_000;
    private const long Slot = 10_000;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly Lock _gate = new();
    private readonly List<int> _timeline = [];
    private long _start, _lastAt, _bytes, _total;
    private bool _isFinished;
    private Gap _longest;

    public IEnumerable<Action> Attach(Socket socket) => [() => Receive(socket)];

    public long Count => Volatile.Read(ref _bytes);

    public TrafficEvent Report()
    {
        lock (_gate)
        {
            var now = PreciseThread.Now / 1000;
            if (_start == 0) return new("report") { Bulk = new(0, 0, now, 0, default, []) };
            var end = _isFinished ? Math.Max(_start, _lastAt) : now;
            HandleGap(end);
            while (_timeline.Count < Math.Min(TimelineLimit, (end - _start) / Slot)) _timeline.Add(0);
            var report = new BulkReport(_bytes, _total, _start, end - _start, _longest, [.. _timeline]);
            _timeline.Clear();
            _longest = default;
            _bytes = 0;
            _start = end;
            return new("report") { Bulk = report };
        }
    }

    public void Dispose() => _hash.Dispose();

    private void Receive(Socket socket)
    {
        var buffer = new byte[256 << 10];
        lock (_gate) _start = _lastAt = PreciseThread.Now / 1000;
        while (socket.Receive(buffer) is var read and > 0)
        {
            Handle(read);
            if (options.IsHashed) _hash.AppendData(buffer, 0, read);
        }
        lock (_gate) _isFinished = true;
        socket.Dispose();
        print(new("finished") { Bytes = _total, Sha256 = options.IsHashed ? Convert.ToHexStringLower(_hash.GetHashAndReset()) : null });
    }

    private void Handle(int read)
    {
        lock (_gate)
        {
            var now = PreciseThread.Now / 1000;
            HandleGap(now);
            _lastAt = now;
            _bytes += read;
            _total += read;
            var slot = (now - _start) / Slot;
            if (slot >= TimelineLimit) return;
            while (_timeline.Count <= slot) _timeline.Add(0);
            _timeline[(int)slot] += read;
        }
    }

    private void HandleGap(long until)
    {
        if (until - _lastAt > _longest.Length) _longest = new(_lastAt, until - _lastAt);
    }
}

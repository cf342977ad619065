using System.Buffers.Binary;
using System.Net.Sockets;
using Bondline.Linux;

namespace Bondline.Lab;

//  | sequence (8) | due at, nanoseconds (8) | zeros (size - 16) |   little endian
internal static class Record
{
    /// <summary>Writes a record at every interval until the connection ends; one that had to wait is still written, and counts from when it should have been.</summary>
    public static void SendAll(Socket socket, int sizeBytes, TimeSpan every, Action<long>? onSent = null)
    {
        PreciseThread.RemoveTimerSlack();
        PreciseThread.TryRunFirst(); // the measure must not wait for what it measures
        var record = new byte[sizeBytes];
        var next = PreciseThread.Now;
        for (long sequence = 0; ; sequence++)
        {
            PreciseThread.SleepUntil(next);
            BinaryPrimitives.WriteInt64LittleEndian(record, sequence);
            BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(8), next);
            onSent?.Invoke(sequence);
            socket.Send(record);
            next += every.Ticks * 100;
        }
    }

    /// <summary>Reads records until the sender ends.</summary>
    public static void ReceiveAll(Socket socket, int sizeBytes, Action<long, long, long> onRecord)
    {
        PreciseThread.TryRunFirst();
        var buffer = new byte[Math.Max(sizeBytes, 64 << 10)];
        var filled = 0;
        while (socket.Receive(buffer, filled, buffer.Length - filled, SocketFlags.None) is var read and > 0)
        {
            var now = PreciseThread.Now;
            filled += read;
            var used = 0;
            for (; filled - used >= sizeBytes; used += sizeBytes)
            {
                var record = buffer.AsSpan(used);
                onRecord(BinaryPrimitives.ReadInt64LittleEndian(record), BinaryPrimitives.ReadInt64LittleEndian(record[8..]), now);
            }
            buffer.AsSpan(used, filled - used).CopyTo(buffer);
            filled -= used;
        }
    }
}

internal sealed class RecordSender(TrafficOptions options) : ITraffic
{
    private long _sent;

    public IEnumerable<Action> Attach(Socket socket) =>
        [() => Record.SendAll(socket, options.SizeBytes, options.Every, sequence => Volatile.Write(ref _sent, sequence + 1))];

    public long Count => Volatile.Read(ref _sent);

    public TrafficEvent Report() => new("report") { Bytes = Volatile.Read(ref _sent) * options.SizeBytes };

    public void Dispose()
    {
    }
}

internal sealed class RecordReceiver(TrafficOptions options) : ITraffic
{
    private readonly Lock _gate = new();
    private readonly List<long> _before = [], _window = [];
    private long _next, _lastAt, _received;
    private Gap _longest;

    public IEnumerable<Action> Attach(Socket socket) => [() => Record.ReceiveAll(socket, options.SizeBytes, Handle)];

    public long Count => Volatile.Read(ref _received);

    public TrafficEvent Report()
    {
        lock (_gate)
        {
            if (_lastAt != 0) HandleSilence(PreciseThread.Now / 1000);
            var latency = Distribution.Of(_window);
            var normal = _before.Count > 0 ? Distribution.Of(_before).Median : latency.Median;
            var report = new RecordReport((int)_received, _next, latency, normal, latency.Most - normal, _longest);
            if (_before.Count + _window.Count <= 1_000_000) _before.AddRange(_window);
            _window.Clear();
            _received = 0;
            _longest = default;
            return new("report") { Records = report };
        }
    }

    public void Dispose()
    {
    }

    private void Handle(long sequence, long dueAt, long now)
    {
        lock (_gate)
        {
            if (sequence != _next) throw new LabException($"Record {sequence} came where {_next} was due.");
            _next++;
            _received++;
            if (_window.Count < 1_000_000) _window.Add((now - dueAt) / 1000);
            if (_lastAt != 0) HandleSilence(now / 1000);
            _lastAt = now / 1000;
        }
    }

    private void HandleSilence(long until)
    {
        if (until - _lastAt > _longest.Length) _longest = new(_lastAt, until - _lastAt);
    }
}

internal sealed class Pinger(TrafficOptions options) : ITraffic
{
    private readonly Lock _gate = new();
    private readonly List<long> _window = [];
    private long _sent, _answered, _received;

    public IEnumerable<Action> Attach(Socket socket) =>
    [
        () => Record.SendAll(socket, options.SizeBytes, options.Every, sequence => Volatile.Write(ref _sent, sequence + 1)),
        () => Record.ReceiveAll(socket, options.SizeBytes, Handle),
    ];

    public long Count => Volatile.Read(ref _received);

    public TrafficEvent Report()
    {
        lock (_gate)
        {
            var report = new PingReport(Distribution.Of(_window), (int)(Volatile.Read(ref _sent) - _answered));
            _window.Clear();
            _received = 0;
            return new("report") { Ping = report };
        }
    }

    public void Dispose()
    {
    }

    private void Handle(long sequence, long dueAt, long now)
    {
        lock (_gate)
        {
            if (sequence != _answered) throw new LabException($"Answer {sequence} came where {_answered} was due.");
            _answered++;
            _received++;
            if (_window.Count < 1_000_000) _window.Add((now - dueAt) / 1000);
        }
    }
}

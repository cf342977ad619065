using System.Net;
using System.Net.Sockets;

namespace Bondline.Relay;

/// <summary>Connections whose first bytes are not all there yet. Each has a few seconds; where there are too many, the oldest one goes, first of the same source.</summary>
/// <remarks>An honest connection is decided within a round trip, so those that stay the longest are those to lose. Thread-safe.</remarks>
internal sealed class Undecided(TimeProvider time, TimeSpan patience, int limit, int limitPerSource) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly LinkedList<Entry> _all = new(); // oldest first, here and per source
    private readonly Dictionary<UInt128, LinkedList<Entry>> _bySource = [];
    private ITimer? _sweep;

    /// <summary>Takes a connection in; it is closed when its time is over or others need its place.</summary>
    public Entry Enter(Socket socket)
    {
        var entry = new Entry(socket, SourceOf(socket.RemoteEndPoint), time.GetTimestamp());
        Socket? evicted = null;
        lock (_gate)
        {
            _sweep ??= time.CreateTimer(static self => ((Undecided)self!).Sweep(), this, Period, Period);
            if (_bySource.TryGetValue(entry.Source, out var siblings) && siblings.Count >= limitPerSource) evicted = Evict(siblings.First!.Value);
            else if (_all.Count >= limit) evicted = Evict(_all.First!.Value);
            if (!_bySource.TryGetValue(entry.Source, out siblings)) _bySource.Add(entry.Source, siblings = new());
            entry.InSource = siblings.AddLast(entry);
            entry.InAll = _all.AddLast(entry);
        }
        evicted?.Dispose();
        return entry;
    }

    /// <returns>False if its time was over: its socket is closed.</returns>
    public bool Leave(Entry entry)
    {
        lock (_gate) return Remove(entry);
    }

    public void Dispose()
    {
        List<Socket> rest;
        lock (_gate)
        {
            _sweep?.Dispose();
            rest = [.. _all.Select(entry => entry.Socket)];
            _all.Clear();
            _bySource.Clear();
        }
        foreach (var socket in rest) socket.Dispose();
    }

    private TimeSpan Period => patience / 10;

    private void Sweep()
    {
        List<Socket>? late = null;
        lock (_gate)
            while (_all.First is { } first && time.GetElapsedTime(first.Value.Since) >= patience)
                (late ??= []).Add(Evict(first.Value));
        foreach (var socket in late ?? []) socket.Dispose();
    }

    private Socket Evict(Entry entry)
    {
        Remove(entry);
        return entry.Socket;
    }

    private bool Remove(Entry entry)
    {
        if (entry.InAll?.List is null) return false;
        _all.Remove(entry.InAll);
        var siblings = _bySource[entry.Source];
        siblings.Remove(entry.InSource!);
        if (siblings.Count == 0) _bySource.Remove(entry.Source);
        return true;
    }

    // A /24 of IPv4 or a /56 of IPv6: what one customer of a provider usually has.
    private static UInt128 SourceOf(EndPoint? remote)
    {
        if (remote is not IPEndPoint { Address: var address }) return UInt128.Zero;
        Span<byte> bytes = stackalloc byte[16];
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        address.TryWriteBytes(bytes, out var length);
        bytes[(length == 4 ? 3 : 7)..].Clear();
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    internal sealed class Entry(Socket socket, UInt128 source, long since)
    {
        public Socket Socket { get; } = socket;

        public UInt128 Source { get; } = source;

        public long Since { get; } = since;

        public LinkedListNode<Entry>? InAll { get; set; }

        public LinkedListNode<Entry>? InSource { get; set; }
    }
}

using System.Net;
using System.Net.Sockets;
using Bondline.Transport;

namespace Bondline.Relay;

/// <summary>Where a visitor's connection comes from: one address or, with Multipath TCP, that of each of its subflows, which come and go. Thread-safe.</summary>
/// <remarks>
/// A feature of Kestrel's connections, so also of every request on one. Whoever lets visitors in by address has to ask about all of them, and again for what comes later: a
/// connection that was let in may be joined from anywhere. What is counted for each source counts <see cref="First"/> alone, which the kernel never changes;
/// a subflow that joins is no connection of its own and passes no listener.
/// </remarks>
internal sealed class VisitorAddresses
{
    private readonly Socket? _multipath;
    private readonly INetworkPlatform _platform;
    private IReadOnlyList<IPAddress> _seen;
    private int _most = 1;

    /// <param name="first">The address the connection was accepted from; null if it has none.</param>
    /// <param name="multipath">Asked for its subflows; null if it does not speak Multipath TCP.</param>
    /// <param name="platform">Who asks.</param>
    public VisitorAddresses(IPAddress? first, Socket? multipath, INetworkPlatform platform)
    {
        (_multipath, _platform) = (multipath, platform);
        First = first is null ? null : Plain(first);
        _seen = First is null ? [] : [First];
    }

    /// <summary>That of the first subflow, also when that is gone: what <c>X-Forwarded-For</c> says.</summary>
    public IPAddress? First { get; }

    /// <summary>It came by Multipath TCP; it may have fallen back since.</summary>
    public bool IsMultipath => _multipath is not null;

    /// <summary>The most subflows it had when somebody looked.</summary>
    public int MostSubflows => Volatile.Read(ref _most);

    /// <summary>Every address it has now, <see cref="First"/> at the beginning, each once; the last ones seen if it is closed. With Multipath TCP this is a system call.</summary>
    public IReadOnlyList<IPAddress> Look()
    {
        if (_multipath is null || _platform.MultipathSubflows(_multipath) is not { Count: > 0 } subflows) return Volatile.Read(ref _seen);
        IReadOnlyList<IPAddress> seen = [.. (First is null ? [] : new[] { First }).Concat(subflows.Select(subflow => Plain(subflow.Remote.Address))).Distinct()];
        Volatile.Write(ref _seen, seen);
        for (var most = MostSubflows; subflows.Count > most; most = MostSubflows) Interlocked.CompareExchange(ref _most, subflows.Count, most);
        return seen;
    }

    // A dual-mode socket shows IPv4 as ::ffff:a.b.c.d.
    private static IPAddress Plain(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Bondline.Linux;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Cli.Multipath;

/// <summary>What a machine is like at one moment, as far as kernel MPTCP is concerned.</summary>
internal sealed record MultipathFacts
{
    /// <summary>The sysctls <c>net.mptcp.*</c>, without that prefix; empty if the kernel has no MPTCP.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>Null if they cannot be seen.</summary>
    public IReadOnlyList<MultipathEndpoint>? Endpoints { get; init; }

    /// <summary>Null if they cannot be seen.</summary>
    public MultipathLimits? Limits { get; init; }

    public IReadOnlyList<InterfaceFacts> Interfaces { get; init; } = [];

    /// <summary>The numbers of the interfaces by which the system's own routes lead into the world, for each address family that has one.</summary>
    public IReadOnlyDictionary<AddressFamily, int> SystemInterfaces { get; init; } = new Dictionary<AddressFamily, int>();

    /// <summary>net.ipv4.tcp_rto_max_ms (Linux 6.15); null if the kernel does not have it.</summary>
    public int? MaxRetransmissionMilliseconds { get; init; }

    /// <summary>net.ipv4.tcp_notsent_lowat: bytes of a TCP connection that may wait unsent; null if the kernel does not have it.</summary>
    public long? MaxUnsentBytes { get; init; }

    /// <summary>What the kernel has counted since the namespace was made; null if it cannot be read.</summary>
    public MultipathCounters? Counters { get; init; }

    public MultipathManagers Managers { get; init; } = new();

    /// <summary>The kernel has MPTCP, and lets this process reach it: everybody may read the limits.</summary>
    public bool IsSupported => Settings.Count > 0 && Limits is not null;

    public bool IsEnabled => Settings.GetValueOrDefault("enabled") == "1";

    /// <summary>The kernel's own path manager works for new connections; a kernel that has no other does not say.</summary>
    public bool IsKernelManaged => Settings.GetValueOrDefault("path_manager", "kernel") == "kernel" && Settings.GetValueOrDefault("pm_type", "0") == "0";

    /// <summary>Some interface of the family has a default route in the main table.</summary>
    public bool HasDefaultRoute(AddressFamily family) => Interfaces.Any(each => each.HasDefaultRoute(family));

    /// <summary>A metric behind every default route's of the family, and of none.</summary>
    /// <param name="family">IPv4 or IPv6.</param>
    /// <param name="own">Routes this program made: there is no need to be behind them, where metrics would grow as they come and go.</param>
    /// <param name="planned">Routes it is about to make.</param>
    public uint MetricBehindAll(AddressFamily family, IReadOnlyCollection<RouteChange> own, IReadOnlyCollection<RouteChange> planned)
    {
        const uint First = 1100, Apart = 100, Highest = 4_000_000_000;
        var present = Interfaces.SelectMany(each => each.DefaultRoutes(family)).ToList();
        var behind = present.Where(route => !own.Any(ours => ours.IsAt(route))).Select(route => route.Metric).DefaultIfEmpty().Max();
        var taken = present.Select(route => route.Metric).Concat(planned.Where(route => route.Network.AddressFamily == family).Select(route => route.Metric)).ToHashSet();
        var metric = Math.Max(First, Math.Min(behind, Highest) + Apart);
        while (taken.Contains(metric)) metric += Apart;
        return metric;
    }
}

/// <summary>Who else may change endpoints.</summary>
internal sealed record MultipathManagers
{
    /// <summary>mptcpd runs in this network namespace.</summary>
    public bool IsMptcpdRunning { get; init; }

    /// <summary>NetworkManager's version; null if it does not run in this network namespace.</summary>
    public string? NetworkManager { get; init; }

    /// <summary>systemd runs this machine.</summary>
    public bool IsSystemdRunning { get; init; }
}

/// <summary>One interface.</summary>
/// <param name="State">As rtnetlink tells it.</param>
internal sealed record InterfaceFacts(NetworkInterfaceState State)
{
    /// <summary>Its usable addresses and whether they lead into the world.</summary>
    public IReadOnlyList<WayOut> Ways { get; init; } = [];

    /// <summary>Its own rp_filter: 0 off, 1 strict, 2 loose; as the kernel writes it.</summary>
    public string OwnReplyFilter { get; init; } = "0";

    /// <summary>rp_filter as it works: the larger of its own and the one for all interfaces.</summary>
    public int ReplyFilter { get; init; }

    /// <summary>Routers its DHCP lease names.</summary>
    public IReadOnlyList<IPAddress> LeasedGateways { get; init; } = [];

    /// <summary>The UUID of NetworkManager's connection that is active on it; null if it manages it not.</summary>
    public string? Connection { get; init; }

    public string Name => State.Link.Name;

    public int Index => State.Link.Index;

    public InterfaceView View => field ??= LinuxInterface.View(State);

    /// <summary>It has a default route in the main table. If policy rules keep connections from it all the same, another one would not help.</summary>
    public bool HasDefaultRoute(AddressFamily family) => DefaultRoutes(family).Any();

    public IEnumerable<RouteMessage> DefaultRoutes(AddressFamily family) =>
        State.Routes.Where(route => route.IsDefault && route.Table == RouteMessage.MainTable && route.Destination.AddressFamily == family);

    /// <summary>Routers that may lead into the world: those its routes go over, the likeliest first, then those of its lease.</summary>
    public IEnumerable<IPAddress> Gateways(AddressFamily family) =>
        State.Routes.Where(route => route.Type == RouteType.Unicast)
            .OrderBy(route => route.PrefixLength) // a default route in another table before a narrow one
            .SelectMany(route => route.NextHops.Where(hop => hop.Interface == Index))
            .Select(hop => hop.Gateway)
            .OfType<IPAddress>()
            .Concat(LeasedGateways)
            .Where(gateway => gateway.AddressFamily == family)
            .Distinct();

    /// <summary>Reads the value of rp_filter that works for an interface: the larger of its own and the one for all.</summary>
    public static int EffectiveReplyFilter(string? ofAll, string? own) => Math.Max(Number(ofAll), Number(own));

    private static int Number(string? text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
}

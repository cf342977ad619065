using System.Net;
using System.Text.Json.Serialization;
using Bondline.Linux;

namespace Bondline.Cli.Multipath;

/// <summary>A default route of an interface that has none, with a metric behind all others: only what is bound to the interface takes it.</summary>
/// <param name="Interface">Its name.</param>
/// <param name="InterfaceIndex">Its number; with another one it is another interface.</param>
/// <param name="Network">All of IPv4 or all of IPv6, as an address of zeros.</param>
/// <param name="Gateway">The router; null where there is but one other end.</param>
/// <param name="Metric">Of the route.</param>
internal sealed record RouteChange(string Interface, int InterfaceIndex, IPAddress Network, IPAddress? Gateway, uint Metric) : MultipathChange
{
    private const byte Administrator = 4; // RTPROT_STATIC: not the kernel's, not DHCP's

    [JsonIgnore]
    public RouteMessage Route => new(Network, 0, RouteMessage.MainTable, RouteType.Unicast, [new(InterfaceIndex, Gateway)], Metric, IsCloned: false) { Protocol = Administrator };

    /// <summary>That is the one this change makes.</summary>
    public bool IsAt(RouteMessage route) =>
        route.IsDefault && route.Table == RouteMessage.MainTable && route.Destination.Equals(Network) && route.Metric == Metric && route.Protocol == Administrator
        && route.NextHops.Contains(new(InterfaceIndex, Gateway)); // the kernel joins IPv6 routes of one metric

    public override string? Make(IMultipathSystem system)
    {
        system.AddRoute(Route);
        return null;
    }

    public override UndoResult Undo(IMultipathSystem system) => new(system.DeleteRoute(Route) ? UndoOutcome.Undone : UndoOutcome.Gone);

    public override bool IsMissing(MultipathFacts facts, IMultipathSystem system) => !facts.Interfaces.Any(each => each.State.Routes.Any(IsAt));

    protected override ChangeWords Describe() => new(
        "route",
        $"give {Interface} a way into the world of its own; the system's own routes are preferred to it",
        $"ip {Version}route add {Words} proto static",
        $"ip {Version}route del {Words}");

    private string Version => Network.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? "-6 " : "";

    private string Words => $"default {(Gateway is null ? "" : $"via {Gateway} ")}dev {Interface} metric {Metric}";
}

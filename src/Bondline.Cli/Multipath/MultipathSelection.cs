using Bondline.Linux;
using Bondline.Protocol;

namespace Bondline.Cli.Multipath;

/// <summary>Why an interface gets no endpoint.</summary>
/// <param name="Reason">One word, as of a bond's paths.</param>
/// <param name="Detail">A sentence without its full stop.</param>
/// <param name="Command">What would mend it; null if nothing typed would.</param>
internal readonly record struct LeftOut(string Reason, string Detail, string? Command = null);

/// <summary>Which interfaces get endpoints: the rules of a bond's paths, for a peer anywhere in the world.</summary>
/// <remarks>
/// Where there is no network card with an address at all (a container, a lab, a machine whose card is in a bridge), what there is instead are its networks:
/// bridges and virtual interfaces that lead into the world, and if there are none of these either, tunnels, which then cannot be VPNs over anything.
/// </remarks>
internal sealed class MultipathSelection
{
    private readonly MultipathFacts _facts;
    private readonly IReadOnlyList<string> _names;
    private readonly IReadOnlyList<InterfaceView> _views;
    private readonly IReadOnlyList<RelayAddress> _world;
    private readonly PathSelection _selection;

    /// <param name="facts">The machine.</param>
    /// <param name="names">The interfaces the user named; none: choose.</param>
    public MultipathSelection(MultipathFacts facts, IReadOnlyList<string> names)
    {
        _facts = facts;
        _names = names;
        _views = [.. facts.Interfaces.Select(each => each.View)];
        _world = [.. facts.SystemInterfaces.Select(system => new RelayAddress(new(WayOut.WorldOf(system.Key), 443), system.Value, IsLocal: false))];
        var counting = names.Count > 0 ? names : [.. Instead().Select(view => view.Name)];
        _selection = new([.. counting.Select(name => new PathRule(name))], isExclusive: names.Count > 0);
    }

    /// <summary>Why an interface is not used, whatever routes it has; null if it is.</summary>
    public LeftOut? Refuse(InterfaceFacts candidate)
    {
        var choice = _selection.Choose(candidate.View, _views, _world);
        return choice.Reason switch
        {
            null or "no-route" => null, // a missing route can be mended
            "policy" => new("policy", "not among the interfaces that were named"),
            "virtual" => new("virtual", "a bridge or virtual interface, which is used only if you name it", $"bondline mptcp enable {string.Join(' ', [.. Used(), candidate.Name])}"),
            "vpn" when candidate.View.Kind == InterfaceKind.Tunnel => new("vpn", "a VPN or tunnel, which is used only if you name it"),
            "vpn" => new("vpn", $"the system's route into the world is a VPN ({Vpn()}), and nobody's traffic is led past a VPN unasked; name interfaces to do it"),
            var reason => new(reason, choice.Detail ?? "cannot be used", reason == "carrier" && !candidate.View.IsUp ? $"ip link set {candidate.Name} up" : null),
        };
    }

    public bool IsNamed(InterfaceFacts candidate) => _names.Contains(candidate.Name);

    private IEnumerable<InterfaceView> Instead()
    {
        var networks = _views.Where(view => view.Kind != InterfaceKind.Loopback && view.Addresses.Count > 0).ToList();
        if (networks.Exists(view => view.Kind == InterfaceKind.Hardware)) return [];
        var isVpn = networks.Exists(view => view.Kind == InterfaceKind.Tunnel && _facts.SystemInterfaces.Values.Contains(view.Index));
        // One that leads nowhere, such as a bridge of containers, is no network in a card's place.
        var devices = networks.Where(view => view.Kind is InterfaceKind.Bridge or InterfaceKind.Container && Leads(view)).ToList();
        return devices.Count == 0 ? networks : isVpn ? [] : devices;
    }

    private bool Leads(InterfaceView view)
    {
        var facts = _facts.Interfaces.First(each => each.Index == view.Index);
        return facts.Ways.Any(way => way.Exists || facts.HasDefaultRoute(way.Address.AddressFamily));
    }

    private IEnumerable<string> Used() => _facts.Interfaces.Where(each => _selection.Choose(each.View, _views, _world).Reason is null or "no-route").Select(each => each.Name);

    private string Vpn() => _views.FirstOrDefault(view => view.Kind == InterfaceKind.Tunnel && _facts.SystemInterfaces.Values.Contains(view.Index))?.Name ?? "";
}

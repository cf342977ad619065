using System.Net;
using System.Net.Sockets;

namespace Bondline.Protocol;

/// <summary>Whether an interface may be a path, and if not, why.</summary>
/// <param name="Endpoints">The relay's addresses it can reach; empty if it may not be a path.</param>
/// <param name="IsBound">Subflows are bound to the interface.</param>
/// <param name="Policy">What the user wants it used for.</param>
/// <param name="Lost">For an interface that could be a path but for its link: what is missing; else <see cref="SubflowReason.None"/>.</param>
/// <param name="Reason">One word; null for a path.</param>
/// <param name="Detail">A sentence; null for a path.</param>
public readonly record struct PathChoice(IReadOnlyList<RelayAddress> Endpoints, bool IsBound, SubflowPolicy Policy, SubflowReason Lost, string? Reason, string? Detail)
{
    public bool IsPath => Endpoints.Count > 0;
}

/// <summary>The rules that make interfaces paths: carrier, an address that is not link-local, a route to the relay; virtual ones only if named; never past a VPN in silence.</summary>
public sealed class PathSelection
{
    private readonly Dictionary<string, SubflowPolicy> _policies = [];
    private readonly Dictionary<string, string> _heldBack = [];
    private readonly bool _isExclusive;

    /// <param name="rules">What the user said about interfaces.</param>
    /// <param name="isExclusive">Only the interfaces named are used, if any is.</param>
    public PathSelection(IReadOnlyList<PathRule> rules, bool isExclusive)
    {
        ArgumentNullException.ThrowIfNull(rules);
        foreach (var rule in rules) _policies[rule.Interface] = rule.Policy;
        _isExclusive = isExclusive && rules.Count > 0;
    }

    /// <summary>The user says something else about an interface; it counts as named.</summary>
    public void Change(string path, SubflowPolicy policy) => _policies[path] = policy;

    /// <summary>The user switched it off.</summary>
    public bool IsOff(string path) => _policies.TryGetValue(path, out var policy) && policy == SubflowPolicy.Off;

    /// <summary>A metered interface is left out for the reason given; null: no longer.</summary>
    public void HoldBack(string path, string? reason)
    {
        if (reason is null) _heldBack.Remove(path);
        else _heldBack[path] = reason;
    }

    public PathChoice Choose(InterfaceView candidate, IReadOnlyList<InterfaceView> all, IReadOnlyList<RelayAddress> relay)
    {
        ArgumentNullException.ThrowIfNull(candidate);
        SubflowPolicy? named = _policies.TryGetValue(candidate.Name, out var policy) ? policy : null;
        if (named == SubflowPolicy.Off) return LeftOut("policy", "switched off");
        if (named == SubflowPolicy.Metered && _heldBack.TryGetValue(candidate.Name, out var why)) return LeftOut("budget", why);
        if (named is null && _isExclusive) return LeftOut("policy", "not named in --paths");
        if (named is null && LeaveOutUnnamed(candidate, all, relay) is { } leftOut) return leftOut;

        var isLoopback = candidate.Kind == InterfaceKind.Loopback;
        if (isLoopback && !relay.Any(address => IsHere(address))) return LeftOut("loopback", "leads to this machine only");
        if (!candidate.IsUp) return Lost(SubflowReason.Carrier, "carrier", "switched off");
        if (!candidate.HasCarrier && !isLoopback) return Lost(SubflowReason.Carrier, "carrier", "no carrier");
        if (candidate.Addresses.Count == 0) return Lost(SubflowReason.Address, "address", "no address but link-local ones");
        var reachable = relay.Select(address => isLoopback ? IsHere(address) ? address : default : Reach(candidate, address)).Where(address => address.EndPoint is not null).ToList();
        if (reachable.Count == 0 && relay.Count > 0)
            return Lost(SubflowReason.Route, "no-route", $"{(IsVersion6Only(candidate) && !relay.Any(address => address.EndPoint.AddressFamily == AddressFamily.InterNetworkV6) ? "this network has IPv6 only, and no NAT64 that is known: " : "")}no route to {string.Join(" or ", relay.Select(address => address.IsProxy ? $"the proxy {address.EndPoint.Address}" : $"{address.EndPoint.Address}"))}");
        return new(reachable, !isLoopback, named ?? SubflowPolicy.Normal, SubflowReason.None, null, null);
    }

    /// <returns>The default if it cannot.</returns>
    private static RelayAddress Reach(InterfaceView candidate, RelayAddress relay)
    {
        if (candidate.CanReach(relay.EndPoint.Address)) return relay;
        if (candidate.Nat64 is not { } nat64 || relay.EndPoint.AddressFamily != AddressFamily.InterNetwork || !IsVersion6Only(candidate)) return default;
        var translated = nat64.Translate(relay.EndPoint.Address);
        return candidate.CanReach(translated) ? relay with { EndPoint = new(translated, relay.EndPoint.Port), Original = relay.EndPoint } : default;
    }

    private static bool IsVersion6Only(InterfaceView candidate) => candidate.Addresses.All(address => address.AddressFamily == AddressFamily.InterNetworkV6);

    private static PathChoice? LeaveOutUnnamed(InterfaceView candidate, IReadOnlyList<InterfaceView> all, IReadOnlyList<RelayAddress> relay)
    {
        if (relay.Count > 0 && relay.All(IsHere))
            return candidate.Kind == InterfaceKind.Loopback ? null : LeftOut("policy", $"{(relay.All(address => address.IsProxy) ? "the proxy" : "the relay")} is on this machine and is reached over loopback");
        var vpn = all.FirstOrDefault(other => other.Kind == InterfaceKind.Tunnel && relay.Any(address => address.SystemInterface == other.Index));
        if (vpn is not null && vpn != candidate)
            return LeftOut("vpn", $"the system's route to the relay is the VPN {vpn.Name}, which is used alone; name interfaces in --paths to use them too");
        return candidate.Kind switch
        {
            InterfaceKind.Bridge => LeftOut("virtual", "a bridge; name it in --paths to use it"),
            InterfaceKind.Container => LeftOut("virtual", "a virtual interface; name it in --paths to use it"),
            InterfaceKind.Tunnel when vpn is null => LeftOut("vpn", "a VPN or tunnel; name it in --paths to use it"),
            _ => null,
        };
    }

    private static bool IsHere(RelayAddress address) => address.IsLocal || IPAddress.IsLoopback(address.EndPoint.Address);

    private static PathChoice LeftOut(string reason, string detail) => new([], false, SubflowPolicy.Off, SubflowReason.None, reason, detail);

    private static PathChoice Lost(SubflowReason lost, string reason, string detail) => new([], false, SubflowPolicy.Off, lost, reason, detail);
}

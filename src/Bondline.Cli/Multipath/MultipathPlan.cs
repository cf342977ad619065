using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Bondline.Linux;
using Bondline.Protocol;

namespace Bondline.Cli.Multipath;

/// <summary>What becomes of one interface.</summary>
/// <param name="Name">The interface.</param>
/// <param name="Index">Its number.</param>
/// <param name="LeftOut">Why it gets no endpoint; null if it has one or gets one.</param>
internal sealed record InterfaceVerdict(string Name, int Index, LeftOut? LeftOut);

/// <summary>What must change so that connections use every network of this machine by kernel MPTCP: facts in, changes out. No I/O.</summary>
/// <param name="Changes">In the order to make them.</param>
/// <param name="Places">Where endpoints belong now, those that are there already included.</param>
/// <param name="Interfaces">Every interface but loopback, and virtual ones without an address.</param>
/// <param name="Notes">What the user should know besides; sentences without their full stops.</param>
internal sealed record MultipathPlan(IReadOnlyList<MultipathChange> Changes, IReadOnlyList<EndpointPlace> Places, IReadOnlyList<InterfaceVerdict> Interfaces, IReadOnlyList<string> Notes)
{
    private const MultipathEndpointFlags OpensNothing = MultipathEndpointFlags.Implicit;

    // The kernel's own is no limit; whoever has set one knows why.
    private const int FewUnsentBytes = 128 * 1024, NoUnsentLimit = 1 << 20;

    /// <summary>The interfaces that are used.</summary>
    public IEnumerable<InterfaceVerdict> Used => Interfaces.Where(verdict => verdict.LeftOut is null);

    /// <summary>What is not needed, but makes up for a lost network sooner; null if it is so already.</summary>
    /// <param name="facts">The machine.</param>
    public static SysctlChange? Hasten(MultipathFacts facts) => facts.MaxUnsentBytes is > NoUnsentLimit and var was
        ? new(SysctlChange.MaxUnsentBytes, FewUnsentBytes.ToString(CultureInfo.InvariantCulture), was.ToString(CultureInfo.InvariantCulture))
        : null;

    /// <param name="facts">The machine.</param>
    /// <param name="names">The interfaces the user named; none: choose.</param>
    /// <param name="others">Interfaces whose endpoints somebody else keeps (NetworkManager); everything but the endpoint is seen to.</param>
    /// <param name="own">What this program made: routes, and endpoints if they go as soon as they do not belong where they are. Null: nothing.</param>
    public static MultipathPlan Make(MultipathFacts facts, IReadOnlyList<string> names, IReadOnlyCollection<string> others, IReadOnlyCollection<MultipathChange>? own = null)
    {
        own ??= [];
        var ownRoutes = own.OfType<RouteChange>().ToList();
        var notes = new List<string>();
        var routes = new List<RouteChange>();
        var verdicts = new List<InterfaceVerdict>();
        var places = new List<(EndpointPlace Place, InterfaceFacts Interface)>();
        var selection = new MultipathSelection(facts, names);
        foreach (var each in facts.Interfaces.Where(each => !each.State.Link.IsLoopback))
        {
            if (each.View is { Kind: not InterfaceKind.Hardware, Addresses.Count: 0 } && !selection.IsNamed(each)) continue; // the other ends of containers and the like
            var leftOut = selection.Refuse(each);
            if (leftOut is null)
            {
                var found = FindPlaces(facts, each, selection.IsNamed(each), ownRoutes, routes, notes);
                places.AddRange(found.Select(place => (place, each)));
                if (found.Count == 0) leftOut = WithoutRoute(facts, each, ownRoutes);
            }

            verdicts.Add(new(each.Name, each.Index, leftOut));
        }

        // One connection is of one family: every network's IPv4 before the first one's IPv6, if the kernel has not room for all.
        places = [.. places.OrderBy(place => place.Place.Address.AddressFamily == AddressFamily.InterNetworkV6).DistinctBy(place => place.Place.Address)];
        var going = own.OfType<EndpointChange>().Select(change => change.Place).Except(places.Select(place => place.Place)).ToHashSet();
        var endpoints = AddEndpoints(facts, places, going, others, notes);
        List<MultipathChange> changes = [.. SwitchOn(facts), .. RelaxReplyFilters(places), .. routes, .. RaiseLimits(facts, places), .. endpoints];
        return new(changes, [.. places.Where(place => !others.Contains(place.Interface.Name)).Select(place => place.Place)], verdicts, notes);
    }

    private static IEnumerable<MultipathChange> SwitchOn(MultipathFacts facts)
    {
        if (!facts.IsEnabled) yield return new SysctlChange(SysctlChange.Enabled, "1", facts.Settings.GetValueOrDefault("enabled", "0"));
        if (facts.IsKernelManaged) yield break;
        if (facts.Settings.TryGetValue("path_manager", out var manager)) yield return new SysctlChange(SysctlChange.PathManager, "kernel", manager); // pm_type follows it
        else yield return new SysctlChange(SysctlChange.PathManagerType, "0", facts.Settings["pm_type"]);
    }

    private static IEnumerable<MultipathChange> RelaxReplyFilters(List<(EndpointPlace Place, InterfaceFacts Interface)> places)
    {
        var used = places.Where(place => place.Place.Address.AddressFamily == AddressFamily.InterNetwork).Select(place => place.Interface).Distinct().ToList();
        // Of a single network the way back is always the way out.
        return used.Count < 2 ? [] : used.Where(each => each.ReplyFilter == 1).Select(each => new SysctlChange(Sysctl.OfInterface(each.Name, "rp_filter"), "2", each.OwnReplyFilter, each.Index));
    }

    private static IEnumerable<MultipathChange> RaiseLimits(MultipathFacts facts, List<(EndpointPlace Place, InterfaceFacts Interface)> places)
    {
        // One for each network, not one less: when that of the first subflow was away, it comes back as one more.
        var extra = Math.Min(MultipathLimits.Max, places.GroupBy(place => place.Place.Address.AddressFamily).Select(family => family.Count()).DefaultIfEmpty().Max());
        if (facts.Limits is { } limits && limits.Subflows < extra) yield return new LimitsChange(extra, limits.Subflows);
    }

    // Takes places for which there is no room off the list.
    private static List<MultipathChange> AddEndpoints(
        MultipathFacts facts, List<(EndpointPlace Place, InterfaceFacts Interface)> places, HashSet<EndpointPlace> going, IReadOnlyCollection<string> others, List<string> notes)
    {
        var present = facts.Endpoints ?? [];
        var room = MultipathEndpoint.MaxCount - present.Count(endpoint => endpoint.Port != 0 || !going.Contains(new(endpoint.Address, endpoint.InterfaceIndex)));
        var changes = new List<MultipathChange>();
        foreach (var place in places.ToList())
        {
            var (address, index) = place.Place;
            if (present.FirstOrDefault(endpoint => endpoint.Address.Equals(address) && endpoint.Port == 0 && (endpoint.Flags & OpensNothing) == 0) is { } there)
            {
                if (!there.Flags.HasFlag(MultipathEndpointFlags.Subflow))
                    notes.Add($"the endpoint of {address} is not for further subflows ({there.Flags.ToString().ToLowerInvariant()}), and on a client opens none; \"ip mptcp endpoint delete id {there.Id}\", then enable again");
            }
            else if (others.Contains(place.Interface.Name))
            {
                continue;
            }
            else if (changes.Count < room)
            {
                changes.Add(new EndpointChange(address, place.Interface.Name, index));
            }
            else
            {
                places.Remove(place);
                notes.Add($"no endpoint for {address} on {place.Interface.Name}: the kernel has room for {MultipathEndpoint.MaxCount} in all");
            }
        }

        return changes;
    }

    private static List<EndpointPlace> FindPlaces(MultipathFacts facts, InterfaceFacts each, bool isNamed, List<RouteChange> ownRoutes, List<RouteChange> routes, List<string> notes)
    {
        var places = new List<EndpointPlace>();
        foreach (var family in each.Ways.GroupBy(way => way.Address.AddressFamily))
        {
            // The address a connection would start from by itself: with another one it would use the same network twice.
            var way = family.OrderByDescending(way => way.Exists).ThenByDescending(way => way.IsPreferred).First();
            if (!way.Exists && !each.HasDefaultRoute(family.Key) && !MendRoute(facts, each, family.Key, isNamed, ownRoutes, routes))
            {
                if (each.Ways.Any(other => other.Exists)) notes.Add($"only {(family.Key == AddressFamily.InterNetwork ? "IPv6" : "IPv4")} leads into the world over {each.Name}");
                continue;
            }

            places.Add(new(way.Address, each.Index));
        }

        return places;
    }

    /// <returns>False if there is no route and nothing says which it could be.</returns>
    private static bool MendRoute(MultipathFacts facts, InterfaceFacts each, AddressFamily family, bool isNamed, List<RouteChange> ownRoutes, List<RouteChange> routes)
    {
        var gateway = each.Gateways(family).FirstOrDefault();
        if (gateway is null && !each.State.Link.IsPointToPoint) return false;
        // A machine that has no default route of this family at all is not meant to leave its network: no reason to make it, unless somebody says so.
        if (!facts.HasDefaultRoute(family) && !isNamed) return gateway is not null;
        var everything = family == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any;
        routes.Add(new(each.Name, each.Index, everything, gateway, facts.MetricBehindAll(family, ownRoutes, routes)));
        return true;
    }

    private static LeftOut WithoutRoute(MultipathFacts facts, InterfaceFacts each, List<RouteChange> ownRoutes)
    {
        var family = each.Ways.Any(way => way.Address.AddressFamily == AddressFamily.InterNetwork) ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6;
        return new(
            "no-route",
            "no route into the world, and nothing says which router on it leads there",
            $"ip {(family == AddressFamily.InterNetworkV6 ? "-6 " : "")}route add default via ROUTER dev {each.Name} metric {facts.MetricBehindAll(family, ownRoutes, [])}");
    }
}

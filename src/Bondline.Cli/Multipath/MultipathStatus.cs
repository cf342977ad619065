using System.Net.Sockets;
using Bondline.Linux;

namespace Bondline.Cli.Multipath;

/// <summary>Whether connections from here would use several networks by kernel MPTCP, and if not, why. Facts in, judgement out; no I/O.</summary>
/// <param name="Facts">The machine.</param>
/// <param name="Plan">What <c>enable</c> would do.</param>
/// <param name="Networks">The interfaces a connection would use now.</param>
/// <param name="Missing">What keeps further networks, or all, from being used.</param>
/// <param name="Advice">What could be better.</param>
/// <param name="Code">Why it does not work: a code of <see cref="ErrorTable"/>; null if it does.</param>
internal sealed record MultipathStatus(MultipathFacts Facts, MultipathPlan Plan, IReadOnlyList<string> Networks, IReadOnlyList<Advice> Missing, IReadOnlyList<Advice> Advice, string? Code)
{
    /// <summary>What MPTCP's design leaves open, whoever uses it.</summary>
    public static IReadOnlyList<string> Security { get; } =
    [
        "MPTCP sends its keys in the clear when a connection begins (RFC 8684 section 3.1). Whoever can read the first packets of one network can join the",
        "connection later, from anywhere, and then read a part of it, hold it back, add to it or end it. Inside TLS or SSH nothing can be read or changed,",
        "only delayed or cut. What has neither gets weaker: one bad network among several is enough.",
    ];

    public bool Works => Code is null;

    public static MultipathStatus Make(MultipathFacts facts, IReadOnlyList<string> names)
    {
        var plan = MultipathPlan.Make(facts, names, []);
        var networks = FindNetworks(facts, plan);
        var code = !facts.IsSupported ? "mptcp-missing"
            : !facts.IsEnabled ? "mptcp-off"
            : facts.Managers.IsMptcpdRunning && !facts.IsKernelManaged ? null // mptcpd decides for each connection
            : networks.Count < 2 || !facts.IsKernelManaged || facts.Limits is { Subflows: 0 } ? "mptcp-incomplete"
            : null;
        return new(facts, plan, networks, [.. FindMissing(facts, plan)], facts.IsSupported ? MultipathAdvice.Make(facts) : [], code);
    }

    // The first subflow goes where the system's routes lead, further ones where an endpoint has a way out; a connection is of one family.
    private static List<string> FindNetworks(MultipathFacts facts, MultipathPlan plan)
    {
        var best = new List<string>();
        foreach (var family in (AddressFamily[])[AddressFamily.InterNetwork, AddressFamily.InterNetworkV6])
        {
            var first = facts.SystemInterfaces.GetValueOrDefault(family);
            var found = facts.Interfaces.Where(each => each.Index == first || IsOpen(each, family)).Select(each => each.Name).ToList();
            if (found.Count > best.Count) best = found;
        }

        return best;

        bool IsOpen(InterfaceFacts each, AddressFamily family) =>
            each.View.HasCarrier && each.View.IsUp
            && (family != AddressFamily.InterNetwork || each.ReplyFilter != 1)
            && !plan.Changes.OfType<RouteChange>().Any(route => route.InterfaceIndex == each.Index && route.Network.AddressFamily == family)
            && each.Ways.Any(way => way.Address.AddressFamily == family && way.Exists && (facts.Endpoints ?? []).Any(endpoint =>
                endpoint.Address.Equals(way.Address) && endpoint.Port == 0 && endpoint.InterfaceIndex is var index && (index == 0 || index == each.Index)
                && (endpoint.Flags & (MultipathEndpointFlags.Subflow | MultipathEndpointFlags.FullMesh)) != 0));
    }

    private static IEnumerable<Advice> FindMissing(MultipathFacts facts, MultipathPlan plan)
    {
        if (!facts.IsSupported)
        {
            yield return new("this kernel has no MPTCP, or hides it from this program: it takes Linux 5.7 or later, built with CONFIG_MPTCP");
            yield break;
        }

        if (facts.Managers.IsMptcpdRunning && !facts.IsKernelManaged) yield break;
        foreach (var change in plan.Changes) yield return new(Need(change), change.Command);
        foreach (var note in plan.Notes) yield return new(note);
        foreach (var verdict in plan.Interfaces)
            if (verdict.LeftOut is { Reason: "no-route" } why)
                yield return new($"nothing gets out of {verdict.Name}: {why.Detail}", why.Command);
        if (plan.Used.Count() < 2) yield return new($"{(plan.Used.Any() ? "only one network" : "no network")} can be used: connect another one, or name those that are left out", null);
    }

    private static string Need(MultipathChange change) => change switch
    {
        SysctlChange { Name: SysctlChange.Enabled } => "MPTCP is switched off: programs cannot make MPTCP sockets, and most then use plain TCP",
        SysctlChange { Name: SysctlChange.PathManager or SysctlChange.PathManagerType } => "further subflows are left to a daemon that does not run",
        SysctlChange sysctl => $"what arrives is dropped while the system's own way back is another interface ({sysctl.Name} is {sysctl.Was}, strict)",
        RouteChange route => $"nothing that is bound to {route.Interface} gets out: it has no default route of its own",
        LimitsChange limits => $"the limit of {limits.WasSubflows} subflows beside the first one is less than the networks there are",
        EndpointChange endpoint => $"no connection uses {endpoint.Interface} beside another network: it has no endpoint for {endpoint.Address}",
        _ => change.Sentence,
    };
}

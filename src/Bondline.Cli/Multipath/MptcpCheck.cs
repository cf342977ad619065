using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Bondline.Linux;

namespace Bondline.Cli;

/// <summary>Tries MPTCP beside plain TCP to a host over every interface, all at the same time.</summary>
/// <param name="settings">The kernel's.</param>
internal sealed class MptcpCheck(MultipathSettings settings)
{
    // Plain and MPTCP both get the time for two more requests after the first, which the kernel sends a second apart.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2.7);

    /// <summary>How long an attempt may take.</summary>
    /// <remarks>
    /// After net.mptcp.syn_retrans_before_tcp_fallback repeated requests the kernel leaves the option out; if that is answered, it takes the way for a
    /// blackhole and asks nobody on this machine for an hour. An attempt that ends before never triggers this, and is not fooled by it.
    /// </remarks>
    public TimeSpan Limit
    {
        get
        {
            if (!int.TryParse(settings.Read("syn_retrans_before_tcp_fallback"), NumberStyles.None, CultureInfo.InvariantCulture, out var repeats)) return Longest;
            var fallback = TimeSpan.FromSeconds(0.9 * (repeats + 1));
            return fallback < Longest ? fallback : Longest;
        }
    }

    /// <summary>The interfaces and addresses to try: one address of each family over each interface that has the family.</summary>
    public static IReadOnlyList<MptcpWay> Ways(LocalInterfaces interfaces, IEnumerable<IPAddress> addresses, int port)
    {
        var ways = new List<MptcpWay>();
        IPAddress[] known = [.. addresses];
        foreach (var family in (AddressFamily[])[AddressFamily.InterNetwork, AddressFamily.InterNetworkV6])
        {
            if (known.FirstOrDefault(one => one.AddressFamily == family) is not { } address) continue;
            var target = new IPEndPoint(address, port);
            if (interfaces.NameOf(address) is { } own) ways.Add(new(null, own, target, HasRoute: true));
            else ways.AddRange(interfaces.States.Where(state => MayLead(state, address)).Select(state => new MptcpWay(state.Link.Name, state.Link.Name, target, HasRoute(state, address))));
        }

        return ways;
    }

    public async Task<IReadOnlyList<MptcpVerdict>> RunAsync(IReadOnlyList<MptcpWay> ways, CancellationToken stop) =>
        MptcpVerdict.Compare(await Task.WhenAll(ways.Select(way => RunAsync(way, stop))));

    private async Task<MptcpVerdict> RunAsync(MptcpWay way, CancellationToken stop)
    {
        var verdict = await OnceAsync();
        // Packets get lost: only what happens twice is said.
        return verdict.Kind is MptcpVerdictKind.Blackholed or MptcpVerdictKind.Blocked && verdict.Plain.Outcome is AttemptOutcome.Connected or AttemptOutcome.Silent ? await OnceAsync() : verdict;

        async Task<MptcpVerdict> OnceAsync()
        {
            var disabledBefore = MultipathCounters.Read()?["MPCapableSYNTXDisabled"];
            var plain = MptcpAttempt.MakeAsync(way.Interface, way.Target, isMultipath: false, Limit, stop);
            var multipath = await MptcpAttempt.MakeAsync(way.Interface, way.Target, isMultipath: true, Limit, stop);
            // Where the kernel does not tell of the socket, it at least counts.
            if (multipath is { IsConnected: true, Fallback: MultipathFallback.Unknown } && MultipathCounters.Read()?["MPCapableSYNTXDisabled"] > disabledBefore)
                multipath = multipath with { Fallback = MultipathFallback.NotAskedFor };
            return new(way, await plain, multipath, MptcpVerdict.Judge(await plain, multipath));
        }
    }

    // A bridge of containers or virtual machines leads nowhere but to them, unless a route says more.
    private static bool MayLead(NetworkInterfaceState state, IPAddress address) =>
        state.Link is { IsUp: true, HasCarrier: true, IsLoopback: false }
        && state.Addresses.Any(own => own.IsUsable && own.Address.AddressFamily == address.AddressFamily && !own.Address.IsIPv6LinkLocal)
        && (state.Link.Kind is not "bridge" || HasRoute(state, address));

    private static bool HasRoute(NetworkInterfaceState state, IPAddress address) => state.Routes.Any(route => route.Type == RouteType.Unicast && route.Covers(address));
}

using System.Globalization;
using Bondline.Linux;

namespace Bondline.Cli.Multipath;

/// <summary>What is missing or could be better, and what to type.</summary>
/// <param name="Text">A sentence without its full stop.</param>
/// <param name="Command">Null if nothing typed here mends it.</param>
internal sealed record Advice(string Text, string? Command = null);

/// <summary>Advice that follows from what the kernel counted and from settings that are not wrong but slow. No I/O.</summary>
internal static class MultipathAdvice
{
    // Beyond this, a network that is back is not used for longer than people wait.
    private const int SlowReturnMilliseconds = 10_000, QuickReturnMilliseconds = 1000;

    private const int LongBlackholeSeconds = 300, ShortBlackholeSeconds = 60;

    public static IReadOnlyList<Advice> Make(MultipathFacts facts) => [.. OfCounters(facts.Counters), .. OfEndpoints(facts), .. OfUnsentBytes(facts), .. OfSettings(facts)];

    /// <summary>Of settings that nobody but the user makes.</summary>
    public static IEnumerable<Advice> OfSettings(MultipathFacts facts)
    {
        if (facts.MaxRetransmissionMilliseconds is > SlowReturnMilliseconds and var slow)
            yield return new(
                $"after a while without an answer TCP asks only every {slow / 1000} s, so a network that is back may stay unused for so long; asking every second costs little (it holds for all TCP connections)",
                $"sysctl -w net.ipv4.tcp_rto_max_ms={QuickReturnMilliseconds}");
        if (int.TryParse(facts.Settings.GetValueOrDefault("blackhole_timeout"), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds > LongBlackholeSeconds)
            yield return new(
                $"requests for MPTCP that vanish, as while a server restarts, switch it off for {seconds / 60} minutes and longer, without a word",
                $"sysctl -w net.mptcp.blackhole_timeout={ShortBlackholeSeconds}");
    }

    private static IEnumerable<Advice> OfUnsentBytes(MultipathFacts facts)
    {
        if (MultipathPlan.Hasten(facts) is { } change)
            yield return new(
                "what a lost network did not deliver is sent again behind all that waits unsent on the others; a connection goes on sooner if less may wait, as \"bondline mptcp watch\" sets it (it holds for all TCP connections)",
                change.Command);
    }

    private static IEnumerable<Advice> OfCounters(MultipathCounters? counters)
    {
        if (counters is null) yield break;
        long asked = counters["MPCapableSYNTX"], agreed = counters["MPCapableSYNACKRX"], joins = counters["MPJoinSynTx"], joined = counters["MPJoinSynAckRx"];
        if (counters["MPCapableSYNTXDisabled"] > 0)
            yield return new($"{Times(counters["MPCapableSYNTXDisabled"])} a connection was made without MPTCP because requests for it had vanished before (blackhole mode)", "sysctl -w net.mptcp.blackhole_timeout=0");
        if (counters["MPCapableSYNTXDrop"] > 0)
            yield return new($"{Times(counters["MPCapableSYNTXDrop"])} requests with MPTCP's option got no answer and one without did: something on the way drops them; \"bondline mptcp check HOST\" finds on which network");
        if (counters["MPCapableFallbackSYNACK"] is > 0 and var refused && asked > 0)
            yield return new($"{refused} of {asked} peers answered without MPTCP: they have it not or off, or something on the way takes the option out");
        if (counters["MPJoinRejected"] is > 0 and var rejected)
            yield return new($"{Times(rejected)} this machine refused a peer's further subflow, most often because of its limit", $"ip mptcp limits set subflows {MultipathLimits.Max}");
        if (joins > 0 && joined == 0)
            yield return new($"{joins} further subflows were asked for and none was answered: the other end's limit is 0, or something on the way takes MPTCP's option out of them");
        if (agreed > 0 && joins == 0)
            yield return new("connections spoke MPTCP, but none asked for a further subflow: no endpoint was there for them, or they ended too soon");
        if (counters["MPJoinSynTxConnectErr"] + counters["MPJoinSynTxBindErr"] is > 0 and var failed)
            yield return new($"{Times(failed)} a further subflow could not start: its endpoint's address is gone, or its interface has no route", "bondline mptcp watch");
        if (counters["SubflowStale"] is > 0 and var stale)
            yield return new($"{Times(stale)} a subflow got nothing through for a while and was left out; {counters["SubflowRecover"]} worked again later. Deleting the endpoint of a dead network at once spares that wait", "bondline mptcp watch");
    }

    private static IEnumerable<Advice> OfEndpoints(MultipathFacts facts)
    {
        foreach (var endpoint in facts.Endpoints ?? [])
        {
            if (endpoint.Flags.HasFlag(MultipathEndpointFlags.Implicit)) continue;
            var owner = facts.Interfaces.FirstOrDefault(each => each.State.Addresses.Any(address => address.Address.Equals(endpoint.Address)));
            if (owner is null) yield return new($"endpoint {endpoint.Id} is for {endpoint.Address}, which no interface has", $"ip mptcp endpoint delete id {endpoint.Id}");
            else if (endpoint.InterfaceIndex == 0 && endpoint.Flags.HasFlag(MultipathEndpointFlags.Subflow))
                yield return new($"endpoint {endpoint.Id} ({endpoint.Address}) names no interface: its subflows go where the routes by destination lead, not out of {owner.Name}", $"ip mptcp endpoint delete id {endpoint.Id}; bondline mptcp enable");
            else if (endpoint.InterfaceIndex != 0 && endpoint.InterfaceIndex != owner.Index)
                yield return new($"endpoint {endpoint.Id} ({endpoint.Address}) is bound to another interface than {owner.Name}, which has the address", $"ip mptcp endpoint delete id {endpoint.Id}; bondline mptcp enable");
        }
    }

    private static string Times(long count) => count == 1 ? "once" : $"{count} times";
}

using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>What following the links gives to kernel MPTCP: a network that loses its carrier is left at once, and used again soon after it came back.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "long")]
public class FollowTests
{
    private const double MostGapMs = 300, MostHealedMs = 1500;

    private const int Rounds = 5;

    private const string UnsentBytes = "net.ipv4.tcp_notsent_lowat";

    private static readonly TimeSpan Length = TimeSpan.FromSeconds(3);

    /// <summary>Medians of five: one run in some has its lost bytes sent again behind the queues of two slow links, which the kernel alone decides.</summary>
    [Theory]
    [InlineData("bondline-mptcp", "bbr")]
    [InlineData("bondline-mptcp", "cubic")]
    [InlineData("mptcp-watch", "bbr")]
    public async Task A_lost_carrier_stops_bulk_for_no_longer_than_a_third_of_a_second(string peer, string control)
    {
        var rounds = new List<BulkFaultResult>();
        while (rounds.Count < Rounds)
        {
            await using var lab = await Comparison.StartAsync(peer, new() { CongestionControl = control });
            rounds.Add(await LoseCarrierAsync(lab, $"{peer}, {control}"));
        }
        Assert.True(MedianGap(rounds) <= MostGapMs, $"longest gaps of {string.Join(", ", rounds.Select(Gap))} ms");
        AssertHealed(rounds);
    }

    /// <summary>
    /// CUBIC fills the links' queues, and the kernel's scheduler as much again above them: the gap lies around the goal, whoever follows the links
    /// (docs/benchmarks.md). What watch sets for it shortens it.
    /// </summary>
    [Fact]
    public async Task A_plain_program_with_CUBIC_goes_on_sooner_by_what_watch_sets()
    {
        List<BulkFaultResult> with = [], without = [];
        while (without.Count < Rounds)
        {
            foreach (var rounds in (List<BulkFaultResult>[])[with, without])
            {
                await using var lab = await MultipathLab.StartAsync(new() { CongestionControl = "cubic" }, isWatched: true);
                Assert.Equal("131072", (await lab.Network.RunAsync(lab.Network.Laptop, "sysctl", ["-n", UnsentBytes])).Output.Trim());
                if (rounds == without) (await lab.Network.RunAsync(lab.Network.Laptop, "sysctl", ["-q", "-w", $"{UnsentBytes}=4294967295"])).ThrowIfFailed("sysctl");
                rounds.Add(await LoseCarrierAsync(lab, $"mptcp-watch, cubic, {(rounds == without ? "without" : "with")} its limit for unsent bytes"));
            }
        }
        Assert.True(MedianGap(with) < MedianGap(without), $"longest gaps of {string.Join(", ", with.Select(Gap))} ms with it, of {string.Join(", ", without.Select(Gap))} ms without");
        AssertHealed(with);
    }

    private static Task<BulkFaultResult> LoseCarrierAsync(ILabPeer lab, string who) =>
        Measured.OnceAsync($"{who}: eth0 loses its carrier, bulk up", () => Scenario.BulkFaultAsync(lab, Flow.Up, Fault.Carrier, "eth0", Length));

    private static double Gap(BulkFaultResult result) => result.MegabitsDuring > 0 ? result.LongestGapMs : double.PositiveInfinity;

    private static double MedianGap(IEnumerable<BulkFaultResult> rounds) => Median(rounds.Select(Gap));

    private static void AssertHealed(IEnumerable<BulkFaultResult> rounds)
    {
        var healed = rounds.Select(result => result.HealedAfterMs >= 0 ? result.HealedAfterMs : double.PositiveInfinity).ToList();
        Assert.True(Median(healed) <= MostHealedMs, $"the healed link in use after {string.Join(", ", healed)} ms");
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(Rounds / 2);
}

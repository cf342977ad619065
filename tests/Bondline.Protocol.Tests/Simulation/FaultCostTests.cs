using Bondline.Testing;
using Xunit;

namespace Bondline.Protocol.Tests.Simulation;

/// <summary>What a fault costs: at most one cap sent again, nothing for being late ourselves, and no work while nothing can be done.</summary>
public sealed class FaultCostTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_silent_path_costs_at_most_what_it_had_in_flight(int path)
    {
        var net = new SimulatedNetwork(seed: 70, Lab.Three);
        net.Open(BondRole.Agent, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(4));
        var before = net.Agent.Bond.Statistics;
        var cap = net.Agent.SubflowOf(net.Connections[path])!.CapBytes;
        net.Silence(net.Paths[path]);
        net.RunFor(TimeSpan.FromSeconds(5));
        var silent = net.Agent.Bond.Statistics;
        net.Heal(net.Paths[path]);
        net.RunFor(TimeSpan.FromSeconds(3));
        var healed = net.Agent.Bond.Statistics;
        output.WriteLine($"{silent.BytesReinjected - before.BytesReinjected} bytes sent again, the cap was {cap}; {healed.BytesReinjected - silent.BytesReinjected} once it had healed");
        Assert.InRange(silent.BytesReinjected - before.BytesReinjected, 1, cap + Frame.MaxLength); // the frame that reaches the cap may go beyond it
        Assert.InRange(healed.BytesReinjected - silent.BytesReinjected, 0, 0.01 * (healed.BytesSent - silent.BytesSent)); // start-up makes a queue, whose frames are late
    }

    [Fact]
    public void A_late_clock_blames_no_path()
    {
        var net = new SimulatedNetwork(seed: 71, Lab.Three);
        net.Open(BondRole.Agent, Lab.Bulk, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(3));
        var suspects = 0;
        net.Agent.Observed = bondEvent => suspects += bondEvent is { Kind: BondEventKind.SubflowChanged, Subflow.State: SubflowState.Suspect } ? 1 : 0;
        for (var i = 0; i < 20; i++)
        {
            net.Agent.Stop();
            net.RunFor(TimeSpan.FromMilliseconds(300));
            net.Agent.Wake();
            net.RunFor(TimeSpan.FromMilliseconds(500));
        }
        Assert.Equal(0, suspects);
    }

    [Fact]
    public void After_a_suspend_everything_goes_on()
    {
        var net = new SimulatedNetwork(seed: 72, Lab.Three);
        for (var i = 0; i < 10; i++) net.Open(BondRole.Relay, new() { Length = 3_000_000 }, new() { Length = 100_000 });
        net.RunFor(TimeSpan.FromSeconds(1));
        net.Agent.Suspend();
        net.RunFor(TimeSpan.FromSeconds(30));
        net.Agent.Wake();
        net.RunUntilIdle(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void An_end_that_is_always_late_still_leaves_a_silent_path()
    {
        var net = new SimulatedNetwork(seed: 74, Lab.Three);
        net.Open(BondRole.Agent, Lab.Bulk, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(3));
        net.Silence(net.Paths[0]);
        for (var i = 0; i < 40; i++)
        {
            net.Agent.Stop();
            net.RunFor(TimeSpan.FromMilliseconds(6));
            net.Agent.Wake();
            net.RunFor(TimeSpan.FromMilliseconds(19));
        }
        Assert.NotEqual(SubflowState.Active, net.Agent.SubflowOf(net.Connections[0])!.State);
    }

    [Fact]
    public void An_idle_bond_does_next_to_nothing()
    {
        var net = new SimulatedNetwork(seed: 73, Lab.Three);
        net.Open(BondRole.Agent, new() { Length = 1000 }, new() { Length = 1000 });
        for (var i = 0; i < 20; i++) net.Open(BondRole.Agent, new() { Length = 1000, IsEndless = true }, new() { Length = 1000, IsEndless = true });
        net.RunFor(TimeSpan.FromSeconds(60));
        var before = net.Agent.Timeouts + net.Relay.Timeouts;
        net.RunFor(TimeSpan.FromSeconds(600));
        var timeouts = net.Agent.Timeouts + net.Relay.Timeouts - before;
        output.WriteLine($"{timeouts} timeouts in ten minutes");
        Assert.InRange(timeouts, 1, 2000);
    }

    [Fact]
    public void With_every_path_silent_next_to_nothing_is_done()
    {
        var net = new SimulatedNetwork(seed: 74, Lab.Three);
        net.Open(BondRole.Agent, Lab.Bulk, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(2));
        foreach (var path in net.Paths) net.Silence(path);
        net.RunFor(TimeSpan.FromSeconds(30));
        var before = net.Agent.Timeouts + net.Relay.Timeouts;
        net.RunFor(TimeSpan.FromSeconds(60));
        Assert.InRange(net.Agent.Timeouts + net.Relay.Timeouts - before, 0, 100);
    }

    [Fact]
    public void A_flapping_path_beside_good_ones_never_stalls_anybody()
    {
        var gaps = new List<double>();
        for (ulong seed = 1; seed <= 20; seed++)
        {
            var net = new SimulatedNetwork(seed, Lab.Three);
            var run = net.Open(BondRole.Agent, Lab.Bulk);
            var records = net.Open(BondRole.Agent, new() { IsEndless = true });
            net.Repeat(records.ToPeer, 1024, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(20));
            net.RunFor(TimeSpan.FromSeconds(3));
            var (bulk, small) = (net.Measure(run.ToPeer), net.Measure(records.ToPeer));
            for (var i = 0; i < 20; i++)
            {
                net.Silence(net.Paths[0]);
                net.RunFor(TimeSpan.FromMilliseconds(300));
                net.Heal(net.Paths[0]);
                net.RunFor(TimeSpan.FromMilliseconds(300));
            }
            output.WriteLine($"seed {seed}: longest gap of bulk {bulk.LongestGap.TotalMilliseconds:0} ms, of records {small.LongestGap.TotalMilliseconds:0} ms; {bulk.Bytes * 8 / 12e6:0.0} Mbit/s");
            Assert.True(bulk.LongestGap <= TimeSpan.FromMilliseconds(400), $"seed {seed}: bulk: {bulk.LongestGap.TotalMilliseconds:0} ms");
            Assert.True(small.LongestGap <= TimeSpan.FromMilliseconds(80), $"seed {seed}: records: {small.LongestGap.TotalMilliseconds:0} ms");
            Assert.True(bulk.Bytes * 8 / 12e6 >= 45, $"seed {seed}: {bulk.Bytes * 8 / 12e6:0.0} Mbit/s");
            gaps.Add(small.LongestGap.TotalMilliseconds);
        }
        gaps.Sort();
        Assert.True(gaps[gaps.Count / 2] <= 60, $"records: {gaps[gaps.Count / 2]:0} ms at the median");
    }

    [Fact]
    public void Records_are_sent_twice_within_their_own_budget_and_metered_paths_carry_no_copies()
    {
        var paths = Lab.Three;
        paths[1].Policy = SubflowPolicy.Metered;
        paths[2].Policy = SubflowPolicy.Metered;
        var net = new SimulatedNetwork(seed: 76, paths);
        var run = net.Open(BondRole.Agent, new() { IsEndless = true });
        net.Repeat(run.ToPeer, 1024, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(10));
        net.RunFor(TimeSpan.FromSeconds(10));
        Assert.Equal(0, net.Agent.Bond.Statistics.BytesDuplicated);
        paths = Lab.Three;
        net = new SimulatedNetwork(seed: 77, paths);
        run = net.Open(BondRole.Agent, new() { IsEndless = true });
        net.Repeat(run.ToPeer, 1024, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(10));
        net.RunFor(TimeSpan.FromSeconds(10));
        Assert.InRange(net.Agent.Bond.Statistics.BytesDuplicated, 990_000, 1_030_000);
    }
}

using Bondline.Testing;
using Xunit;

namespace Bondline.Protocol.Tests.Simulation;

/// <summary>A path that goes silent costs tens of milliseconds, and carries load again soon after it heals.</summary>
public sealed class SilenceTests(ITestOutputHelper output)
{
    public static TheoryData<int, bool, bool, BondRole> Cases
    {
        get
        {
            var cases = new TheoryData<int, bool, bool, BondRole>();
            for (var path = 0; path < 3; path++)
                foreach (var sender in (ReadOnlySpan<BondRole>)[BondRole.Agent, BondRole.Relay])
                {
                    cases.Add(path, true, true, sender);
                    cases.Add(path, true, false, sender);
                    cases.Add(path, false, true, sender);
                }
            return cases;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Records_go_on(int path, bool up, bool down, BondRole sender)
    {
        for (var phase = 0; phase < 10; phase++)
        {
            var net = new SimulatedNetwork(seed: 10 + (ulong)phase, Lab.Three);
            var run = net.Open(sender, new() { IsEndless = true });
            net.Repeat(run.ToPeer, 1024, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(10));
            net.RunUntil(TimeSpan.FromMilliseconds(2000 + phase * 1.7));
            var meter = net.Measure(run.ToPeer);
            net.Silence(net.Paths[path], up, down);
            net.RunFor(TimeSpan.FromSeconds(5));
            net.Heal(net.Paths[path]);
            net.RunUntil(TimeSpan.FromSeconds(9));
            output.WriteLine($"longest gap {meter.LongestGap.TotalMilliseconds:0.0} ms at {meter.LongestGapAt.TotalMilliseconds:0.0}");
            Assert.True(meter.LongestGap <= TimeSpan.FromMilliseconds(45), $"phase {phase}: no record for {meter.LongestGap.TotalMilliseconds:0.0} ms from {meter.LongestGapAt.TotalMilliseconds:0.0} ms on\n{net.Describe()}");
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Bulk_goes_on_and_the_healed_path_carries_its_share_again(int path, bool up, bool down, BondRole sender)
    {
        double[] rates = [50, 30, 20];
        for (var phase = 0; phase < 4; phase++)
        {
            var net = new SimulatedNetwork(seed: 20 + (ulong)phase, Lab.Three);
            var run = net.Open(sender, Lab.Bulk);
            net.RunUntil(TimeSpan.FromMilliseconds(4000 + phase * 37));
            var meter = net.Measure(run.ToPeer);
            net.Silence(net.Paths[path], up, down);
            net.RunFor(TimeSpan.FromMilliseconds(500));
            var (without, least) = (0.0, double.MaxValue);
            for (var second = 0; second < 4; second++)
            {
                var rate = net.Goodput(run.ToPeer, TimeSpan.FromSeconds(1));
                (without, least) = (without + rate / 4, Math.Min(least, rate));
            }
            net.Heal(net.Paths[path]);
            net.RunFor(TimeSpan.FromSeconds(1));
            var again = net.Goodput(run.ToPeer, TimeSpan.FromSeconds(1));
            output.WriteLine($"longest gap {meter.LongestGap.TotalMilliseconds:0.0} ms at {meter.LongestGapAt.TotalMilliseconds:0.0}; without {without:0.0}, in a second at least {least:0.0}, again {again:0.0}");
            Assert.True(meter.LongestGap <= TimeSpan.FromMilliseconds(150), $"phase {phase}: nothing for {meter.LongestGap.TotalMilliseconds:0.0} ms from {meter.LongestGapAt.TotalMilliseconds:0.0} ms on");
            Assert.True(least >= (100 - rates[path]) * 0.97, $"phase {phase}: {least:0.0} Mbit/s in a second without {net.Paths[path]}\n{net.Describe()}");
            Assert.True(again >= 95, $"phase {phase}: {again:0.0} Mbit/s after a second\n{net.Describe()}");
        }
    }

    [Fact]
    public void Two_of_three_paths_silent_at_once_leave_the_third()
    {
        for (var left = 0; left < 3; left++)
        {
            var net = new SimulatedNetwork(seed: 30, Lab.Three);
            var run = net.Open(BondRole.Agent, Lab.Bulk);
            net.RunUntil(TimeSpan.FromSeconds(4));
            var meter = net.Measure(run.ToPeer);
            for (var path = 0; path < 3; path++)
                if (path != left) net.Silence(net.Paths[path]);
            net.RunFor(TimeSpan.FromSeconds(1));
            var goodput = net.Goodput(run.ToPeer, TimeSpan.FromSeconds(4));
            output.WriteLine($"{net.Paths[left]}: {goodput:0.0} Mbit/s, longest gap {meter.LongestGap.TotalMilliseconds:0.0} ms");
            Assert.True(goodput >= net.Paths[left].MegabitsPerSecond * 0.9, $"{goodput:0.0} Mbit/s over {net.Paths[left]}\n{net.Describe()}");
            Assert.True(meter.LongestGap < TimeSpan.FromMilliseconds(600), $"nothing for {meter.LongestGap.TotalMilliseconds:0} ms");
        }
    }

    [Fact]
    public void Everything_goes_on_after_all_paths_were_gone_for_a_minute()
    {
        var net = new SimulatedNetwork(seed: 31, Lab.Three);
        for (var i = 0; i < 20; i++) net.Open(i % 2 == 0 ? BondRole.Agent : BondRole.Relay, new() { Length = 2_000_000 }, new() { Length = 300_000 });
        net.RunUntil(TimeSpan.FromMilliseconds(700));
        foreach (var path in net.Paths) net.Silence(path);
        net.RunFor(TimeSpan.FromSeconds(60));
        net.Heal(net.Paths[1]);
        net.RunUntilIdle(TimeSpan.FromSeconds(30));
    }

    /// <summary>The agent sends no bytes of streams, so none that arrive tell it that the only network is well again.</summary>
    [Fact]
    public void What_an_end_that_only_receives_learned_in_bad_minutes_is_forgotten_in_good_ones()
    {
        var net = new SimulatedNetwork(seed: 34, [new("wlan0", 10, 30)]);
        net.Open(BondRole.Relay, Lab.Bulk);
        net.RunUntil(TimeSpan.FromSeconds(4));
        foreach (var seconds in (double[])[1.5, 3, 5, 9, 17, 33])
        {
            net.Silence(net.Paths[0]);
            net.RunFor(TimeSpan.FromSeconds(seconds));
            net.Heal(net.Paths[0]);
            net.RunFor(TimeSpan.FromSeconds(2));
        }

        net.RunFor(TimeSpan.FromSeconds(70));
        net.Silence(net.Paths[0]);
        net.RunFor(TimeSpan.FromSeconds(3));
        Assert.Equal(SubflowState.Dead, Assert.Single(net.Agent.Bond.Subflows).State);
    }

    [Fact]
    public void Subflows_may_all_be_replaced_while_nothing_can_be_sent()
    {
        var net = new SimulatedNetwork(seed: 32, Lab.Three);
        for (var i = 0; i < 20; i++) net.Open(i % 2 == 0 ? BondRole.Agent : BondRole.Relay, new() { Length = 1_000_000 }, new() { Length = 300_000 });
        net.RunUntil(TimeSpan.FromMilliseconds(300));
        foreach (var connection in net.Connections.ToArray()) net.Cut(connection, agentAfter: TimeSpan.FromMilliseconds(20), relayAfter: TimeSpan.FromSeconds(5));
        net.RunFor(TimeSpan.FromSeconds(20));
        net.Join(net.Paths[2], relayAfter: TimeSpan.FromMilliseconds(90), agentAfter: TimeSpan.FromMilliseconds(120));
        net.RunUntilIdle();
    }

    [Fact]
    public void A_lost_link_is_left_at_once_by_both_ends()
    {
        var net = new SimulatedNetwork(seed: 33, Lab.Three);
        var there = net.Open(BondRole.Agent, Lab.Bulk, Lab.Bulk);
        net.RunUntil(TimeSpan.FromSeconds(4));
        var (up, down) = (net.Measure(there.ToPeer), net.Measure(there.FromPeer));
        net.Silence(net.Paths[0]);
        net.Agent.LoseLink(net.Connections[0], SubflowReason.Carrier);
        net.RunFor(TimeSpan.FromSeconds(1));
        output.WriteLine($"up {up.LongestGap.TotalMilliseconds:0.0} ms, down {down.LongestGap.TotalMilliseconds:0.0} ms");
        Assert.True(up.LongestGap <= TimeSpan.FromMilliseconds(100), $"up: {up.LongestGap.TotalMilliseconds:0.0} ms");
        Assert.True(down.LongestGap <= TimeSpan.FromMilliseconds(100), $"down: {down.LongestGap.TotalMilliseconds:0.0} ms");
    }
}

using Bondline.Testing;
using Xunit;

namespace Bondline.Protocol.Tests.Simulation;

/// <summary>What policies and modes do to the bytes of each path, in both directions, and to silence.</summary>
public sealed class PolicyTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(3), Measured = TimeSpan.FromSeconds(5);

    [Theory]
    [InlineData(BondRole.Agent)]
    [InlineData(BondRole.Relay)]
    public void The_least_latency_is_that_of_one_path_until_it_fails(BondRole sender)
    {
        var net = Start(BondMode.LowestLatency, [Lab.Cellular, Lab.Ethernet, Lab.Wifi], sender, out var flow);
        Assert.Equal(["ethernet"], Carriers(net, sender));
        var meter = net.Measure(flow);
        net.Silence(net.Paths[1]);
        net.RunFor(TimeSpan.FromSeconds(1));
        output.WriteLine($"silence {meter.LongestGap.TotalMilliseconds:0.0} ms");
        Assert.True(meter.LongestGap <= TimeSpan.FromMilliseconds(150), $"{meter.LongestGap.TotalMilliseconds:0.0} ms");
        Assert.Equal(["wifi"], Carriers(net, sender));
        net.Heal(net.Paths[1]);
        net.RunFor(TimeSpan.FromSeconds(2));
        Assert.Equal(["ethernet"], Carriers(net, sender));
    }

    [Fact]
    public void The_least_latency_moves_with_the_round_trips()
    {
        var net = Start(BondMode.LowestLatency, [Lab.Ethernet, Lab.Wifi], BondRole.Agent, out _);
        net.Paths[0].RoundTrip = TimeSpan.FromMilliseconds(100);
        net.RunFor(TimeSpan.FromSeconds(25)); // the least of 10 to 20 s counts
        Assert.Equal(["wifi"], Carriers(net, BondRole.Agent));
    }

    [Fact]
    public void The_least_latency_keeps_a_copy_of_small_frames_on_the_next_path()
    {
        var net = new SimulatedNetwork(seed: 62, Lab.Three);
        net.Agent.Do((bond, now) => bond.ChangeMode(BondMode.LowestLatency, now));
        var (run, meter) = Records(net, bytes: 200);
        net.RunFor(Settled);
        var next = net.Connections[1].BytesDelivered(Direction.Up);
        Assert.True(next >= 200 * 100, $"{next} bytes on the next path");
        meter.Restart(net.Elapsed);
        net.Silence(net.Paths[0]);
        net.RunFor(TimeSpan.FromSeconds(1));
        output.WriteLine($"silence {meter.LongestGap.TotalMilliseconds:0.0} ms");
        Assert.True(meter.LongestGap <= TimeSpan.FromMilliseconds(25), $"{meter.LongestGap.TotalMilliseconds:0.0} ms");
        Assert.False(run.IsOver);
    }

    [Theory]
    [InlineData(BondRole.Agent)]
    [InlineData(BondRole.Relay)]
    public void Backup_only_uses_one_path_and_goes_back_to_it(BondRole sender)
    {
        var net = Start(BondMode.BackupOnly, [Lab.Wifi, Lab.Ethernet, Lab.Cellular], sender, out var flow);
        Assert.Equal(["wifi"], Carriers(net, sender)); // the first that joined
        var meter = net.Measure(flow);
        net.Silence(net.Paths[0]);
        net.RunFor(TimeSpan.FromSeconds(1));
        output.WriteLine($"silence {meter.LongestGap.TotalMilliseconds:0.0} ms");
        Assert.True(meter.LongestGap <= TimeSpan.FromMilliseconds(200), $"{meter.LongestGap.TotalMilliseconds:0.0} ms");
        Assert.Equal(["ethernet"], Carriers(net, sender));
        net.Heal(net.Paths[0]);
        net.RunFor(TimeSpan.FromSeconds(2));
        Assert.Equal(["wifi"], Carriers(net, sender));
    }

    [Fact]
    public void Backup_only_sends_nothing_twice()
    {
        var net = new SimulatedNetwork(seed: 64, Lab.Three);
        net.Agent.Do((bond, now) => bond.ChangeMode(BondMode.BackupOnly, now));
        Records(net, bytes: 200);
        net.RunFor(Settled);
        Assert.Equal(0, net.Agent.Bond.Statistics.BytesDuplicated);
    }

    [Theory]
    [InlineData(200)]
    [InlineData(12_500)]
    public void A_preferred_path_carries_what_it_can(int bytesEveryTenMilliseconds)
    {
        SimulatedPath[] paths = [Lab.Ethernet, Lab.Wifi, Lab.Cellular];
        paths[2].Policy = SubflowPolicy.Prefer;
        var net = new SimulatedNetwork(seed: 67, paths);
        var (_, meter) = Records(net, bytesEveryTenMilliseconds);
        net.RunFor(Settled);
        var (before, bytes) = (Delivered(net, BondRole.Agent), meter.Bytes);
        net.RunFor(Measured);
        var preferred = Delivered(net, BondRole.Agent)[2] - before[2];
        Assert.True(preferred >= 0.95 * (meter.Bytes - bytes), $"{preferred} of {meter.Bytes - bytes} bytes");
        var bulk = net.Open(BondRole.Agent, Lab.Bulk).ToPeer;
        net.RunFor(Settled);
        Assert.InRange(net.Goodput(bulk, Measured), 80, 100);
    }

    [Theory]
    [InlineData(BondMode.LowestLatency)]
    [InlineData(BondMode.BackupOnly)]
    public void The_preferred_path_is_the_one_that_is_used(BondMode mode)
    {
        SimulatedPath[] paths = [Lab.Ethernet, Lab.Wifi, Lab.Cellular];
        paths[2].Policy = SubflowPolicy.Prefer;
        var net = Start(mode, paths, BondRole.Agent, out _);
        Assert.Equal(["cellular"], Carriers(net, BondRole.Agent));
    }

    [Theory]
    [InlineData(BondRole.Agent)]
    [InlineData(BondRole.Relay)]
    public void Redundant_sends_what_fits_over_every_path_and_loses_none_of_it(BondRole sender)
    {
        var net = new SimulatedNetwork(seed: 65, Lab.Three);
        net.Agent.Do((bond, now) => bond.ChangeMode(BondMode.Redundant, now));
        var run = net.Open(sender, new() { IsEndless = true });
        var meter = net.Measure(run.ToPeer);
        net.Repeat(run.ToPeer, 12_500, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(10)); // 10 Mbit/s
        net.RunFor(Settled);
        var (before, bytes) = (Delivered(net, sender), meter.Bytes);
        net.RunFor(Measured);
        var carried = Delivered(net, sender).Zip(before, (now, then) => now - then).ToArray();
        output.WriteLine($"{meter.Bytes - bytes} bytes, carried {string.Join(", ", carried)}");
        Assert.All(carried, each => Assert.InRange(each, (meter.Bytes - bytes) * 0.95, (meter.Bytes - bytes) * 1.1));
        meter.Restart(net.Elapsed);
        net.Silence(net.Paths[0]);
        net.RunFor(TimeSpan.FromSeconds(1));
        output.WriteLine($"silence {meter.LongestGap.TotalMilliseconds:0.0} ms");
        Assert.True(meter.LongestGap <= TimeSpan.FromMilliseconds(30), $"{meter.LongestGap.TotalMilliseconds:0.0} ms"); // the records' interval, and how much longer the next way is
    }

    [Theory]
    [InlineData(BondRole.Agent)]
    [InlineData(BondRole.Relay)]
    public void Redundant_bulk_is_as_quick_as_the_fastest_path_and_hardly_pauses_without_it(BondRole sender)
    {
        var net = Start(BondMode.Redundant, Lab.Three, sender, out var flow);
        var before = Delivered(net, sender);
        var goodput = net.Goodput(flow, Measured);
        var carried = Delivered(net, sender).Zip(before, (now, then) => (now - then) * 8 / Measured.TotalSeconds / 1e6).ToArray();
        output.WriteLine($"{goodput:0.0} Mbit/s over {string.Join(", ", carried.Select(rate => $"{rate:0.0}"))}");
        Assert.InRange(goodput, 46, 60);
        Assert.True(carried[1] > 25 && carried[2] > 15, "the others carry nothing");
        var meter = net.Measure(flow);
        net.Silence(net.Paths[0]);
        net.RunFor(TimeSpan.FromSeconds(1));
        output.WriteLine($"silence {meter.LongestGap.TotalMilliseconds:0.0} ms");
        Assert.True(meter.LongestGap <= TimeSpan.FromMilliseconds(100), $"{meter.LongestGap.TotalMilliseconds:0.0} ms");
    }

    [Theory]
    [InlineData(BondRole.Agent)]
    [InlineData(BondRole.Relay)]
    public void A_metered_path_is_left_alone_while_there_is_another_and_comes_after_backups(BondRole sender)
    {
        SimulatedPath[] paths = [Lab.Wifi, Lab.Ethernet, Lab.Cellular]; // the metered one has the least round trip
        paths[1].Policy = SubflowPolicy.Metered;
        paths[2].Policy = SubflowPolicy.Backup;
        var net = Start(BondMode.Auto, paths, sender, out _);
        var before = net.Connections[1].BytesDelivered(Direction.Up) + net.Connections[1].BytesDelivered(Direction.Down);
        net.RunFor(TimeSpan.FromSeconds(60));
        var metered = net.Connections[1].BytesDelivered(Direction.Up) + net.Connections[1].BytesDelivered(Direction.Down) - before;
        output.WriteLine($"{metered} bytes in a minute");
        Assert.InRange(metered, 1, 1000);
        net.Silence(net.Paths[0]);
        net.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(["cellular"], Carriers(net, sender));
        net.Silence(net.Paths[2]);
        net.RunFor(TimeSpan.FromSeconds(3));
        Assert.Equal(["ethernet"], Carriers(net, sender));
    }

    [Theory]
    [InlineData(BondRole.Agent)]
    [InlineData(BondRole.Relay)]
    public void A_changed_policy_holds_at_once_in_both_directions(BondRole sender)
    {
        var net = Start(BondMode.Auto, Lab.Three, sender, out var flow);
        Assert.Equal(["cellular", "ethernet", "wifi"], Carriers(net, sender));
        var meter = net.Measure(flow);
        Change(SubflowPolicy.Backup, 0, 2);
        Assert.Equal(["wifi"], Carriers(net, sender));
        Change(SubflowPolicy.Normal, 0);
        Assert.Equal(["ethernet", "wifi"], Carriers(net, sender));
        output.WriteLine($"silence {meter.LongestGap.TotalMilliseconds:0.0} ms");
        Assert.True(meter.LongestGap <= TimeSpan.FromMilliseconds(100), $"{meter.LongestGap.TotalMilliseconds:0.0} ms");

        void Change(SubflowPolicy policy, params int[] paths)
        {
            foreach (var path in paths) net.Agent.Do((bond, now) => bond.ChangePolicy(net.Agent.SubflowOf(net.Connections[path])!, policy, now));
            net.RunFor(TimeSpan.FromSeconds(1));
        }
    }

    [Theory]
    [InlineData(BondRole.Agent)]
    [InlineData(BondRole.Relay)]
    public void A_changed_mode_holds_at_once_in_both_directions(BondRole sender)
    {
        var net = Start(BondMode.Redundant, Lab.Three, sender, out var flow);
        var meter = net.Measure(flow);
        Change(BondMode.BackupOnly);
        Assert.Equal(["ethernet"], Carriers(net, sender));
        Change(BondMode.Auto);
        net.RunFor(Settled);
        Assert.InRange(net.Goodput(flow, Measured), 95, 100);
        output.WriteLine($"silence {meter.LongestGap.TotalMilliseconds:0.0} ms");
        Assert.True(meter.LongestGap <= TimeSpan.FromMilliseconds(100), $"{meter.LongestGap.TotalMilliseconds:0.0} ms");

        void Change(BondMode mode)
        {
            net.Agent.Do((bond, now) => bond.ChangeMode(mode, now));
            net.RunFor(TimeSpan.FromSeconds(1));
            Assert.Equal(mode, net.Relay.Bond.Mode);
        }
    }

    [Fact]
    public void A_mode_chosen_without_a_subflow_is_told_on_the_first()
    {
        var net = new SimulatedNetwork(seed: 69, [Lab.Ethernet]);
        net.Cut(net.Connections[0]);
        net.Agent.Do((bond, now) => bond.ChangeMode(BondMode.BackupOnly, now));
        net.Join(net.Paths[0]);
        net.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(BondMode.BackupOnly, net.Relay.Bond.Mode);
    }

    /// <summary>Bulk in one direction for three seconds.</summary>
    private static SimulatedNetwork Start(BondMode mode, SimulatedPath[] paths, BondRole sender, out Flow flow)
    {
        var net = new SimulatedNetwork(seed: 61, paths);
        net.Agent.Do((bond, now) => bond.ChangeMode(mode, now));
        flow = net.Open(sender, Lab.Bulk).ToPeer;
        net.RunFor(Settled);
        return net;
    }

    /// <summary>Records every 10 ms for ten seconds.</summary>
    private static (StreamRun Run, Meter Meter) Records(SimulatedNetwork net, int bytes)
    {
        var run = net.Open(BondRole.Agent, new() { IsEndless = true });
        net.Repeat(run.ToPeer, bytes, TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(10));
        return (run, net.Measure(run.ToPeer));
    }

    /// <summary>The paths that carry more than a hundredth of what all do, in the next second.</summary>
    private static string[] Carriers(SimulatedNetwork net, BondRole sender)
    {
        var before = Delivered(net, sender);
        net.RunFor(TimeSpan.FromSeconds(1));
        var carried = Delivered(net, sender).Zip(before, (now, then) => now - then).ToArray();
        return [.. net.Connections.Where((_, i) => carried[i] > carried.Sum() / 100).Select(connection => connection.Path.Name).Order()];
    }

    private static long[] Delivered(SimulatedNetwork net, BondRole sender) =>
        [.. net.Connections.Select(connection => connection.BytesDelivered(sender == BondRole.Agent ? Direction.Up : Direction.Down))];
}

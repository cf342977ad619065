using Bondline.Testing;
using Xunit;

namespace Bondline.Protocol.Tests.Simulation;

/// <summary>Windows bound what a slow reader costs, grow with the path's need, and never stop anybody else.</summary>
public sealed class FlowControlTests(ITestOutputHelper output)
{
    [Fact]
    public void A_reader_that_never_reads_holds_one_window_and_harms_nobody()
    {
        var net = new SimulatedNetwork(seed: 50, Lab.Three);
        var never = new List<StreamRun>();
        for (var i = 0; i < 50; i++) never.Add(net.Open(BondRole.Agent, Lab.Bulk with { ReadAfter = TimeSpan.FromHours(1) }));
        var quick = net.Open(BondRole.Agent, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(3));
        var goodput = net.Goodput(quick.ToPeer, TimeSpan.FromSeconds(5));
        output.WriteLine($"{goodput:0.0} Mbit/s");
        Assert.True(net.Relay.Bond.BufferedReceiveBytes - 4_000_000 <= 50 * net.Relay.Bond.Options.InitialStreamWindowBytes, $"{net.Relay.Bond.BufferedReceiveBytes} bytes are held");
        Assert.InRange(goodput, 95, 100);
    }

    [Fact]
    public void Readers_that_never_read_are_reset_when_they_hold_most_of_the_budget()
    {
        var options = BondOptions.Default with { MemoryBudgetBytes = 4 << 20 };
        var net = new SimulatedNetwork(seed: 51, Lab.Three, options);
        var never = new List<StreamRun>();
        for (var i = 0; i < 100; i++) never.Add(net.Open(BondRole.Agent, new() { Length = 1 << 20, ReadAfter = TimeSpan.FromHours(1), MayBeDropped = true }));
        net.RunFor(TimeSpan.FromSeconds(20));
        Assert.True(net.Relay.Bond.BufferedReceiveBytes > options.MemoryBudgetBytes * 3 / 4);
        var late = net.Open(BondRole.Agent, new() { Length = 5 << 20 });
        net.RunFor(TimeSpan.FromSeconds(20));
        Assert.True(late.ToPeer.IsFinished, $"the late stream is stuck: {late}");
        Assert.Contains(never, run => run.ToPeer.WasDropped);
    }

    /// <summary>A quarter of the budget is never free while they hold the rest, and none of them ever stops reading.</summary>
    [Fact]
    public void Readers_that_read_next_to_nothing_do_not_stop_the_others()
    {
        var options = BondOptions.Default with { MemoryBudgetBytes = 4 << 20 };
        var net = new SimulatedNetwork(seed: 57, Lab.Three, options);
        var drips = new List<StreamRun>();
        for (var i = 0; i < 100; i++) drips.Add(net.Open(BondRole.Agent, new() { Length = 1 << 20, ReadBytes = 1, ReadInterval = TimeSpan.FromSeconds(20), MayBeDropped = true }));
        net.RunFor(TimeSpan.FromSeconds(20));
        var late = net.Open(BondRole.Agent, new() { Length = 5 << 20 });
        net.RunFor(TimeSpan.FromSeconds(60));
        Assert.True(late.ToPeer.IsFinished, $"the late stream is stuck: {late}");
        Assert.Contains(drips, run => run.ToPeer.WasDropped);
    }

    /// <summary>It never comes to a quarter of the budget, and the slow ones have half a minute yet.</summary>
    [Fact]
    public void What_slow_readers_leave_of_the_window_is_used_again_and_again()
    {
        var options = BondOptions.Default with { MemoryBudgetBytes = 4 << 20 };
        var net = new SimulatedNetwork(seed: 58, Lab.Three, options);
        var never = new List<StreamRun>();
        for (var i = 0; i < 60; i++) never.Add(net.Open(BondRole.Agent, new() { Length = 1 << 20, ReadAfter = TimeSpan.FromHours(1), MayBeDropped = true }));
        net.RunFor(TimeSpan.FromSeconds(5));
        Assert.InRange(net.Relay.Bond.BufferedReceiveBytes, options.MemoryBudgetBytes * 7 / 8, options.MemoryBudgetBytes - 1);
        var late = net.Open(BondRole.Agent, new() { Length = 5 << 20 });
        net.RunFor(TimeSpan.FromSeconds(15));
        Assert.True(late.ToPeer.IsFinished, $"the late stream is stuck: {late}");
        Assert.DoesNotContain(never, run => run.ToPeer.WasDropped);
    }

    [Theory]
    [InlineData(true, 40, 1)]
    [InlineData(false, 40, 1)]
    [InlineData(false, 10, 8)]
    public void A_machine_that_slept_and_a_process_that_was_stopped_do_not_blame_their_readers(bool isSuspend, double seconds, int times)
    {
        var net = WithUnreadBytes(TimeSpan.FromSeconds(seconds * times + 20), mayBeDropped: false);
        for (var i = 0; i < times; i++)
        {
            if (isSuspend) net.Relay.Suspend();
            else net.Relay.Stop();
            net.RunFor(TimeSpan.FromSeconds(seconds));
            net.Relay.Wake();
            net.RunFor(TimeSpan.FromSeconds(0.5));
        }
        net.RunUntilIdle(TimeSpan.FromSeconds(60));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(20)]
    public void A_process_that_is_always_late_does_not_wait_for_its_readers_for_ever(double seconds)
    {
        var net = WithUnreadBytes(TimeSpan.FromDays(1), mayBeDropped: true);
        for (var i = 0; i < 31; i++)
        {
            net.Relay.Stop();
            net.RunFor(TimeSpan.FromSeconds(seconds));
            net.Relay.Wake();
            net.RunFor(TimeSpan.FromMilliseconds(10));
        }
        Assert.Contains(net.Streams, run => run.ToPeer.WasDropped);
    }

    [Fact]
    public void A_window_grows_to_what_the_path_needs()
    {
        var net = new SimulatedNetwork(seed: 52, [new("long", 100, 200)]);
        var run = net.Open(BondRole.Agent, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(5));
        var goodput = net.Goodput(run.ToPeer, TimeSpan.FromSeconds(5));
        Assert.InRange(goodput, 97, 100);
        Assert.InRange((long)run.ToPeer.Receiver!.Window, 2_500_000, net.Relay.Bond.Options.MemoryBudgetBytes / 4);
    }

    [Fact]
    public void A_slow_reader_gets_its_own_rate_and_keeps_a_small_window()
    {
        var net = new SimulatedNetwork(seed: 53, Lab.Three);
        var run = net.Open(BondRole.Agent, Lab.Bulk with { ReadBytes = 10_000, ReadInterval = TimeSpan.FromMilliseconds(100) });
        net.RunFor(TimeSpan.FromSeconds(20));
        Assert.InRange(run.ToPeer.BytesRead, 1_990_000, 2_010_000);
        Assert.InRange(net.Relay.Bond.BufferedReceiveBytes, 0, 512 * 1024);
    }

    [Fact]
    public void Five_hundred_streams_at_once_share_and_end()
    {
        var net = new SimulatedNetwork(seed: 54, Lab.Three);
        for (var i = 0; i < 500; i++) net.Open(i % 2 == 0 ? BondRole.Agent : BondRole.Relay, new() { Length = 100_000 }, new() { Length = 20_000 });
        net.RunUntilIdle(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public void Streams_beyond_the_peers_limit_wait_for_others_to_close()
    {
        var net = new SimulatedNetwork(seed: 55, Lab.Three, BondOptions.Default with { MaxStreams = 10 });
        for (var i = 0; i < 600; i++) net.Open(BondRole.Agent, new() { Length = 1000 }, new() { Length = 1000 });
        net.RunUntilIdle(TimeSpan.FromSeconds(60));
    }

    [Fact]
    public void A_bond_whose_budget_is_tiny_still_moves()
    {
        var net = new SimulatedNetwork(seed: 56, Lab.Three, BondOptions.Default with { MemoryBudgetBytes = 256 * 1024, MaxStreamSendBufferBytes = 16 * 1024 });
        for (var i = 0; i < 20; i++) net.Open(BondRole.Agent, new() { Length = 300_000 }, new() { Length = 300_000 });
        net.RunUntilIdle(TimeSpan.FromSeconds(60));
    }

    [Fact]
    public void Half_close_lets_the_other_direction_go_on()
    {
        var net = new SimulatedNetwork(seed: 57, Lab.Three);
        var run = net.Open(BondRole.Relay, new() { Length = 10 }, new() { Length = 100_000, PieceBytes = 1000, Interval = TimeSpan.FromMilliseconds(20) });
        net.RunFor(TimeSpan.FromMilliseconds(500));
        Assert.True(run.ToPeer.IsFinished);
        Assert.False(run.FromPeer.IsFinished);
        net.RunUntilIdle();
        Assert.True(run.FromPeer.IsFinished);
    }

    /// <summary>A hundred streams whose bytes fill over three quarters of the relay's memory before it ran for five seconds.</summary>
    private static SimulatedNetwork WithUnreadBytes(TimeSpan readAfter, bool mayBeDropped)
    {
        var net = new SimulatedNetwork(seed: 56, Lab.Three, BondOptions.Default with { MemoryBudgetBytes = 4 << 20 });
        for (var i = 0; i < 100; i++) net.Open(BondRole.Agent, new() { Length = 1 << 18, ReadAfter = readAfter, MayBeDropped = mayBeDropped });
        net.RunFor(TimeSpan.FromSeconds(5));
        Assert.True(net.Relay.Bond.BufferedReceiveBytes > (4 << 20) * 3 / 4);
        return net;
    }
}

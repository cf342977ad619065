using Bondline.Protocol.Tests.Simulation;
using Bondline.Testing;
using Xunit;

namespace Bondline.Protocol.Tests.Subflows;

/// <summary>What a subflow finds out about its path.</summary>
public sealed class EstimatorTests
{
    [Fact]
    public void Rate_and_loop_are_the_paths()
    {
        var net = new SimulatedNetwork(seed: 60, [new("path", 40, 50)]);
        net.Open(BondRole.Agent, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(20));
        var subflow = net.Agent.Bond.Subflows[0];
        Assert.InRange(subflow.RateBytesPerSecond * 8 / 1e6, 38, 44);
        Assert.InRange(subflow.Loop.Base.TotalMilliseconds, 48, 64); // 50, the ack delay, and frames of 3 ms each
        Assert.InRange(subflow.MinRtt.TotalMilliseconds, 50, 60);
    }

    [Fact]
    public void A_handshake_that_took_long_is_not_the_loop_for_long()
    {
        var net = new SimulatedNetwork(seed: 65, [new("path", 4000, 140)]);
        net.RunFor(TimeSpan.FromSeconds(1));
        Assert.InRange(net.Relay.Bond.Subflows[0].Loop.Base.TotalMilliseconds, 140, 150);
        net.Paths[0].RoundTrip = TimeSpan.FromMilliseconds(0.3);
        net.Open(BondRole.Relay, new() { Length = 20_000, IsEndless = true });
        net.RunFor(TimeSpan.FromSeconds(3));
        Assert.InRange(net.Relay.Bond.Subflows[0].Loop.Base.TotalMilliseconds, 0.3, 6); // a PONG and the ack delay: no bulk has measured it
    }

    [Fact]
    public void A_path_that_becomes_longer_keeps_its_rate()
    {
        var net = new SimulatedNetwork(seed: 61, [new("path", 40, 20)]);
        var run = net.Open(BondRole.Agent, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(5));
        net.Paths[0].RoundTrip = TimeSpan.FromMilliseconds(150);
        net.RunFor(TimeSpan.FromSeconds(4));
        Assert.InRange(net.Goodput(run.ToPeer, TimeSpan.FromSeconds(5)), 37, 40.5);
    }

    [Theory]
    [InlineData(0, 30, 60, 1, true)]
    [InlineData(0, 30, 60, 1, false)]
    [InlineData(0, 6, 60, 1.5, false)] // too short for the least round trip to be forgotten
    [InlineData(0, 6, 300, 5, false)]
    [InlineData(20_000_000, 30, 60, 1, true)]
    [InlineData(20_000_000, 30, 60, 1, false)]
    public void A_path_that_became_longer_while_it_was_idle_or_silent_is_soon_full(int usedBytes, double seconds, double milliseconds, double fullAfter, bool isSilent)
    {
        var net = new SimulatedNetwork(seed: 66, [new("path", 40, 10)]);
        var run = net.Open(BondRole.Agent, new() { Length = 100 + usedBytes, IsEndless = true });
        net.RunFor(TimeSpan.FromSeconds(10));
        ChangeUnseen(net, TimeSpan.FromMilliseconds(milliseconds), TimeSpan.FromSeconds(seconds), isSilent);
        run.ToPeer.Write(100_000_000);
        net.RunFor(TimeSpan.FromSeconds(fullAfter));
        Assert.InRange(net.Goodput(run.ToPeer, TimeSpan.FromSeconds(1)), 0.9 * 40, 41);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void One_path_of_three_that_became_longer_unseen_soon_carries_its_share(bool isSilent)
    {
        var net = new SimulatedNetwork(seed: 67, Lab.Three);
        var run = net.Open(BondRole.Agent, new() { Length = 20_000_000, IsEndless = true });
        net.RunFor(TimeSpan.FromSeconds(10));
        ChangeUnseen(net, TimeSpan.FromMilliseconds(80), TimeSpan.FromSeconds(30), isSilent);
        run.ToPeer.Write(100_000_000);
        net.RunFor(TimeSpan.FromSeconds(1));
        Assert.InRange(net.Goodput(run.ToPeer, TimeSpan.FromSeconds(1)), 95, 103);
    }

    [Theory]
    [InlineData(75_000_000, 17, true)] // long enough for the loop to be measured, and too short for the next PING of an idle path
    [InlineData(0, 60, false)]
    public void Round_trip_and_loop_of_an_earlier_path_are_forgotten(int usedBytes, double seconds, bool isSilent)
    {
        var net = new SimulatedNetwork(seed: 68, [new("path", 40, 10)]);
        net.Open(BondRole.Agent, new() { Length = usedBytes, IsEndless = true });
        net.RunFor(TimeSpan.FromSeconds(30));
        ChangeUnseen(net, TimeSpan.FromMilliseconds(60), TimeSpan.FromSeconds(seconds), isSilent);
        net.RunFor(TimeSpan.FromSeconds(1));
        var subflow = net.Agent.Bond.Subflows[0];
        Assert.InRange(subflow.MinRtt.TotalMilliseconds, 60, 62);
        Assert.InRange(subflow.Loop.Base.TotalMilliseconds, 60, 66);
    }

    [Fact]
    public void One_late_ack_after_an_idle_time_makes_no_standing_queue()
    {
        var net = new SimulatedNetwork(seed: 69, [new("path", 40, 40)]);
        var run = net.Open(BondRole.Agent, new() { Length = 20_000_000, IsEndless = true });
        net.RunFor(TimeSpan.FromSeconds(30));
        net.Paths[0].RoundTrip = TimeSpan.FromMilliseconds(200); // a radio wakes up
        run.ToPeer.Write(100);
        net.RunFor(TimeSpan.FromMilliseconds(500));
        net.Paths[0].RoundTrip = TimeSpan.FromMilliseconds(40);
        run.ToPeer.Write(100_000_000);
        net.RunFor(TimeSpan.FromSeconds(2));
        Assert.InRange(net.Agent.Bond.Subflows[0].Loop.Base.TotalMilliseconds, 40, 60);
    }

    [Fact]
    public void A_path_that_becomes_faster_is_used_within_seconds()
    {
        var net = new SimulatedNetwork(seed: 62, [new("path", 5, 40)]);
        var run = net.Open(BondRole.Agent, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(5));
        net.Paths[0].MegabitsPerSecond = 50;
        net.RunFor(TimeSpan.FromSeconds(3));
        Assert.InRange(net.Goodput(run.ToPeer, TimeSpan.FromSeconds(5)), 47, 50.5);
    }

    [Fact]
    public void A_path_that_becomes_slower_does_not_build_a_queue()
    {
        var net = new SimulatedNetwork(seed: 63, [new("path", 50, 40)]);
        net.Open(BondRole.Agent, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(5));
        net.Paths[0].MegabitsPerSecond = 10;
        net.RunFor(TimeSpan.FromSeconds(10));
        Assert.InRange(net.Agent.Bond.Subflows[0].SmoothedRtt.TotalMilliseconds, 40, 100);
    }

    [Fact]
    public void A_path_that_was_idle_keeps_what_it_knew()
    {
        var net = new SimulatedNetwork(seed: 64, Lab.Three);
        var run = net.Open(BondRole.Agent, new() { Length = 20_000_000, IsEndless = true });
        net.RunFor(TimeSpan.FromSeconds(10));
        for (var i = 0; i < 500; i++)
        {
            net.RunFor(TimeSpan.FromMilliseconds(20));
            run.ToPeer.Write(100);
        }
        var before = run.ToPeer.BytesRead;
        run.ToPeer.Write(10_000_000);
        net.RunFor(TimeSpan.FromSeconds(0.9));
        Assert.True(run.ToPeer.BytesRead - before >= 9_000_000, $"{run.ToPeer.BytesRead - before} bytes in 0.9 s");
    }

    /// <summary>The first path gets another round trip while nothing is sent, or while nothing passes it.</summary>
    private static void ChangeUnseen(SimulatedNetwork net, TimeSpan roundTrip, TimeSpan time, bool isSilent)
    {
        if (isSilent) net.Silence(net.Paths[0]);
        net.Paths[0].RoundTrip = roundTrip;
        net.RunFor(time);
        if (isSilent) net.Heal(net.Paths[0]);
    }
}

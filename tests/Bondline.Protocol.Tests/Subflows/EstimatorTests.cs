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
}

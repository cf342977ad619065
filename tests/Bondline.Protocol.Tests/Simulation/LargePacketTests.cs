using Bondline.Testing;
using Xunit;

namespace Bondline.Protocol.Tests.Simulation;

/// <summary>A network on which large packets vanish, one way or the other: it joins, answers small frames, and must not get bulk.</summary>
public sealed class LargePacketTests
{
    [Theory]
    [InlineData(Direction.Up)]
    [InlineData(Direction.Down)]
    public void A_subflow_whose_first_large_frame_vanishes_is_not_trusted_with_bytes_and_says_why(Direction swallowing)
    {
        var net = new SimulatedNetwork(seed: 71, [Lab.Wifi]);
        var run = net.Open(BondRole.Agent, Lab.Bulk, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(2));
        var (up, down) = (net.Measure(run.ToPeer), net.Measure(run.FromPeer));
        var path = new SimulatedPath("hole", 50, 10) { LargestWrite = direction => direction == swallowing ? 1_000 : int.MaxValue };
        var reasons = new Dictionary<BondRole, List<SubflowReason>> { [BondRole.Agent] = [], [BondRole.Relay] = [] };
        var joined = net.Join(path);
        foreach (var end in new[] { net.Agent, net.Relay })
        {
            end.Observed = seen =>
            {
                if (seen is { Kind: BondEventKind.SubflowChanged, Subflow: { State: not SubflowState.Active } changed } && changed.Id == joined.Id) reasons[end.Bond.Role].Add(changed.Reason);
            };
        }

        net.RunFor(TimeSpan.FromMilliseconds(300));
        Assert.Equal(SubflowReason.Mtu, reasons[BondRole.Agent][0]); // it is the agent who can dial another
        net.RunFor(TimeSpan.FromSeconds(2));
        Assert.All(reasons.Values.SelectMany(each => each), reason => Assert.Equal(SubflowReason.Mtu, reason));
        Assert.True(joined.BytesDelivered(Direction.Up) + joined.BytesDelivered(Direction.Down) < 20_000, net.Describe());
        Assert.True(up.LongestGap < TimeSpan.FromMilliseconds(60) && down.LongestGap < TimeSpan.FromMilliseconds(60), $"{up.LongestGap.TotalMilliseconds:0} and {down.LongestGap.TotalMilliseconds:0} ms");
    }

    [Fact]
    public void One_that_passes_large_frames_carries_bulk_after_a_round_trip()
    {
        var net = new SimulatedNetwork(seed: 72, [Lab.Wifi]);
        net.Open(BondRole.Agent, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(2));
        var joined = net.Join(Lab.Ethernet);
        net.RunFor(TimeSpan.FromMilliseconds(8));
        Assert.True(joined.BytesDelivered(Direction.Up) < 2_000, $"{joined.BytesDelivered(Direction.Up)} bytes before it was proven");
        net.RunFor(TimeSpan.FromMilliseconds(300));
        Assert.True(joined.BytesDelivered(Direction.Up) > 500_000, $"{joined.BytesDelivered(Direction.Up)} bytes");
    }

    [Fact]
    public void Alone_it_is_dead_for_that_reason_after_a_second()
    {
        var net = new SimulatedNetwork(seed: 73, [new SimulatedPath("hole", 50, 10) { LargestWrite = _ => 1_000 }]);
        net.Open(BondRole.Agent, new() { Length = 100_000 });
        net.RunFor(TimeSpan.FromSeconds(1.2));
        Assert.True(net.Agent.SubflowOf(net.Connections[0]) is { State: SubflowState.Dead, Reason: SubflowReason.Mtu }, net.Describe());
        net.Join(Lab.Cellular);
        net.RunUntilIdle();
    }

    [Fact]
    public void An_agent_that_hears_no_answer_on_a_subflow_whose_bytes_arrive_says_so_and_goes_on_with_it()
    {
        var net = new SimulatedNetwork(seed: 74, [Lab.Ethernet, Lab.Wifi]);
        var run = net.Open(BondRole.Agent, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(2));
        var unheard = net.Connections[0];
        var changes = new List<SubflowReason>();
        net.Agent.Observed = seen =>
        {
            if (seen is { Kind: BondEventKind.SubflowChanged, Subflow: { State: SubflowState.Active } changed } && changed.Id == unheard.Id) changes.Add(changed.Reason);
        };
        net.Silence(net.Paths[0], up: false);
        net.RunFor(TimeSpan.FromSeconds(1.5));
        Assert.Equal([SubflowReason.Unheard], changes);
        Assert.True(net.Goodput(run.ToPeer, TimeSpan.FromSeconds(1)) > 60);
        net.Heal(net.Paths[0]);
        net.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal([SubflowReason.Unheard, SubflowReason.None], changes);
    }
}

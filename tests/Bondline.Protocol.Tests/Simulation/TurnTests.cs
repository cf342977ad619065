using Bondline.Testing;
using Xunit;

namespace Bondline.Protocol.Tests.Simulation;

/// <summary>An end that has only received begins to send, and knows its path by a slow handshake only.</summary>
public sealed class TurnTests(ITestOutputHelper output)
{
    [Fact]
    public void The_other_direction_is_as_fast_afterwards()
    {
        const double megabits = 4000;
        var net = new SimulatedNetwork(seed: 90, [new("path", megabits, 100)]);
        net.RunFor(TimeSpan.FromSeconds(1));
        net.Paths[0].RoundTrip = TimeSpan.FromMilliseconds(0.3);
        net.Open(BondRole.Agent, new() { Length = 500_000_000 });
        net.RunUntilIdle(TimeSpan.FromSeconds(60));
        var run = net.Open(BondRole.Relay, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(1));
        var goodput = net.Goodput(run.ToPeer, TimeSpan.FromSeconds(1));
        output.WriteLine($"{goodput:0.0} Mbit/s\n{net.Describe()}");
        Assert.True(goodput >= 0.9 * megabits, $"{goodput:0.0} Mbit/s");
    }
}

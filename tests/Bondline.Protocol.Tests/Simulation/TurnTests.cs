using Bondline.Testing;
using Xunit;

namespace Bondline.Protocol.Tests.Simulation;

/// <summary>An end that has only received begins to send, and knows its path by a slow handshake only.</summary>
public sealed class TurnTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(20, 20)]
    [InlineData(100, 0.3)] // the work of a handshake made the first guess too long
    public void Writes_grow_before_start_up_ends(double guessedMilliseconds, double milliseconds)
    {
        var net = new SimulatedNetwork(seed: 91, [new("path", 4000, guessedMilliseconds) { SocketBufferBytes = 4 << 20 }]);
        net.RunFor(TimeSpan.FromSeconds(1));
        net.Paths[0].RoundTrip = TimeSpan.FromMilliseconds(milliseconds);
        net.RunFor(TimeSpan.FromSeconds(1));
        var (first, longest) = (0, 0);
        net.Agent.Wrote = (subflow, length) =>
        {
            if (!subflow.IsStartup || length < 1000) return;
            if (first == 0) first = length;
            longest = Math.Max(longest, length);
        };
        net.Open(BondRole.Agent, Lab.Bulk);
        net.RunFor(TimeSpan.FromMilliseconds(200));
        output.WriteLine($"from {first} to {longest} bytes");
        Assert.True(first <= Frame.MaxLength, $"the first write of an unknown path has {first} bytes");
        Assert.True(longest > 4 * Frame.MaxLength, $"the longest write in start-up has {longest} bytes");
    }

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

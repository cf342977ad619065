using Bondline.Testing;
using Xunit;

namespace Bondline.Protocol.Tests.Simulation;

/// <summary>One transfer gets the sum of the paths, at little cost.</summary>
public sealed class AggregationTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(BondRole.Agent)]
    [InlineData(BondRole.Relay)]
    public void One_stream_gets_the_sum_of_three_paths(BondRole sender)
    {
        var net = new SimulatedNetwork(seed: 1, Lab.Three);
        var run = net.Open(sender, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(3));
        var before = EndOf(net, sender).Bond.Statistics;
        var goodput = net.Goodput(run.ToPeer, TimeSpan.FromSeconds(10));
        var after = EndOf(net, sender).Bond.Statistics;
        output.WriteLine($"{goodput:0.0} Mbit/s, reinjected {after.BytesReinjected - before.BytesReinjected}, framing {after.FramingBytesSent - before.FramingBytesSent} of {after.BytesSent - before.BytesSent}\n{net.Describe()}");
        Assert.InRange(goodput, 97, 100);
        Assert.True((after.BytesReinjected - before.BytesReinjected) <= 0.05 * (after.BytesSent - before.BytesSent), "reinjection is over 5 %");
        Assert.True((after.FramingBytesSent - before.FramingBytesSent) <= 0.005 * (after.BytesSent - before.BytesSent), "framing is over 0.5 %");
    }

    [Fact]
    public void Both_directions_at_once_get_the_sum()
    {
        var net = new SimulatedNetwork(seed: 2, Lab.Three);
        var run = net.Open(BondRole.Agent, Lab.Bulk, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(3));
        var back = run.FromPeer.BytesRead;
        var there = net.Goodput(run.ToPeer, TimeSpan.FromSeconds(10));
        output.WriteLine($"{there:0.0} and {(run.FromPeer.BytesRead - back) * 8 / 10e6:0.0} Mbit/s\n{net.Describe()}");
        Assert.InRange(there, 90, 100);
        Assert.InRange((run.FromPeer.BytesRead - back) * 8 / 10e6, 90, 100);
    }

    [Theory]
    [InlineData(50, 10)]
    [InlineData(20, 60)]
    [InlineData(1, 200)]
    [InlineData(300, 5)]
    [InlineData(100, 300)]
    public void One_path_alone_is_used_whole(double megabits, double roundTrip)
    {
        var net = new SimulatedNetwork(seed: 3, [new("alone", megabits, roundTrip) { PieceBytes = 1448 * 3 }]);
        var run = net.Open(BondRole.Agent, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(5));
        var goodput = net.Goodput(run.ToPeer, TimeSpan.FromSeconds(10));
        output.WriteLine($"{goodput:0.00} Mbit/s\n{net.Describe()}");
        Assert.InRange(goodput, megabits * 0.98, megabits);
    }

    [Fact]
    public void One_path_alone_is_used_whole_while_its_sender_pauses()
    {
        var net = new SimulatedNetwork(seed: 4, [new("alone", 50, 10) { PieceBytes = 1448 * 3 }]);
        var run = net.Open(BondRole.Agent, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(5));
        var before = run.ToPeer.BytesRead;
        for (var i = 0; i < 25; i++)
        {
            net.Agent.Stop();
            net.RunFor(TimeSpan.FromMilliseconds(20));
            net.Agent.Wake();
            net.RunFor(TimeSpan.FromMilliseconds(380));
        }
        var goodput = (run.ToPeer.BytesRead - before) * 8 / 10e6;
        output.WriteLine($"{goodput:0.00} Mbit/s\n{net.Describe()}");
        Assert.InRange(goodput, 49, 50);
    }

    [Theory]
    [InlineData(20, 5, 20, 600)]
    [InlineData(50, 5, 5, 600)]
    [InlineData(5, 5, 50, 600)]
    [InlineData(10, 5, 1, 600)]
    public void A_second_path_never_makes_it_slower(double megabits1, double roundTrip1, double megabits2, double roundTrip2)
    {
        var net = new SimulatedNetwork(seed: 4, [new("near", megabits1, roundTrip1), new("far", megabits2, roundTrip2)]);
        var run = net.Open(BondRole.Agent, Lab.Bulk);
        net.RunFor(TimeSpan.FromSeconds(5));
        var goodput = net.Goodput(run.ToPeer, TimeSpan.FromSeconds(10));
        output.WriteLine($"{goodput:0.0} Mbit/s\n{net.Describe()}");
        Assert.True(goodput >= 0.95 * (megabits1 + megabits2), $"{goodput:0.0} Mbit/s"); // more, when bytes that waited for the far path come in order within the time
    }

    [Theory]
    [InlineData(20, 5, 20, 600)]
    [InlineData(50, 10, 20, 60)]
    [InlineData(10, 5, 1, 600)]
    [InlineData(1, 600, 10, 5)]
    public void A_short_transfer_is_no_later_than_over_the_better_path_alone(double megabits1, double roundTrip1, double megabits2, double roundTrip2)
    {
        SimulatedPath[] paths = [new("one", megabits1, roundTrip1), new("two", megabits2, roundTrip2)];
        foreach (var length in (ReadOnlySpan<long>)[1000, 30_000, 300_000, 3_000_000])
        {
            var alone = Math.Min(Transfer([paths[0]], length), Transfer([paths[1]], length));
            var both = Transfer(paths, length);
            output.WriteLine($"{length}: {both:0.0} ms, alone {alone:0.0} ms");
            Assert.True(both <= alone * 1.1 + 5, $"{length} bytes took {both:0.0} ms; the better path alone {alone:0.0} ms");
        }
    }

    private static double Transfer(SimulatedPath[] paths, long length)
    {
        var net = new SimulatedNetwork(seed: 5, paths);
        var run = net.Open(BondRole.Agent, new() { Length = length });
        var meter = net.Measure(run.ToPeer);
        net.RunUntilIdle();
        return meter.Arrivals[^1].At.TotalMilliseconds;
    }

    private static SimulatedEnd EndOf(SimulatedNetwork net, BondRole role) => role == BondRole.Agent ? net.Agent : net.Relay;
}

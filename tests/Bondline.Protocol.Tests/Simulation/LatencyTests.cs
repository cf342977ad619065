using Bondline.Testing;
using Xunit;

namespace Bondline.Protocol.Tests.Simulation;

/// <summary>Interactive bytes do not wait behind bulk.</summary>
public sealed class LatencyTests(ITestOutputHelper output)
{
    [Fact]
    public void Ping_pong_beside_bulk_stays_quick()
    {
        var net = new SimulatedNetwork(seed: 40, Lab.Three);
        net.Open(BondRole.Agent, Lab.Bulk);
        var times = PingPong(net, TimeSpan.FromSeconds(3), samples: 1000);
        output.WriteLine($"median {times[500]:0.0}, p90 {times[900]:0.0}, p99 {times[990]:0.0}, most {times[^1]:0.0} ms\n{net.Describe()}");
        Assert.True(times[990] <= 30, $"p99 is {times[990]:0.0} ms");
    }

    [Fact]
    public void Ping_pong_beside_bulk_both_ways_stays_quick()
    {
        var net = new SimulatedNetwork(seed: 41, Lab.Three);
        net.Open(BondRole.Agent, Lab.Bulk, Lab.Bulk);
        var times = PingPong(net, TimeSpan.FromSeconds(3), samples: 1000);
        output.WriteLine($"median {times[500]:0.0}, p90 {times[900]:0.0}, p99 {times[990]:0.0}, most {times[^1]:0.0} ms\n{net.Describe()}");
        Assert.True(times[990] <= 100, $"p99 is {times[990]:0.0} ms");
    }

    /// <summary>Round trips of 64 bytes every 20 ms, in milliseconds, sorted.</summary>
    private static double[] PingPong(SimulatedNetwork net, TimeSpan warmUp, int samples)
    {
        var run = net.Open(BondRole.Agent, new() { IsEndless = true }, new() { IsEndless = true });
        run.ToPeer.Delivered = (_, length) => run.FromPeer.Write(length);
        net.RunFor(warmUp);
        var sent = new Queue<Instant>();
        var times = new List<double>();
        long received = 0;
        run.FromPeer.Delivered = (now, length) =>
        {
            for (received += length; received >= 64; received -= 64) times.Add((now - sent.Dequeue()).TotalMilliseconds);
        };
        for (var i = 0; i < samples; i++)
        {
            net.After(TimeSpan.FromMilliseconds(20 * i), () =>
            {
                sent.Enqueue(net.Now);
                run.ToPeer.Write(64);
            });
        }
        net.RunFor(TimeSpan.FromMilliseconds(20 * samples) + TimeSpan.FromSeconds(1));
        Assert.Equal(samples, times.Count);
        return [.. times.Order()];
    }
}

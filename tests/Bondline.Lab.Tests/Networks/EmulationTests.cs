using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Xunit;

namespace Bondline.Lab.Tests;

/// <summary>What the numbers of every other measurement rest on.</summary>
public class EmulationTests
{
    [Fact]
    public async Task Pings_take_the_set_round_trip()
    {
        await using var lab = await LabNetwork.StartAsync(new());
        using var ticker = new ControlTicker();
        foreach (var (link, roundTrip) in lab.Links.Zip([10.0, 30.0, 60.0]))
        {
            using var probe = new Probe(lab, link);
            probe.Pings(5); // everything is compiled
            double[] times;
            var tries = 0;
            do
            {
                ticker.Restart();
                times = probe.Pings(100);
                Array.Sort(times);
            }
            while (times[98] > roundTrip + 1 && ticker.MostLate > TimeSpan.FromMilliseconds(1) && ++tries < 5); // the host was busy: that proves nothing
            // Under traffic links wake on a grid of 0.5 ms: a packet may leave that much early.
            Assert.True(times[0] >= roundTrip - 0.5, $"{link}: {times[0]} ms is faster than the link");
            Assert.True(times[98] <= roundTrip + 1, $"{link}: p99 is {times[98]:0.00} ms, set {roundTrip} ms; median {times[50]:0.00} ms; the host was up to {ticker.MostLate.TotalMilliseconds} ms late");
        }
    }

    [Fact]
    public async Task Plain_TCP_gets_95_percent_of_a_link_both_ways()
    {
        await using var lab = await LabNetwork.StartAsync(new() { Links = [LinkOptions.Symmetric("eth0", 50, 10)] });
        foreach (var (from, to) in new[] { (TrafficRole.SendBulk, TrafficRole.ReceiveBulk), (TrafficRole.ReceiveBulk, TrafficRole.SendBulk) })
            await BestOfTwo(47.5 * 1448 / 1500, async () =>
            {
                const long Bytes = 25_000_000;
                await using var relay = await lab.StartTrafficAsync(lab.Relay, new(to) { Listen = new(LabNetwork.Address, 0), Bytes = Bytes });
                await using var laptop = await lab.StartTrafficAsync(lab.Laptop, new(from) { Connect = new(LabNetwork.Address, relay.Port), Bytes = Bytes });
                var (sender, receiver) = from == TrafficRole.SendBulk ? (laptop, relay) : (relay, laptop);
                var received = await receiver.WaitForAsync("finished", TimeSpan.FromSeconds(30));
                var sent = await sender.WaitForAsync("finished", TimeSpan.FromSeconds(30));
                Assert.Equal(sent.Sha256, received.Sha256);
                Assert.Equal(Bytes, received.Bytes);
                var bulk = (await receiver.ReportAsync()).Bulk!;
                return bulk.MegabitsBetween(bulk.Start + 1_000_000, bulk.Start + bulk.Microseconds);
            });
    }

    [Fact]
    public async Task One_link_carries_300_megabits()
    {
        await using var lab = await LabNetwork.StartAsync(new() { Links = [LinkOptions.Symmetric("eth0", 300, 10)] });
        await BestOfTwo(285 * 0.965, () => MeasureWithIperfAsync(lab, [], "-t", "4", "-O", "1"));
    }

    [Fact]
    public async Task Kernel_multipath_TCP_adds_three_links_up()
    {
        await using var lab = await LabNetwork.StartAsync(new() { UseMultipathTcp = true });
        await BestOfTwo(90, () => MeasureWithIperfAsync(lab, ["mptcpize", "run"], "-t", "8", "-O", "2"));
    }

    [Fact]
    public async Task The_rate_can_be_changed_while_running()
    {
        await using var lab = await LabNetwork.StartAsync(new() { Links = [LinkOptions.Symmetric("eth0", 100, 10)] });
        await lab["eth0"].SetAsync(LinkDirection.Up, settings => settings with { RateBitsPerSecond = 8_000_000 });
        var rate = await MeasureWithIperfAsync(lab, [], "-t", "3", "-O", "1");
        Assert.InRange(rate, 7, 8);
    }

    [Fact]
    public async Task The_set_share_of_packets_is_lost_and_the_same_ones_with_the_same_seed()
    {
        Assert.Equal(await LoseAsync(1), await LoseAsync(1));
        Assert.NotEqual(await LoseAsync(1), await LoseAsync(2));

        static async Task<string> LoseAsync(ulong seed)
        {
            await using var lab = await LabNetwork.StartAsync(new()
            {
                Seed = seed,
                Links = [new("eth0") { Up = new() { Loss = 0.2 } }],
            });
            var arrived = await SendDatagramsAsync(lab, 1000);
            var counters = await lab["eth0"].CountersAsync();
            Assert.Equal(1000 - arrived.Count, counters.Up.DroppedLoss);
            Assert.InRange(arrived.Count, 750, 850);
            return string.Join(' ', arrived);
        }
    }

    [Fact]
    public async Task Jitter_delays_and_keeps_the_order()
    {
        var jitter = new LinkSettings { RateBitsPerSecond = 1_000_000, QueueLimit = TimeSpan.FromSeconds(10), Jitter = TimeSpan.FromMilliseconds(50), JitterPeriod = TimeSpan.FromMilliseconds(1) };
        await using var lab = await LabNetwork.StartAsync(new() { Links = [new("eth0") { Up = jitter }] });
        var arrived = await SendDatagramsAsync(lab, 500);
        Assert.Equal(Enumerable.Range(0, 500), arrived);
        using var probe = new Probe(lab, lab["eth0"]);
        var times = probe.Pings(100);
        Array.Sort(times);
        Assert.True(times[94] - times[0] > 25, $"between {times[0]:0.0} and {times[94]:0.0} ms");
        Assert.True(times[94] < 53, $"{times[94]:0.0} ms"); // a busy host may hold a few back
    }

    [Fact]
    public async Task A_full_queue_drops_and_delays_by_no_more_than_its_limit()
    {
        var slow = new LinkSettings { RateBitsPerSecond = 1_000_000, QueueLimit = TimeSpan.FromMilliseconds(50) };
        await using var lab = await LabNetwork.StartAsync(new() { Links = [new("eth0") { Up = slow }] });
        var arrived = await SendDatagramsAsync(lab, 1000, 972); // 1000 bytes with headers: 8 ms each, 7 fit
        var counters = await lab["eth0"].CountersAsync();
        Assert.Equal(1000, arrived.Count + counters.Up.DroppedQueue);
        Assert.True(counters.Up.DroppedQueue > 900, $"{counters.Up.DroppedQueue} dropped");
        Assert.Equal(arrived.Count * 1000, counters.Up.Bytes);
    }

    // Numbered datagrams from the laptop to the relay, as fast as the socket takes them; those that arrived.
    private static async Task<List<int>> SendDatagramsAsync(LabNetwork lab, int count, int length = 32)
    {
        using var receiver = lab.Relay.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 4 << 20 });
        receiver.Bind(new IPEndPoint(LabNetwork.Address, 9));
        using var sender = lab.Laptop.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        var arrived = new List<int>();
        var link = lab["eth0"];
        var buffer = new byte[2000];
        for (var i = 0; i < count; i++)
        {
            BitConverter.TryWriteBytes(buffer, i);
            sender.SendTo(buffer.AsSpan(0, length), new IPEndPoint(LabNetwork.Address, 9));
        }
        // Every packet is accounted for in the end, and what was delivered waits in the socket.
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            var up = (await link.CountersAsync()).Up;
            while (arrived.Count < up.Packets)
            {
                await receiver.ReceiveAsync(buffer.AsMemory(), late.Token);
                arrived.Add(BitConverter.ToInt32(buffer));
            }
            if (up.Packets + up.Dropped == count) return arrived;
            late.Token.ThrowIfCancellationRequested();
        }
    }

    private static async Task<double> MeasureWithIperfAsync(LabNetwork lab, string[] prefix, params string[] options)
    {
        string[] server = [.. prefix, "iperf3", "-s", "-1", "--forceflush"];
        string[] client = [.. prefix, "iperf3", "-c", LabNetwork.Address.ToString(), "-J", .. options];
        await using var serving = lab.Start(lab.Relay, server[0], server[1..]);
        await serving.WaitForLineAsync("listening", TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        var result = (await lab.RunAsync(lab.Laptop, client[0], client[1..], TestContext.Current.CancellationToken)).ThrowIfFailed("iperf3");
        using var report = JsonDocument.Parse(result.Output);
        return report.RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bits_per_second").GetDouble() / 1e6;
    }

    // A busy machine can spoil a rate, not improve it.
    private static async Task BestOfTwo(double atLeast, Func<Task<double>> measure)
    {
        var first = await measure();
        var best = first >= atLeast ? first : Math.Max(first, await measure());
        TestContext.Current.SendDiagnosticMessage($"{best:0.0} Mbit/s, at least {atLeast:0.0}");
        Assert.True(best >= atLeast, $"{best:0.0} Mbit/s; it must be at least {atLeast:0.0}");
    }
}

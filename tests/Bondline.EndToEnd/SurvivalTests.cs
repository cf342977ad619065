using System.Diagnostics;
using System.Net;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>Every byte, once, in order, whatever happens: all links gone, programs killed, links that lose, jitter and flap.</summary>
[Collection(typeof(OneAtATime))]
public class SurvivalTests
{
    private const long MostGrowthBytes = 32 << 20;

    private static readonly IPEndPoint AnyLocal = new(IPAddress.Loopback, 0);

    // The agent tries a service that listens already; one that counts its bytes comes after the agent, at a port known before.
    private static readonly IPEndPoint Later = new(IPAddress.Loopback, 9100);
    private static readonly bool IsLong = Environment.GetEnvironmentVariable("BONDLINE_TEST") == "long";

    /// <summary>What <see cref="LinksFor"/> knows.</summary>
    public static TheoryData<string> BadLinks => ["loss", "jitter", "mtu", "flaps", "skew"];

    [Fact]
    public async Task A_killed_agent_gets_its_port_back_at_once()
    {
        await using var lab = await BondedLab.StartAsync();
        await using var echo = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.Echo) { Listen = AnyLocal });
        await lab.OpenAsync(echo.Port);
        var port = lab.Visit(echo.Port);
        await lab.Agent.SignalAsync("KILL");
        await lab.Agent.DisposeAsync();
        var watch = Stopwatch.StartNew();
        await lab.RestartAgentAsync();
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(2), $"{watch.Elapsed}");
        Assert.Equal(port, lab.Visit(echo.Port));
        Assert.True(await AnswersAsync(lab, port));
    }

    [Fact]
    public async Task A_restarted_relay_has_the_tunnel_back_within_two_seconds()
    {
        await using var lab = await BondedLab.StartAsync();
        await using var echo = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.Echo) { Listen = AnyLocal });
        await lab.OpenAsync(echo.Port);
        var port = lab.Visit(echo.Port);
        await lab.Relay.SignalAsync("KILL");
        await lab.Relay.DisposeAsync();
        await lab.StartRelayAsync(); // returns when it listens
        var watch = Stopwatch.StartNew();
        while (!await AnswersAsync(lab, port)) Assert.True(watch.Elapsed < TimeSpan.FromSeconds(2), $"{watch.Elapsed}");
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(2), $"{watch.Elapsed}");
    }

    [Theory, MemberData(nameof(BadLinks))]
    public Task Bytes_are_whole_on_bad_links(string what) => AssertWholeAsync(what, Flow.Up);

    [Theory, MemberData(nameof(BadLinks))]
    [Trait("Mode", "long")]
    public Task Bytes_are_whole_on_bad_links_downward_too(string what) => AssertWholeAsync(what, Flow.Down);

    [Theory, MemberData(nameof(BadLinks))]
    public Task Bad_links_are_hardly_slower_together_than_the_best_alone(string what) => AssertHardlySlowerAsync(what, Flow.Up);

    [Theory, MemberData(nameof(BadLinks))]
    [Trait("Mode", "long")]
    public Task Bad_links_are_hardly_slower_together_than_the_best_alone_downward_too(string what) => AssertHardlySlowerAsync(what, Flow.Down);

    /// <summary>Three minutes of bulk, one transfer after another, and of pings, while every two seconds something happens to a link.</summary>
    /// <remarks><c>BONDLINE_SOAK_SEED</c> repeats a run's faults, though not its timing.</remarks>
    [Fact]
    [Trait("Mode", "long")]
    public async Task Minutes_of_faults_lose_no_byte_and_keep_no_memory()
    {
        const long bytes = 32 << 20;
        TimeSpan length = TimeSpan.FromMinutes(3), settling = TimeSpan.FromSeconds(30);
        var seed = int.TryParse(Environment.GetEnvironmentVariable("BONDLINE_SOAK_SEED"), out var chosen) ? chosen : Environment.TickCount;
        Measured.Record("soak", $"seed {seed}");
        await using var lab = await BondedLab.StartAsync();
        await using var echo = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.Echo) { Listen = AnyLocal });
        await lab.OpenAsync(echo.Port, Later.Port);
        await using var ping = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.Ping) { Connect = lab.Visit(echo.Port) });
        using var stop = new CancellationTokenSource();
        var faults = Scenario.TroubleAsync(lab.Network, new(seed), stop.Token);
        var watch = Stopwatch.StartNew();
        var transfers = 0;
        (long Agent, long Relay) settled = default, last = default;
        for (; watch.Elapsed < length; transfers++)
        {
            await AssertTransferAsync(lab, transfers % 2 == 0 ? Flow.Up : Flow.Down, bytes);
            last = (lab.Agent.ResidentBytes, lab.Relay.ResidentBytes);
            if (watch.Elapsed < settling) settled = (Math.Max(settled.Agent, last.Agent), Math.Max(settled.Relay, last.Relay));
        }
        await stop.CancelAsync();
        var happened = await faults;
        var pings = (await ping.ReportAsync(atLeast: (long)(watch.Elapsed.TotalSeconds * 50))).Ping!;
        Measured.Record("soak", $"{transfers} transfers of {bytes >> 20} MiB, {happened} faults, pings p99 {pings.RoundTrip.P99 / 1000} ms, most {pings.RoundTrip.Most / 1000} ms; " +
            $"agent {settled.Agent >> 20} MB after {settling.TotalSeconds} s, {last.Agent >> 20} MB at the end, relay {settled.Relay >> 20} and {last.Relay >> 20} MB");
        Assert.True(pings.RoundTrip.Most < 1_000_000, $"a ping took {pings.RoundTrip.Most / 1000} ms");
        Assert.InRange(last.Agent, 1, settled.Agent + MostGrowthBytes);
        Assert.InRange(last.Relay, 1, settled.Relay + MostGrowthBytes);
    }

    private static async Task AssertTransferAsync(BondedLab lab, Flow flow, long bytes)
    {
        var (onLaptop, atRelay) = flow == Flow.Up ? (TrafficRole.SendBulk, TrafficRole.ReceiveBulk) : (TrafficRole.ReceiveBulk, TrafficRole.SendBulk);
        await using var service = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(onLaptop) { Listen = Later, Bytes = bytes });
        await using var visitor = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(atRelay) { Connect = lab.Visit(Later.Port), Bytes = bytes });
        var (sender, receiver) = flow == Flow.Up ? (service, visitor) : (visitor, service);
        await AssertSameAsync(sender, receiver, TimeSpan.FromSeconds(60));
        var report = (await receiver.ReportAsync()).Bulk!;
        Assert.True(report.LongestGap.Length < 1_000_000, $"stalled for {report.LongestGap.Length / 1000} ms");
    }

    private static async Task AssertWholeAsync(string what, Flow flow)
    {
        const long bytes = 24 << 20;
        await using var lab = await BondedLab.StartAsync(new() { Links = LinksFor(what) });
        await lab.OpenAsync(Later.Port);
        using var stop = new CancellationTokenSource();
        var flapping = what == "flaps" ? lab.Network["wlan0"].FlapAsync(TimeSpan.FromMilliseconds(300), stop.Token) : Task.CompletedTask;
        await AssertTransferAsync(lab, flow, bytes);
        await stop.CancelAsync();
        await flapping;
    }

    private static async Task AssertHardlySlowerAsync(string what, Flow flow)
    {
        var duration = TimeSpan.FromSeconds(6);
        await using var lab = await BondedLab.StartAsync(new() { Links = LinksFor(what) });
        var plain = await Scenario.PlainAsync(lab.Network, flow, TimeSpan.FromSeconds(3), duration, lab.Network.Links.Select(link => link.Name));
        using var stop = new CancellationTokenSource();
        var flapping = what == "flaps" ? lab.Network["wlan0"].FlapAsync(TimeSpan.FromMilliseconds(300), stop.Token) : Task.CompletedTask;
        var best = await Measured.BestOfTwoAsync($"{what} {flow}, plain {string.Join(" + ", plain.Select(rate => $"{rate:0.0}"))}", () => Scenario.BulkAsync(lab, flow, TimeSpan.FromSeconds(3), duration), IsEnough);
        await stop.CancelAsync();
        await flapping;
        Assert.True(IsEnough(best), $"{best}; the best alone has {plain.Max():0.0}");

        bool IsEnough(RateResult result) => result.MegabitsPerSecond >= 0.9 * plain.Max() && result.LongestGapMs <= 1000;
    }

    private static IReadOnlyList<LinkOptions> LinksFor(string what) => what switch
    {
        "loss" => [.. LabOptions.StandardLinks.Select(link => link with { Up = link.Up with { Loss = 0.01 }, Down = link.Down with { Loss = 0.01 } })],
        "jitter" => [.. LabOptions.StandardLinks.Select(link => link.Name == "wlan0" ? link with { Up = link.Up with { Jitter = TimeSpan.FromMilliseconds(50) }, Down = link.Down with { Jitter = TimeSpan.FromMilliseconds(50) } } : link)],
        "mtu" => [.. LabOptions.StandardLinks.Select(link => link.Name == "eth0" ? link with { Mtu = 1280 } : link)],
        "skew" => [LinkOptions.Symmetric("eth0", 50, 5), LinkOptions.Symmetric("wlan0", 30, 600)],
        _ => LabOptions.StandardLinks,
    };

    /// <summary>Waits until both have finished: what came is what was sent.</summary>
    internal static async Task AssertSameAsync(LabTraffic sender, LabTraffic receiver, TimeSpan limit)
    {
        var received = await receiver.WaitForAsync("finished", limit);
        var sent = await sender.WaitForAsync("finished", limit);
        Assert.Equal(sent.Bytes, received.Bytes);
        Assert.Equal(sent.Sha256, received.Sha256);
    }

    private static async Task<bool> AnswersAsync(BondedLab lab, IPEndPoint address)
    {
        try
        {
            await using var hold = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.Hold) { Connect = address, Connections = 1 });
            return (await hold.ReportAsync()).Hold!.Alive == 1;
        }
        catch (LabException)
        {
            return false; // refused: the port is not there yet
        }
    }
}

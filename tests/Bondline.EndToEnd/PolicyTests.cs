using System.Globalization;
using System.Net;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>What policies and modes do to the bytes of each link and to the silence when the link in use fails; what a budget does to a metered one.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "normal")]
public class PolicyTests
{
    private static readonly IPEndPoint Service = new(IPAddress.Loopback, 9100);

    /// <summary>The mode, <c>--paths</c>, the length of a record, the links that carry records (or copies of them), the first of which then fails, and the longest silence in milliseconds.</summary>
    public static TheoryData<string, string, int, string, double> Cases => new()
    {
        { "auto", "eth0,wlan0:prefer,usb0", 5000, "wlan0", 200 },
        { "redundant", "eth0,wlan0,usb0", 5000, "eth0 wlan0 usb0", 60 },
        { "lowest-latency", "eth0,wlan0,usb0", 1024, "eth0 wlan0", 45 },
        { "backup-only", "eth0,wlan0:prefer,usb0", 1024, "wlan0", 200 },
    };

    [Theory, MemberData(nameof(Cases))]
    public Task Links_carry_what_the_mode_gives_them(string mode, string paths, int recordBytes, string carriers, double mostSilenceMs) =>
        AssertCarriersAsync(Flow.Up, mode, paths, recordBytes, carriers.Split(' '), mostSilenceMs);

    [Theory, MemberData(nameof(Cases))]
    [Trait("Mode", "long")]
    public Task Links_carry_what_the_mode_gives_them_downward_too(string mode, string paths, int recordBytes, string carriers, double mostSilenceMs) =>
        AssertCarriersAsync(Flow.Down, mode, paths, recordBytes, carriers.Split(' '), mostSilenceMs);

    [Theory]
    [Trait("Mode", "long")]
    [InlineData("redundant", 45, 25, 15)]
    [InlineData("lowest-latency", 45, 0, 0)]
    [InlineData("backup-only", 45, 0, 0)]
    public async Task Bulk_is_as_quick_as_the_best_link_that_is_used(string mode, double eth0, double wlan0, double usb0)
    {
        await using var lab = await BondedLab.StartAsync(mode: mode);
        double[] least = [eth0, wlan0, usb0];
        var result = await Measured.BestOfTwoAsync($"bulk in mode {mode}", () => Scenario.BulkAsync(lab, Flow.Up, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(5)), Holds);
        Assert.True(Holds(result), $"{result}");

        bool Holds(RateResult rate) => rate.MegabitsPerSecond >= 45 && rate.LinkMegabits.Zip(least).All(link => link.Second > 0 ? link.First >= link.Second : link.First <= 1);
    }

    [Fact]
    public async Task A_budget_that_is_used_up_ends_the_use_of_its_link_over_a_restart_too()
    {
        const long budget = 3_000_000, second = 20_000_000 / 8;
        await using var lab = await BondedLab.StartAsync(new() { Links = [LinkOptions.Symmetric("eth0", 40, 10), LinkOptions.Symmetric("usb0", 20, 40)] }, "eth0,usb0:metered=3MB/day");
        await lab.OpenAsync(Service.Port);
        await using (var sender = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.SendBulk) { Listen = Service }))
        await using (var receiver = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.ReceiveBulk) { Connect = lab.Visit(Service.Port) }))
        {
            await lab.Network["eth0"].SilenceAsync();
            await WaitUntilHeldBackAsync();
            await receiver.ReportAsync();
            await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(0.5)); // for what was under way
            var used = await UsedAsync();
            Assert.InRange(used, budget * 9 / 10, budget + second); // counted four times a second, headers estimated
            await lab.Network["eth0"].HealAsync();
            var after = (await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(2))).Bulk!;
            Assert.True(after.Bytes > 1_000_000, $"{after.Bytes} bytes over eth0 in two seconds after it healed"); // the stream goes on
            Assert.Equal(used, await UsedAsync());
            await lab.Agent.SignalAsync("KILL");
        }
        await lab.Agent.DisposeAsync();
        var before = await UsedAsync();
        await lab.RestartAgentAsync();
        if (!lab.AgentEvents.Any(IsHeldBack)) await WaitUntilHeldBackAsync();
        Assert.Equal(before, await UsedAsync()); // it was not even dialled

        Task WaitUntilHeldBackAsync() => lab.WaitForAgentAsync(IsHeldBack, "usb0 is left alone");

        async Task<long> UsedAsync() => await lab.Network["usb0"].CountersAsync() is var counters ? counters.Up.Bytes + counters.Down.Bytes : 0;

        static bool IsHeldBack(string line) => line.Contains("\"path\":\"usb0\",\"state\":\"left-out\",\"reason\":\"budget\"", StringComparison.Ordinal);
    }

    private static async Task AssertCarriersAsync(Flow flow, string mode, string paths, int recordBytes, string[] carriers, double mostSilenceMs)
    {
        var result = await Measured.UndisturbedAsync($"{mode} {flow} with {paths}", () => MeasureAsync(flow, mode, paths, recordBytes, carriers[0]), Holds);
        Assert.True(Holds(result), $"{result}");

        // The others have PINGs and acks.
        bool Holds(ModeResult measured) =>
            measured.SilenceMs <= mostSilenceMs && measured.Shares.All(share => carriers.Contains(share.Key) ? share.Value is > 0.9 and < 1.5 : share.Value < 0.1);
    }

    /// <summary>Records every 10 ms; a second with every link, another after one of them went silent.</summary>
    private static async Task<ModeResult> MeasureAsync(Flow flow, string mode, string paths, int recordBytes, string failing)
    {
        await using var lab = await BondedLab.StartAsync(paths: paths, mode: mode);
        await lab.OpenAsync(Service.Port);
        var (onLaptop, atRelay) = flow == Flow.Up ? (TrafficRole.SendRecords, TrafficRole.ReceiveRecords) : (TrafficRole.ReceiveRecords, TrafficRole.SendRecords);
        await using var service = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(onLaptop) { Listen = Service, SizeBytes = recordBytes });
        await using var visitor = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(atRelay) { Connect = lab.Visit(Service.Port), SizeBytes = recordBytes });
        var receiver = flow == Flow.Up ? visitor : service;
        await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(1));
        var before = await lab.Network.CountersAsync();
        var records = (await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(1))).Records!;
        var after = await lab.Network.CountersAsync();
        await lab.Network[failing].SilenceAsync();
        var silence = (await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(1))).Records!.LongestSilence;
        var shares = lab.Network.Links.Zip(before.Zip(after, (b, a) => flow == Flow.Up ? a.Up.Bytes - b.Up.Bytes : a.Down.Bytes - b.Down.Bytes))
            .ToDictionary(link => link.First.Name, link => (double)link.Second / (records.Records * recordBytes));
        return new(silence.Length / 1000.0, shares);
    }

    /// <param name="SilenceMs">The longest, after the link failed.</param>
    /// <param name="Shares">Bytes of each link before that, as a share of the records' bytes.</param>
    private sealed record ModeResult(double SilenceMs, IReadOnlyDictionary<string, double> Shares)
    {
        public override string ToString() =>
            string.Create(CultureInfo.InvariantCulture, $"silence {SilenceMs:0.0} ms, {string.Join(", ", Shares.Select(share => $"{share.Key} {share.Value.ToString("0 %", CultureInfo.InvariantCulture)}"))} of the bytes");
    }
}

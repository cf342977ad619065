using System.Net;
using Xunit;

namespace Bondline.Lab.Tests;

public class TrafficTests
{
    [Fact]
    public async Task Records_show_the_delay_of_the_link_and_its_silence()
    {
        await using var lab = await LabNetwork.StartAsync(new() { Links = [LinkOptions.Symmetric("eth0", 50, 20)] });
        await using var receiver = await lab.StartTrafficAsync(lab.Relay, new(TrafficRole.ReceiveRecords) { Listen = new(LabNetwork.Address, 0) });
        await using var sender = await lab.StartTrafficAsync(lab.Laptop, new(TrafficRole.SendRecords) { Connect = new(LabNetwork.Address, receiver.Port) });
        var first = (await receiver.ReportAsync(atLeast: 50)).Records!;
        Assert.InRange(first.Latency.Median, 9_900, 12_000);
        Assert.True(first.LongestSilence.Length >= 9_000, $"{first}");

        await lab["eth0"].SilenceAsync();
        await receiver.ReportAsync(); // however long the order took
        var silent = (await receiver.ReportAsync(lasting: TimeSpan.FromMilliseconds(300))).Records!;
        Assert.True(silent.LongestSilence.Length >= 290_000, $"{silent}");
        await lab["eth0"].HealAsync();
        var healed = (await receiver.ReportAsync(atLeast: 30)).Records!;
        Assert.InRange(healed.Normal, 9_900, 12_000);
        Assert.True(healed.MostBeyondNormal > 250_000, $"{healed}");
        Assert.True(healed.LongestSilence.Length > silent.LongestSilence.Length, $"{healed}");
    }

    [Fact]
    public async Task Pings_show_the_round_trip()
    {
        await using var lab = await LabNetwork.StartAsync(new() { Links = [LinkOptions.Symmetric("eth0", 50, 20)] });
        await using var echo = await lab.StartTrafficAsync(lab.Relay, new(TrafficRole.Echo) { Listen = new(LabNetwork.Address, 0) });
        await using var pinger = await lab.StartTrafficAsync(lab.Laptop, new(TrafficRole.Ping) { Connect = new(LabNetwork.Address, echo.Port), Every = TimeSpan.FromMilliseconds(5) });
        var ping = (await pinger.ReportAsync(atLeast: 100)).Ping!;
        Assert.True(ping.RoundTrip.Count >= 100);
        Assert.InRange(ping.RoundTrip.Median, 19_900, 23_000);
    }

    [Fact]
    public async Task Idle_connections_are_alive_until_they_are_reset()
    {
        await using var lab = await LabNetwork.StartAsync(new() { Links = [LinkOptions.Symmetric("eth0", 50, 2)] });
        await using var echo = await lab.StartTrafficAsync(lab.Relay, new(TrafficRole.Echo) { Listen = new(LabNetwork.Address, 0) });
        await using var holder = await lab.StartTrafficAsync(lab.Laptop, new(TrafficRole.Hold) { Connect = new(LabNetwork.Address, echo.Port), Connections = 20 });
        Assert.Equal(new HoldReport(20, 20), (await holder.ReportAsync()).Hold);
        Assert.Equal(20, await lab["eth0"].ResetAsync());
        Assert.Equal(new HoldReport(0, 20), (await holder.ReportAsync()).Hold);
    }

    [Fact]
    public async Task Who_cannot_connect_says_so()
    {
        await using var lab = await LabNetwork.StartAsync(new() { Links = [new("eth0")] });
        var error = await Assert.ThrowsAsync<LabException>(() => lab.StartTrafficAsync(lab.Laptop, new(TrafficRole.SendBulk) { Connect = new(LabNetwork.Address, 1) }));
        Assert.Contains("refused", error.Message);
        Assert.Contains("10.77.100.1:1", error.Message);
    }

    [Fact]
    public void Options_that_make_no_sense_are_all_reported()
    {
        var options = new TrafficOptions(TrafficRole.Echo) { Connect = new(IPAddress.Loopback, 1), SizeBytes = 1, Every = TimeSpan.Zero, Bytes = -1, Connections = 0 };
        Assert.Equal(5, options.Problems().Count);
    }

    [Fact]
    public void A_timeline_gives_the_rate_of_any_part()
    {
        var report = new BulkReport(3_000, 3_000, Start: 1_000_000, Microseconds: 30_000, default, [1_000, 0, 2_000]);
        Assert.Equal(0.8, report.MegabitsPerSecond, 6);
        Assert.Equal(0.8, report.MegabitsBetween(1_000_000, 1_010_000), 6);
        Assert.Equal(0.8, report.MegabitsBetween(1_010_000, 1_030_000), 6);
        Assert.Equal(0, report.MegabitsBetween(2_000_000, 3_000_000));
    }

    [Fact]
    public void A_distribution_has_the_samples_at_its_shares()
    {
        var distribution = Distribution.Of([.. Enumerable.Range(1, 1000).Select(i => (long)i)]);
        Assert.Equal(new(1000, 1, 501, 901, 991, 1000, 1000, 500.5), distribution);
        Assert.Equal(default, Distribution.Of([]));
    }
}

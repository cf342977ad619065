using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>The busiest link fails while bytes flow: nothing breaks and hardly anything is noticed.</summary>
[Collection(typeof(OneAtATime))]
public class FaultTests
{
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(5);

    [Theory]
    [InlineData(Fault.SilentBoth, 45, 45)]
    [InlineData(Fault.SilentUp, 45, 45)]
    [InlineData(Fault.SilentDown, 45, 45)]
    [InlineData(Fault.Carrier, 30, 45)]
    [InlineData(Fault.Address, 30, 45)]
    [InlineData(Fault.Reset, 30, 45)]
    public async Task Records_hardly_pause(Fault fault, double mostSilenceUpMs, double mostSilenceDownMs)
    {
        await using var lab = await BondedLab.StartAsync();
        var result = await Measured.UndisturbedAsync($"records both ways, {fault}", async () => new BothWays(await Scenario.RecordsBothWaysAsync(lab, fault, "eth0", Length)), Holds);
        Assert.True(Holds(result), $"{result}");

        bool Holds(BothWays records) => Hardly(records.Up, mostSilenceUpMs) && Hardly(records.Down, mostSilenceDownMs);

        static bool Hardly(RecordResult records, double mostSilenceMs) => records.LongestSilenceMs <= mostSilenceMs && records.MostBeyondNormalMs <= 60;
    }

    [Theory]
    [InlineData(Flow.Up, Fault.SilentBoth, 150)]
    [InlineData(Flow.Up, Fault.SilentUp, 150)]
    [InlineData(Flow.Up, Fault.SilentDown, 150)]
    [InlineData(Flow.Down, Fault.SilentBoth, 150)]
    [InlineData(Flow.Down, Fault.SilentUp, 150)]
    [InlineData(Flow.Down, Fault.SilentDown, 150)]
    [InlineData(Flow.Up, Fault.Carrier, 100)]
    [InlineData(Flow.Up, Fault.Address, 100)]
    [InlineData(Flow.Up, Fault.Reset, 100)]
    [InlineData(Flow.Down, Fault.Carrier, 100)]
    [InlineData(Flow.Down, Fault.Address, 100)]
    [InlineData(Flow.Down, Fault.Reset, 100)]
    public async Task Bulk_goes_on_with_what_is_left_and_takes_the_link_back(Flow flow, Fault fault, double mostGapMs)
    {
        await using var lab = await BondedLab.StartAsync();
        var result = await Measured.UndisturbedAsync($"bulk {flow}, {fault}", () => Scenario.BulkFaultAsync(lab, flow, fault, "eth0", Length), Holds);
        Assert.True(Holds(result), $"{result}");

        // Sent again: one cap of 50 Mbit/s (28 ms of it), besides the copies of late frames that any second may bring.
        // 30 and 20 Mbit/s are left, 48.3 of them for bytes; the healed link has 50, and nobody waits for it.
        bool Holds(BulkFaultResult bulk) =>
            bulk.LongestGapMs <= mostGapMs && (fault == Fault.Reset || bulk.MegabitsDuring >= 45) && bulk.LongestGapHealedMs <= 150 && bulk.HealedLinkMegabits >= 44
            && bulk.Sent!.Reinjected <= 180_000 + 0.002 * bulk.Sent.New;
    }

    [Fact]
    public Task Pings_beside_bulk_stay_quick() => AssertPingsAsync(null, Flow.Up, 30);

    [Theory]
    [Trait("Mode", "long")]
    [InlineData("bbr", Flow.Down, 30)]
    [InlineData("cubic", Flow.Up, 40)]
    [InlineData("cubic", Flow.Down, 40)]
    public Task Pings_beside_bulk_stay_quick_the_other_way_and_under_cubic(string control, Flow flow, double mostMs) => AssertPingsAsync(control, flow, mostMs);

    private static async Task AssertPingsAsync(string? control, Flow flow, double mostMs)
    {
        await using var lab = await BondedLab.StartAsync(new() { CongestionControl = control });
        var result = await Measured.UndisturbedAsync($"{control ?? "as it is"}: ping beside bulk {flow}", () => Scenario.PingBesideBulkAsync(lab, flow, TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(61)), Holds);
        Assert.True(result.RoundTrip.Count >= 3000, $"{result.RoundTrip.Count} samples");
        Assert.True(Holds(result), $"{result}");
        Assert.True(result.Sent is { FramingShare: <= 0.005, ReinjectedShare: <= 0.05 }, $"{result.Sent}");

        bool Holds(PingResult ping) => ping.RoundTrip.P99 <= mostMs * 1000;
    }

    private sealed record BothWays(RecordResult Up, RecordResult Down)
    {
        public BothWays(IReadOnlyList<RecordResult> results) : this(results[0], results[1]) { }

        public override string ToString() => $"up {Up}; down {Down}";
    }
}

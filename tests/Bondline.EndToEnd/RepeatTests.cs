using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>The bounds of <see cref="FaultTests"/>, five times each and under both congestion controls; the median must hold them.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "long")]
public class RepeatTests
{
    private const int Times = 5;

    private static readonly TimeSpan Length = TimeSpan.FromSeconds(3);

    public static TheoryData<string, Flow, Fault> Cases()
    {
        var cases = new TheoryData<string, Flow, Fault>();
        foreach (var control in (string[])["cubic", "bbr"])
            foreach (var flow in Enum.GetValues<Flow>())
                foreach (var fault in (Fault[])[Fault.SilentBoth, Fault.Carrier, Fault.Address, Fault.Reset])
                    cases.Add(control, flow, fault);
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Records_and_bulk_hardly_pause(string control, Flow flow, Fault fault)
    {
        await using var lab = await BondedLab.StartAsync(new() { CongestionControl = control });
        var (silences, gaps) = (new List<double>(), new List<double>());
        for (var i = 0; i < Times; i++)
        {
            silences.Add((await Measured.OnceAsync($"{control}: records {flow}, {fault}", () => Scenario.RecordsAsync(lab, flow, fault, "eth0", Length))).LongestSilenceMs);
            gaps.Add((await Measured.OnceAsync($"{control}: bulk {flow}, {fault}", () => Scenario.BulkFaultAsync(lab, flow, fault, "eth0", Length))).LongestGapMs);
        }
        Assert.True(Median(silences) <= (fault != Fault.SilentBoth && flow == Flow.Up ? 30 : 45), $"records: {string.Join(", ", silences)} ms");
        Assert.True(Median(gaps) <= (fault == Fault.SilentBoth ? 150 : 100), $"bulk: {string.Join(", ", gaps)} ms");
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(Times / 2);
}

using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>Nobody has to choose between this and what they use today: ours, kernel MPTCP (a plain program under <c>bondline run</c>), <c>ssh -R</c> and <c>ssh -R</c> under <c>mptcpize</c>, by turns in the same run.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "long")]
public class PeerTests
{
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(3);

    /// <summary>Every measurement under every congestion control.</summary>
    public static TheoryData<string, string> Cases()
    {
        var cases = new TheoryData<string, string>();
        foreach (var control in (string[])["bbr", "cubic"])
            foreach (var name in Comparison.Usual)
                cases.Add(control, name);
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Ours_is_at_least_as_good_as_every_other(string control, string name)
    {
        var measurement = Comparison.Measurements.Single(each => each.Name == name);
        var what = $"{control}: {measurement.Title}";
        var round = await (measurement.IsMoreBetter ? Measured.BestOfTwoAsync(what, MeasureAsync, IsBest) : Measured.UndisturbedAsync(what, MeasureAsync, IsBest));
        Assert.True(IsBest(round), $"{what}: {round}");

        Task<ComparedRound> MeasureAsync() =>
            Comparison.RunAsync(measurement, Comparison.Peers, new() { CongestionControl = control }, Length, line => TestContext.Current.TestOutputHelper?.WriteLine(line));

        static bool IsBest(ComparedRound round) => round.IsOursBest(share: 0.99);
    }
}

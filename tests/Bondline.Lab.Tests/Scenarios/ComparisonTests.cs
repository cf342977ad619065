using Xunit;

namespace Bondline.Lab.Tests;

public class ComparisonTests
{
    private const double Stalled = double.PositiveInfinity, Broke = double.NaN;

    private static readonly TimeSpan Length = TimeSpan.FromSeconds(3);

    [Theory]
    [InlineData(new[] { 3.0, 1, 2 }, "2.0", "2.0")]
    [InlineData(new[] { 1.0, 2, 4, 3 }, "2.5", "2.5")]
    [InlineData(new[] { Broke, 3, 1, 2, 4 }, "2.0 (1 of 5 broke or stalled)", "3.0 (1 of 5 broke or stalled)")]
    [InlineData(new[] { Broke, Stalled, 1 }, "stalled to the end (2 of 3 broke or stalled)", "stalled to the end (2 of 3 broke or stalled)")]
    [InlineData(new[] { Stalled, Broke, 1, Broke, Broke }, "broke (4 of 5 broke or stalled)", "broke (4 of 5 broke or stalled)")]
    [InlineData(new[] { 1, Broke }, "broke (1 of 2 broke or stalled)", "broke (1 of 2 broke or stalled)")]
    [InlineData(new[] { Stalled }, "stalled to the end (1 of 1 broke or stalled)", "stalled to the end (1 of 1 broke or stalled)")]
    public void What_broke_or_stalled_counts_as_the_worst(double[] values, string ofRates, string ofTimes)
    {
        Assert.Equal(ofRates, Measurement(isMoreBetter: true).Summarize(values));
        Assert.Equal(ofTimes, Measurement(isMoreBetter: false).Summarize(values));
    }

    [Theory]
    [InlineData(true, new[] { 95.0, 94, 48, 96 }, true)]
    [InlineData(true, new[] { 94.0, 94, 48, 96 }, false)]
    [InlineData(true, new[] { 95.1, Broke, Broke, 96 }, true)]
    [InlineData(true, new[] { Broke, Broke, Broke, Broke }, false)]
    [InlineData(false, new[] { 20, 100, Stalled, Broke }, true)]
    [InlineData(false, new[] { 20.0, 100, 20, 30 }, false)]
    [InlineData(false, new[] { Stalled, 100, Stalled, Broke }, false)]
    public void Ours_is_best_only_with_a_number_that_no_other_betters(bool isMoreBetter, double[] values, bool isBest) =>
        Assert.Equal(isBest, new ComparedRound(Measurement(isMoreBetter), Comparison.Peers, values).IsOursBest(share: 0.98));

    [Fact]
    public void A_rate_of_nothing_is_a_connection_that_broke()
    {
        Assert.Equal(Broke, Comparison.Rate(new(0, 3000, [0], null)));
        Assert.Equal(Broke, Comparison.Rate(new(0.01, 2990, [0], null)));
        Assert.Equal(1.5, Comparison.Rate(new(1.5, 10, [1.5], null)));
    }

    [Fact]
    public void Pings_that_are_not_answered_stalled()
    {
        Assert.Equal(Stalled, Comparison.RoundTrip(new(default, 50, null), Length));
        Assert.Equal(Stalled, Comparison.RoundTrip(new(Distribution.Of([.. Enumerable.Repeat(20_000L, 70)]), 50, null), Length));
        Assert.Equal(20, Comparison.RoundTrip(new(Distribution.Of([.. Enumerable.Repeat(20_000L, 150)]), 50, null), Length));
    }

    [Theory]
    [InlineData(18.5, 90, 18.5)]
    [InlineData(2990, 48, Stalled)]
    [InlineData(2990, 0, Broke)]
    [InlineData(18.5, 0, Broke)]
    public void A_gap_as_long_as_the_silence_is_a_stall_and_one_without_end_a_break(double gapMs, double healed, double expected) =>
        Assert.Equal(expected, Comparison.Gap(new(gapMs, 95, 46, 5, 49, 300, healed, null), Length));

    private static ComparedMeasurement Measurement(bool isMoreBetter) => new("name", "title", isMoreBetter, (_, _) => Task.FromResult(0.0));
}

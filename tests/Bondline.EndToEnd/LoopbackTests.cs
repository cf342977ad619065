using Bondline.Benchmarks;

namespace Bondline.EndToEnd;

/// <summary>Where no network limits it, the program is faster than <c>ssh -R</c>, measured by turns in the same run.</summary>
[Collection(typeof(OneAtATime))]
public sealed class LoopbackTests
{
    private const int Turns = 5;

    private static readonly TimeSpan Length = TimeSpan.FromSeconds(2);

    [Fact]
    [Trait("Mode", "normal")]
    public Task It_answers_more_requests_than_ssh() => AssertFasterAsync("requests/s, 32 connections", 1.5);

    [Fact]
    [Trait("Mode", "normal")]
    public Task It_carries_bulk_faster_than_ssh() => AssertFasterAsync("bulk to the visitor, MB/s", 1.2);

    [Fact]
    [Trait("Mode", "long")]
    public Task It_carries_bulk_from_the_visitor_faster_than_ssh() => AssertFasterAsync("bulk from the visitor, MB/s", 1.2);

    private static async Task AssertFasterAsync(string kind, double least)
    {
        await using var comparison = await AgainstSsh.StartAsync(AttackedRelay.Program);
        await comparison.MeasureAsync(kind, Length); // pools fill, and the paths' rates are found
        var best = await Measured.BestOfTwoOfAllProcessorAsync($"loopback, {kind}", MeasureAsync, result => result.Ratio >= least);
        Assert.True(best.Ratio >= least, $"{best}");

        // The host's speed varies within seconds.
        async Task<Ratios> MeasureAsync()
        {
            var pairs = new List<AgainstSsh.Pair>();
            for (var turn = 0; turn < Turns; turn++) pairs.Add(await comparison.MeasureAsync(kind, Length));
            return new(pairs.Sum(pair => pair.Ours) / pairs.Sum(pair => pair.Ssh), string.Join("; ", pairs));
        }
    }

    private sealed record Ratios(double Ratio, string Pairs)
    {
        public override string ToString() => FormattableString.Invariant($"{Ratio:0.00} times ssh -R ({Pairs})");
    }
}

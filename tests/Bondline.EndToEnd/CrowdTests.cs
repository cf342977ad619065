using Bondline.Benchmarks;

namespace Bondline.EndToEnd;

/// <summary>A request costs the same with few and with many beside it: other tunnels, idle WebSockets.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "long")]
public sealed class CrowdTests
{
    // Runs of the same alone differ by 15 % on a host that others use too.
    private const double MostRatio = 1.2;

    [Fact]
    public Task A_thousand_tunnels_make_no_request_dearer() => AssertFlatAsync("a request beside 1,000 tunnels", () => Crowd.TunnelsAsync(AttackedRelay.Program, 1000));

    [Fact]
    public Task Five_thousand_idle_WebSockets_make_no_request_dearer() => AssertFlatAsync("a request beside 5,000 idle WebSockets", () => Crowd.WebSocketsAsync(AttackedRelay.Program, 5000));

    private static async Task AssertFlatAsync(string what, Func<Task<Crowd.Comparison>> measure)
    {
        var best = await Measured.BestOfTwoOfAllProcessorAsync(what, measure, result => result.Ratio <= MostRatio);
        Assert.True(best.Ratio <= MostRatio, $"{best}");
    }
}

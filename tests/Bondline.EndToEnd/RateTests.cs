using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>One TCP connection gets the sum of the links.</summary>
public class RateTests
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(5), Duration = TimeSpan.FromSeconds(10);

    [Theory]
    [InlineData(Flow.Up)]
    [InlineData(Flow.Down)]
    public async Task One_connection_over_three_links_gets_their_sum(Flow flow)
    {
        await using var lab = await BondedLab.StartAsync();
        var links = lab.Network.Links.Select(link => link.Name).ToArray();
        var plain = (await Scenario.PlainAsync(lab.Network, flow, TimeSpan.FromSeconds(3), Duration, links)).Sum();
        var best = await Measured.BestOfTwoAsync($"one connection {flow}, three plain ones together {plain:0.00}", () => Scenario.BulkAsync(lab, flow, WarmUp, Duration), IsEnough);
        Assert.True(IsEnough(best), $"{best.MegabitsPerSecond:0.00} Mbit/s of {plain:0.00}");
        if (best.Sent is { } sent) Assert.True(sent is { FramingShare: <= 0.005, ReinjectedShare: <= 0.05 }, $"{sent}");

        bool IsEnough(RateResult result) => result.MegabitsPerSecond >= 0.97 * plain && result.MegabitsPerSecond >= 93.5;
    }

    [Fact]
    public async Task One_link_alone_is_as_fast_as_plain_tcp()
    {
        await using var lab = await BondedLab.StartAsync(new() { Links = [LinkOptions.Symmetric("eth0", 50, 10)] });
        var plain = (await Scenario.PlainAsync(lab.Network, Flow.Up, TimeSpan.FromSeconds(3), Duration, "eth0")).Sum();
        var best = await Measured.BestOfTwoAsync($"one link, plain {plain:0.00}", () => Scenario.BulkAsync(lab, Flow.Up, WarmUp, Duration), result => result.MegabitsPerSecond >= 0.98 * plain);
        Assert.True(best.MegabitsPerSecond >= 0.98 * plain, $"{best.MegabitsPerSecond:0.00} Mbit/s of {plain:0.00}");
    }
}

using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>One TCP connection gets the sum of the links: of what plain connections get on them in the same run, under the same congestion control.</summary>
/// <remarks>
/// Under CUBIC both sides use it, as no link loses a byte but by a full queue. Where the machine is on BBR, plain connections use that, and so do the sender's and
/// receiver's own; our subflows leave it for CUBIC until bytes are lost, which is what users there get (docs/decisions/cubic-until-loss.md).
/// </remarks>
[Collection(typeof(OneAtATime))]
public class RateTests
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(5), Duration = TimeSpan.FromSeconds(10);

    [Theory]
    [Trait("Mode", "normal")]
    [InlineData(Flow.Up)]
    [InlineData(Flow.Down)]
    public Task One_connection_over_three_links_gets_their_sum(Flow flow) => AssertSumAsync("cubic", flow, least: 0.97);

    [Theory]
    [Trait("Mode", "long")]
    [InlineData("cubic", Flow.Up)]
    [InlineData("cubic", Flow.Down)]
    [InlineData("bbr", Flow.Up)]
    [InlineData("bbr", Flow.Down)]
    public Task One_connection_over_three_links_gets_all_of_their_sum(string control, Flow flow) => AssertSumAsync(control, flow, least: 0.99);

    [Theory]
    [InlineData(Flow.Up)]
    [InlineData(Flow.Down)]
    public Task One_link_alone_is_as_fast_as_plain_tcp(Flow flow) => AssertOneLinkAsync("cubic", flow);

    [Theory]
    [Trait("Mode", "long")]
    [InlineData(Flow.Up)]
    [InlineData(Flow.Down)]
    public Task One_link_alone_is_as_fast_as_plain_tcp_where_bbr_is_used(Flow flow) => AssertOneLinkAsync("bbr", flow);

    private static async Task AssertSumAsync(string control, Flow flow, double least)
    {
        await using var lab = await BondedLab.StartAsync(new() { CongestionControl = control });
        var links = lab.Network.Links.Select(link => link.Name).ToArray();
        var plain = (await Scenario.PlainAsync(lab.Network, flow, TimeSpan.FromSeconds(3), Duration, links)).Sum();
        var best = await Measured.BestOfTwoAsync($"{control}: one connection {flow}, three plain ones together {plain:0.00}", () => Scenario.BulkAsync(lab, flow, WarmUp, Duration), IsEnough);
        Assert.True(IsEnough(best), $"{best.MegabitsPerSecond:0.00} Mbit/s of {plain:0.00}");
        Assert.True(best.Sent is { FramingShare: <= 0.005, ReinjectedShare: <= 0.05 }, $"{best.Sent}");

        bool IsEnough(RateResult result) => result.MegabitsPerSecond >= least * plain && result.MegabitsPerSecond >= 93.5;
    }

    private static async Task AssertOneLinkAsync(string control, Flow flow)
    {
        await using var lab = await BondedLab.StartAsync(new() { Links = [LinkOptions.Symmetric("eth0", 50, 10)], CongestionControl = control });
        var plain = (await Scenario.PlainAsync(lab.Network, flow, TimeSpan.FromSeconds(3), Duration, "eth0")).Sum();
        var best = await Measured.BestOfTwoAsync($"{control}: one link {flow}, plain {plain:0.00}", () => Scenario.BulkAsync(lab, flow, WarmUp, Duration), result => result.MegabitsPerSecond >= 0.98 * plain);
        Assert.True(best.MegabitsPerSecond >= 0.98 * plain, $"{best.MegabitsPerSecond:0.00} Mbit/s of {plain:0.00}");
    }
}

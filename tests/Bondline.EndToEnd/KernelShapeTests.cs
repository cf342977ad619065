using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>The five shapes of the kernel's own test of MPTCP's sum, simult_flows.sh: its rates, its delays, and its short queues, given there in packets.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "long")]
public class KernelShapeTests
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(10);

    [Theory]
    [InlineData(10, 0, 20, 10, 0, 20)]
    [InlineData(10, 1, 20, 10, 25, 50)]
    [InlineData(10, 0, 30, 3, 0, 20)]
    [InlineData(10, 1, 40, 3, 25, 30)]
    [InlineData(10, 25, 50, 3, 1, 30)]
    public async Task One_connection_gets_the_sum(double rate1, double delay1, int packets1, double rate2, double delay2, int packets2)
    {
        LinkOptions[] links = [Link("eth0", rate1, delay1, packets1), Link("wlan0", rate2, delay2, packets2)];
        await using var lab = await BondedLab.StartAsync(new() { Links = links });
        foreach (var flow in Enum.GetValues<Flow>())
        {
            var plain = (await Scenario.PlainAsync(lab.Network, flow, TimeSpan.FromSeconds(3), Duration, links.Select(link => link.Name))).Sum();
            var what = $"{rate1} and {rate2} Mbit/s, {delay1} and {delay2} ms one way, {packets1} and {packets2} packets, {flow}, plain {plain:0.00}";
            var best = await Measured.BestOfTwoAsync(what, () => Scenario.BulkAsync(lab, flow, TimeSpan.FromSeconds(5), Duration), IsEnough);
            Assert.True(IsEnough(best), $"{what}: {best}");

            bool IsEnough(RateResult result) => result.MegabitsPerSecond >= 0.95 * plain;
        }
    }

    private static LinkOptions Link(string name, double megabits, double delay, int packets) =>
        LinkOptions.Symmetric(name, megabits, 2 * delay, queue: packets * 1500 * 8 / (megabits * 1000));
}

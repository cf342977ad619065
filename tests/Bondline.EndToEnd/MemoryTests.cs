using Bondline.Benchmarks;

namespace Bondline.EndToEnd;

/// <summary>What waits costs the program memory. The lower bounds are for measurements that missed what they should have measured.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "normal")]
public sealed class MemoryTests
{
    private const long LeastBytesPerBond = 20_000, MostBytesPerBond = 100_000, LeastBytesPerStream = 500, MostBytesPerStream = 8_000;

    [Fact]
    public Task An_idle_bond_costs_the_relay_little() => AssertBondAsync(first: 250, last: 1000);

    [Fact]
    [Trait("Mode", "long")]
    public Task Each_of_five_thousand_idle_bonds_costs_the_relay_little() => AssertBondAsync(first: 1000, last: 5000);

    [Fact]
    [Trait("Mode", "long")]
    public async Task Each_of_fifteen_thousand_idle_visitors_of_a_tcp_tunnel_costs_the_relay_little()
    {
        var (relay, agent) = await Idle.MeasureVisitorsAsync(AttackedRelay.Program, 15_000);
        Measured.Record("idle visitor of a TCP tunnel, resident, of 15,000", $"{relay} bytes at the relay, {agent} at the agent");
        Assert.InRange(relay, LeastBytesPerStream, MostBytesPerStream);
    }

    [Fact]
    [Trait("Mode", "long")]
    public async Task Each_of_fifty_thousand_idle_streams_inside_the_process_costs_little()
    {
        var (managed, resident) = await Idle.MeasureStreamsAsync(50_000);
        Measured.Record("idle stream inside the process, both ends, of 50,000", $"{managed} bytes managed, {resident} resident");

        // Earlier tests may have left the process memory to reuse, so what is resident may be too little; the collector's count is not.
        Assert.InRange(Math.Max(managed, resident), LeastBytesPerStream, MostBytesPerStream);
    }

    private static async Task AssertBondAsync(int first, int last)
    {
        var (each, _) = await Idle.MeasureBondsAsync(AttackedRelay.Program, first, last, lines: 0, TextWriter.Null);
        Measured.Record($"idle bond of one subflow, resident at the relay, of {last}", $"{each} bytes");
        Assert.InRange(each, LeastBytesPerBond, MostBytesPerBond);
    }
}

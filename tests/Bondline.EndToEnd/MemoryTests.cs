using Bondline.Benchmarks;

namespace Bondline.EndToEnd;

/// <summary>What waits costs the program memory.</summary>
[Trait("Mode", "normal")]
public sealed class MemoryTests
{
    private const long MostBytesPerBond = 100_000;

    [Fact]
    public async Task An_idle_bond_costs_the_relay_little()
    {
        var (each, _) = await Idle.MeasureBondsAsync(AttackedRelay.Program, first: 250, last: 1000, lines: 0, TextWriter.Null);
        Measured.Record("idle bond of one subflow, resident at the relay", $"{each} bytes");
        Assert.InRange(each, 1, MostBytesPerBond);
    }
}

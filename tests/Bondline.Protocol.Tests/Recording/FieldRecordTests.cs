using System.Text;
using Xunit;

namespace Bondline.Protocol.Tests.Recording;

/// <summary>Records of real bonds, kept: what an older version wrote can still be read, and the engine gets through what happened there.</summary>
/// <remarks>docs/record.md says why a difference is no failure here.</remarks>
public sealed class FieldRecordTests(ITestOutputHelper output)
{
    public static TheoryData<string> Files => [.. Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Recording", "Records"), "*.bond").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Files))]
    public void It_can_be_read_and_happens_again_without_a_fault(string file)
    {
        var decisions = new List<ReplayedDecision>();
        var replay = new BondReplay(decisions.Add, tellsWrites: true);
        foreach (var line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Recording", "Records", file))) replay.Add(Encoding.UTF8.GetBytes(line));
        var results = replay.End();

        Assert.NotEmpty(results);
        foreach (var result in results)
        {
            output.WriteLine($"{file}, bond {result.Bond}: {result.Calls} calls, {result.Difference ?? "every output as recorded"}");
            Assert.True(result.Difference?.Contains(" failed: ", StringComparison.Ordinal) != true, result.Difference);
        }
        Assert.Contains(decisions, decision => decision.Text.Contains(" joins: ", StringComparison.Ordinal));
        Assert.DoesNotContain(decisions, decision => decision.Text.StartsWith("the peer broke the protocol", StringComparison.Ordinal));
    }
}

namespace Bondline.Fuzz;

/// <summary>A bond record from anybody: read, replayed as far as it goes, and explained.</summary>
internal static class RecordTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        var replay = new BondReplay(static decision => FuzzTarget.Require(decision.Text.Length > 0, "a decision has words"), tellsWrites: true);
        try
        {
            foreach (var line in input.Split((byte)'\n')) replay.Add(input[line]);
        }
        catch (BondRecordException refusal)
        {
            FuzzTarget.Require(refusal.Message.Length > 0, "a refusal says why");
        }
        foreach (var result in replay.End()) FuzzTarget.Require(result.Calls >= 0 && result.Length >= TimeSpan.Zero, "a result is plausible");
    }
}

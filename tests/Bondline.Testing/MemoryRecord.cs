using System.Text;

namespace Bondline.Testing;

/// <summary>A bond record in memory.</summary>
public sealed class MemoryRecord : IBondRecord
{
    private readonly MemoryStream _lines = new();
    private int _bonds;

    public MemoryRecord(bool hasPayload = false)
    {
        HasPayload = hasPayload;
        _lines.Write(RecordedBond.Header("a test", "today", hasPayload));
    }

    public bool HasPayload { get; }

    public string Text => Encoding.UTF8.GetString(_lines.ToArray());

    public IEnumerable<string> Lines => Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public int NextBond() => ++_bonds;

    public void Append(ReadOnlySpan<byte> line) => _lines.Write(line);

    /// <summary>Makes both bonds again.</summary>
    public (IReadOnlyList<ReplayResult> Results, IReadOnlyList<ReplayedDecision> Decisions) Replay(bool tellsWrites = false)
    {
        var decisions = new List<ReplayedDecision>();
        var replay = new BondReplay(decisions.Add, tellsWrites);
        foreach (var line in Lines) replay.Add(Encoding.UTF8.GetBytes(line));
        return (replay.End(), decisions);
    }
}

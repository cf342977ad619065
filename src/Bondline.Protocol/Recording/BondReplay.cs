using System.Text.Json;

namespace Bondline.Protocol;

/// <summary>A bond record, or one of its lines, is not what a program of ours writes.</summary>
/// <param name="message">What is wrong, a sentence without its full stop.</param>
/// <param name="inner">Why it cannot be read.</param>
public sealed class BondRecordException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Something the engine decided, in words.</summary>
/// <param name="Bond">Which bond of the record.</param>
/// <param name="At">When, or when it began.</param>
/// <param name="Text">A sentence without its full stop. Path names and reasons in it are those of the record: whoever wrote it chose them.</param>
public readonly record struct ReplayedDecision(int Bond, Instant At, string Text);

/// <summary>Makes bonds again from a record: the same calls at the same instants give the same decisions, and each is told with its reasons (docs/record.md).</summary>
/// <remarks>Not thread-safe. A record may come from anybody: what a line can make it hold or do is bounded.</remarks>
public sealed class BondReplay
{
    /// <summary>Of a line, its end not counted. The longest honest ones hold what was given to a stream at once.</summary>
    public const int MaxLineLength = 64 << 20;

    /// <summary>As many as a relay has.</summary>
    private const int MaxBondsAtOnce = 20_000;

    /// <summary>Microseconds: the time between any two instants is a <see cref="TimeSpan"/>, with room for what the engine adds.</summary>
    private const long LatestInstant = long.MaxValue / TimeSpan.TicksPerMicrosecond / 2;

    private readonly Dictionary<int, ReplayedBond> _running = [];
    private readonly HashSet<int> _ended = [];
    private readonly List<ReplayResult> _results = [];
    private readonly Action<ReplayedDecision> _tell;
    private readonly bool _tellsWrites;
    private RecordHeader? _header;
    private long _lines;

    /// <param name="tell">Told of decisions, in their order.</param>
    /// <param name="tellsWrites">Tell why each frame took its subflow, not only what was out of the ordinary.</param>
    public BondReplay(Action<ReplayedDecision> tell, bool tellsWrites)
    {
        _tell = tell;
        _tellsWrites = tellsWrites;
    }

    /// <summary>Who wrote the record, and when; null before its first line.</summary>
    public string? Origin => _header is { } header ? $"{header.Program}, {header.Began}" : null;

    public bool HasPayload => _header?.HasPayload == true;

    /// <summary>Takes the next line, without its end.</summary>
    /// <exception cref="BondRecordException">It is no line of a bond record.</exception>
    public void Add(ReadOnlySpan<byte> line)
    {
        _lines++;
        try
        {
            if (_header is null) ReadHeader(line);
            else Apply(JsonSerializer.Deserialize(line, RecordJson.Default.BondInput) ?? throw new FormatException("it is empty"));
        }
        catch (Exception error) when (error is JsonException or FormatException)
        {
            throw new BondRecordException($"line {_lines} is no line of a bond record: {error.Message.TrimEnd('.')}", error);
        }
    }

    /// <summary>Ends the bonds the record leaves open.</summary>
    /// <returns>What became of each bond, in the order they ended.</returns>
    public IReadOnlyList<ReplayResult> End()
    {
        foreach (var bond in _running.Values) _results.Add(bond.End());
        _running.Clear();
        return _results;
    }

    private void ReadHeader(ReadOnlySpan<byte> line)
    {
        var header = JsonSerializer.Deserialize(line, RecordJson.Default.RecordHeader) ?? throw new FormatException("it is empty");
        if (header.BondRecord != RecordHeader.Version) throw new BondRecordException($"the record has version {header.BondRecord}; this program reads version {RecordHeader.Version}");
        _header = header;
    }

    private void Apply(BondInput input)
    {
        if (input.At is < 0 or > LatestInstant) throw new FormatException("an instant beyond all times");
        if (input.Call == BondCall.Begin)
        {
            if (_running.Count >= MaxBondsAtOnce) throw new FormatException("more bonds at once than a relay has");
            if (_running.ContainsKey(input.Bond) || _ended.Contains(input.Bond)) throw new FormatException($"bond {input.Bond} begins twice");
            _running.Add(input.Bond, new ReplayedBond(input, HasPayload, _tell, _tellsWrites));
            return;
        }
        if (!_running.TryGetValue(input.Bond, out var bond))
        {
            if (_ended.Contains(input.Bond)) return; // what a closed bond is still asked changes nothing
            throw new FormatException($"bond {input.Bond} did not begin");
        }
        bond.Apply(input, _lines);
        if (!bond.IsOver) return;
        _running.Remove(input.Bond);
        _ended.Add(input.Bond);
        _results.Add(bond.End());
    }
}

/// <summary>What became of one bond of a record.</summary>
/// <param name="Bond">Which one.</param>
/// <param name="Role">Which end recorded.</param>
/// <param name="Calls">How many lines were its.</param>
/// <param name="Length">From its first line to its last.</param>
/// <param name="Difference">Where the engine did otherwise than when it was recorded; null if every output was the same.</param>
/// <param name="Subflows">In the order they joined.</param>
public sealed record ReplayResult(int Bond, BondRole Role, long Calls, TimeSpan Length, string? Difference, IReadOnlyList<ReplayedSubflow> Subflows);

/// <summary>What one subflow carried, and why it did not carry more.</summary>
public sealed record ReplayedSubflow(string Name)
{
    /// <summary>Stream bytes sent for the first time.</summary>
    public long NewBytes { get; internal set; }

    /// <summary>Stream bytes another one had sent and not delivered.</summary>
    public long AgainBytes { get; internal set; }

    /// <summary>Stream bytes sent on several at once, on purpose.</summary>
    public long CopiedBytes { get; internal set; }

    /// <summary>How often it took nothing though bytes waited: so much was under way on it as its cap allows.</summary>
    public long TimesFull { get; internal set; }

    /// <summary>The same: another one would deliver sooner, or the receiver's window was full.</summary>
    public long TimesLeft { get; internal set; }

    /// <summary>The same: policies or the mode kept it in reserve.</summary>
    public long TimesSpared { get; internal set; }

    /// <summary>The same: it was silent or gone.</summary>
    public long TimesUnwell { get; internal set; }
}

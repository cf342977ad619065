using System.Text.Json.Serialization;

namespace Bondline.Lab;

/// <summary>A distribution of times in microseconds; all 0 if <see cref="Count"/> is.</summary>
public readonly record struct Distribution(int Count, long Least, long Median, long P90, long P99, long P999, long Most, double Mean)
{
    public static Distribution Of(List<long> samples)
    {
        if (samples.Count == 0) return default;
        var sorted = samples.ToArray();
        Array.Sort(sorted);
        return new(sorted.Length, sorted[0], At(0.5), At(0.9), At(0.99), At(0.999), sorted[^1], sorted.Average());

        long At(double share) => sorted[Math.Min(sorted.Length - 1, (int)(share * sorted.Length))];
    }
}

/// <summary>A time in which nothing came. Times are microseconds of the machine's monotonic clock, as <see cref="System.Diagnostics.Stopwatch"/> counts.</summary>
public readonly record struct Gap(long Start, long Length);

/// <summary>The records that came since the last report.</summary>
/// <param name="Records">How many.</param>
/// <param name="NextSequence">The number of the record that comes next; records come in order without a hole, or the program fails.</param>
/// <param name="Latency">From when a record was due to be written, so a sender that had to wait counts, to when all of it was read; microseconds.</param>
/// <param name="Normal">The median latency of everything before this window; of the window itself if it is the first.</param>
/// <param name="MostBeyondNormal">The latest record, less <paramref name="Normal"/>.</param>
/// <param name="LongestSilence">Between two records, or since the last one, the beginning of the window included.</param>
public sealed record RecordReport(int Records, long NextSequence, Distribution Latency, long Normal, long MostBeyondNormal, Gap LongestSilence);

/// <summary>The bytes that came since the last report.</summary>
/// <param name="Bytes">In this window.</param>
/// <param name="TotalBytes">Since the connection began.</param>
/// <param name="Start">When the window began, microseconds of the monotonic clock.</param>
/// <param name="Microseconds">How long it was; it ends with the last byte if the sender has finished.</param>
/// <param name="LongestGap">The longest time without a byte.</param>
/// <param name="Timeline">Bytes per 10 ms from <paramref name="Start"/> on; at most ten minutes of them.</param>
public sealed record BulkReport(long Bytes, long TotalBytes, long Start, long Microseconds, Gap LongestGap, IReadOnlyList<int> Timeline)
{
    public double MegabitsPerSecond => Microseconds == 0 ? 0 : Bytes * 8.0 / Microseconds;

    /// <summary>Goodput between two times of the monotonic clock (microseconds), to 10 ms.</summary>
    public double MegabitsBetween(long from, long to)
    {
        var first = Math.Clamp((from - Start) / 10_000, 0, Timeline.Count);
        var end = Math.Clamp((to - Start) / 10_000, first, Timeline.Count);
        if (end == first) return 0;
        long bytes = 0;
        for (var i = (int)first; i < end; i++) bytes += Timeline[i];
        return bytes * 8.0 / ((end - first) * 10_000);
    }
}

/// <summary>The pings that were answered since the last report.</summary>
/// <param name="RoundTrip">Microseconds.</param>
/// <param name="Outstanding">Sent and not answered yet.</param>
public sealed record PingReport(Distribution RoundTrip, int Outstanding);

/// <summary>How many of the idle connections still carry bytes both ways.</summary>
public sealed record HoldReport(int Alive, int Connections);

/// <summary>One line a traffic program prints.</summary>
/// <param name="Event">listening, connected, report, finished or error.</param>
public sealed record TrafficEvent(string Event)
{
    /// <summary>Where it listens.</summary>
    public int? Port { get; init; }

    /// <summary>What went wrong.</summary>
    public string? Message { get; init; }

    /// <summary>Of all bytes, when a bulk end has finished.</summary>
    public string? Sha256 { get; init; }

    /// <summary>All bytes sent or received, when a bulk end has finished; bytes written so far in a sender's report.</summary>
    public long? Bytes { get; init; }

    public RecordReport? Records { get; init; }

    public BulkReport? Bulk { get; init; }

    public PingReport? Ping { get; init; }

    public HoldReport? Hold { get; init; }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TrafficEvent))]
internal sealed partial class TrafficJson : JsonSerializerContext;

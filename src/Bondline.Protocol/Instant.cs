namespace Bondline.Protocol;

/// <summary>A point in time: microseconds since an origin the caller chose. It never goes back and does not follow the wall clock.</summary>
/// <remarks>The engine never reads a clock; every <c>Handle</c> and <c>Poll</c> method takes the instant it runs at.</remarks>
public readonly record struct Instant(long Microseconds) : IComparable<Instant>
{
    /// <summary>Later than any deadline: "never".</summary>
    public static Instant Never => new(long.MaxValue);

    public int CompareTo(Instant other) => Microseconds.CompareTo(other.Microseconds);

    /// <summary>The time from <paramref name="earlier"/> to this instant; zero if it is later than this one.</summary>
    public TimeSpan Since(Instant earlier) => TimeSpan.FromMicroseconds(Math.Max(0, Microseconds - earlier.Microseconds));

    public static Instant Earlier(Instant a, Instant b) => a.Microseconds <= b.Microseconds ? a : b;

    public static Instant Later(Instant a, Instant b) => a.Microseconds >= b.Microseconds ? a : b;

    /// <summary>Rounds up: a deadline made of a span has passed only when the whole span has.</summary>
    public static Instant operator +(Instant instant, TimeSpan span)
    {
        var microseconds = (long)Math.Ceiling(span.TotalMicroseconds);
        return microseconds > 0 && instant.Microseconds > long.MaxValue - microseconds ? Never : new(instant.Microseconds + microseconds);
    }

    public static Instant operator -(Instant instant, TimeSpan span) => new(instant.Microseconds - span.Ticks / 10);

    public static TimeSpan operator -(Instant later, Instant earlier) => TimeSpan.FromMicroseconds(later.Microseconds - earlier.Microseconds);

    public static bool operator <(Instant a, Instant b) => a.Microseconds < b.Microseconds;

    public static bool operator >(Instant a, Instant b) => a.Microseconds > b.Microseconds;

    public static bool operator <=(Instant a, Instant b) => a.Microseconds <= b.Microseconds;

    public static bool operator >=(Instant a, Instant b) => a.Microseconds >= b.Microseconds;

    public override string ToString() => this == Never ? "never" : $"{Microseconds / 1000.0:0.000} ms";
}

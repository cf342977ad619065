namespace Bondline.Testing;

/// <summary>Which way bytes go.</summary>
public enum Direction
{
    /// <summary>From the agent to the relay.</summary>
    Up,

    /// <summary>From the relay to the agent.</summary>
    Down,
}

/// <summary>A network of the agent: its rate and round trip, and what a connection over it holds. Tests may change it while running.</summary>
public sealed class SimulatedPath(string name, double megabitsPerSecond, double roundTripMilliseconds)
{
    public string Name { get; } = name;

    public double MegabitsPerSecond { get; set; } = megabitsPerSecond;

    /// <summary>Upwards, if it differs.</summary>
    public double? UpMegabitsPerSecond { get; set; }

    public TimeSpan RoundTrip { get; set; } = TimeSpan.FromMilliseconds(roundTripMilliseconds);

    /// <summary>Added to the way of each piece, at random up to this much; the order is kept, as TCP does.</summary>
    public TimeSpan Jitter { get; set; }

    /// <summary>Bytes written and not yet on the wire before a write has to wait.</summary>
    public int SocketBufferBytes { get; set; } = 256 * 1024;

    /// <summary>Largest piece that arrives at once.</summary>
    public int PieceBytes { get; set; } = 16 * 1024;

    /// <summary>After silence TCP tries again only when its timer fires: at random up to this much later.</summary>
    public TimeSpan LongestRetransmission { get; set; } = TimeSpan.FromMilliseconds(400);

    /// <summary>After a longer write nothing passes a connection any more that way, as where large packets vanish.</summary>
    public Func<Direction, int> LargestWrite { get; init; } = static _ => int.MaxValue;

    public SubflowPolicy Policy { get; set; }

    public double BytesPerSecond(Direction direction) => (direction == Direction.Up ? UpMegabitsPerSecond ?? MegabitsPerSecond : MegabitsPerSecond) * 1e6 / 8;

    internal bool IsSilentUp, IsSilentDown;

    public bool IsSilent(Direction direction) => direction == Direction.Up ? IsSilentUp : IsSilentDown;

    public override string ToString() => $"{Name} ({MegabitsPerSecond:0.##} Mbit/s, {RoundTrip.TotalMilliseconds:0.#} ms)";
}

namespace Bondline.Lab;

/// <summary>A direction of a link, seen from the laptop.</summary>
public enum LinkDirection
{
    /// <summary>From the laptop to the relay.</summary>
    Up,

    /// <summary>From the relay to the laptop.</summary>
    Down,

    Both,
}

/// <summary>What one direction of a link does to packets.</summary>
public sealed record LinkSettings
{
    /// <summary>Bits a second, counted on IP packets; 0: as fast as the machine can.</summary>
    public long RateBitsPerSecond { get; init; }

    /// <summary>One way, after the packet has been sent at the rate.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Extra delay between 0 and this. It is drawn anew every <see cref="JitterPeriod"/>; packets never overtake each other, so when it falls a burst arrives.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>How long one draw of the jitter holds.</summary>
    /// <value>Default 20 ms. Drawing per packet would, with order kept, only add a nearly constant delay.</value>
    public TimeSpan JitterPeriod { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>Share of packets lost, 0 to 1, each alone. A lost packet has used the rate.</summary>
    public double Loss { get; init; }

    /// <summary>A packet that would wait longer than this to be sent is dropped.</summary>
    /// <value>Default 100 ms. Without a rate nothing waits.</value>
    public TimeSpan QueueLimit { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>All problems at once; empty if there are none.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>();
        if (RateBitsPerSecond is not 0 and (< 1_000 or > 100_000_000_000)) problems.Add($"The rate is {RateBitsPerSecond} bit/s; it must be 0 (no limit) or between 1,000 and 100,000,000,000.");
        Check(nameof(Delay), Delay, TimeSpan.Zero, TimeSpan.FromSeconds(60));
        Check(nameof(Jitter), Jitter, TimeSpan.Zero, TimeSpan.FromSeconds(60));
        Check(nameof(JitterPeriod), JitterPeriod, TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(60));
        Check(nameof(QueueLimit), QueueLimit, TimeSpan.Zero, TimeSpan.FromSeconds(60));
        if (Loss is not (>= 0 and <= 1)) problems.Add($"The loss is {Loss}; it must be between 0 and 1.");
        return problems;

        void Check(string name, TimeSpan value, TimeSpan least, TimeSpan most)
        {
            if (value < least || value > most) problems.Add($"{name} is {value.TotalMilliseconds} ms; it must be between {least.TotalMilliseconds} and {most.TotalMilliseconds} ms.");
        }
    }
}

/// <summary>What one direction of a link has done since it began.</summary>
/// <param name="Packets">Delivered packets.</param>
/// <param name="Bytes">Delivered bytes, IP headers included.</param>
/// <param name="DroppedQueue">Packets that would have waited longer than the queue limit.</param>
/// <param name="DroppedLoss">Packets lost at random.</param>
/// <param name="DroppedSilence">Packets lost because the direction was silent or had no carrier.</param>
/// <param name="DroppedOther">Packets the receiving interface refused, or for which the emulator had no memory left.</param>
/// <param name="MostLateMicroseconds">The longest the emulator delivered a packet after it was due.</param>
public readonly record struct DirectionCounters(long Packets, long Bytes, long DroppedQueue, long DroppedLoss, long DroppedSilence, long DroppedOther, long MostLateMicroseconds)
{
    public long Dropped => DroppedQueue + DroppedLoss + DroppedSilence + DroppedOther;
}

public readonly record struct LinkCounters(DirectionCounters Up, DirectionCounters Down);

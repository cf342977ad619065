namespace Bondline.Protocol;

/// <summary>Limits and constants of one end of a bond. Everything has a default that fits; tests and the command line change some.</summary>
public sealed record BondOptions
{
    public static BondOptions Default { get; } = new();

    /// <summary>Received bytes the bond may hold for its readers, all streams together: the bond's window never promises more.</summary>
    /// <value>Default 64 MiB; 256 KiB to 1 GiB.</value>
    public long MemoryBudgetBytes { get; init; } = 64 << 20;

    /// <summary>The window a stream starts with; above <see cref="ManyStreams"/> streams a sender uses a quarter of it.</summary>
    /// <remarks>A constant of the protocol (docs/protocol.md, "Flow control"), never announced: only simulated pairs, both ends alike, take another one to meet their limits sooner.</remarks>
    internal int InitialStreamWindowBytes { get; init; } = 64 << 10;

    /// <summary>From this many streams on, new ones start with a quarter of the initial window.</summary>
    public int ManyStreams { get; init; } = 256;

    /// <summary>Unacknowledged and unsent bytes a stream's sending side holds before its writer waits.</summary>
    /// <value>Default 16 MiB; it is never more than the peer's window and what one round trip needs.</value>
    public int MaxStreamSendBufferBytes { get; init; } = 16 << 20;

    /// <summary>Streams the peer may have open at once.</summary>
    /// <value>Default 65,536.</value>
    public int MaxStreams { get; init; } = 65_536;

    /// <summary>Subflows a bond may have at once, dying ones included.</summary>
    public int MaxSubflows { get; init; } = 16;

    /// <summary>Silence beyond the smoothed RTT after which a subflow is suspect.</summary>
    /// <value>Default 20 ms; 5 ms to 2 s. Lower recovers sooner, duplicates more.</value>
    public TimeSpan SuspectMargin { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>Where the bytes of streams lie.</summary>
    /// <value>Default: the process's own pool; a test gives each bond its own to find leaks.</value>
    public SegmentPool Segments { get; init; } = SegmentPool.Shared;

    /// <summary>An acknowledgement waits at most this long for more bytes to acknowledge.</summary>
    /// <value>Default 5 ms.</value>
    public TimeSpan AckDelay { get; init; } = TimeSpan.FromMilliseconds(5);
}

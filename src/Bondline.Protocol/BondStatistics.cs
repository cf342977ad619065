namespace Bondline.Protocol;

/// <summary>Counters of a bond since it began, and what it holds now; all in bytes unless named otherwise.</summary>
public readonly record struct BondStatistics
{
    /// <summary>Stream bytes sent for the first time.</summary>
    public long BytesSent { get; init; }

    /// <summary>Stream bytes received for the first time.</summary>
    public long BytesReceived { get; init; }

    /// <summary>Frame headers and control frames sent.</summary>
    public long FramingBytesSent { get; init; }

    /// <summary>Stream bytes sent again because a subflow was silent, late or lost.</summary>
    public long BytesReinjected { get; init; }

    /// <summary>Stream bytes of small frames sent twice on purpose.</summary>
    public long BytesDuplicated { get; init; }

    /// <summary>Stream bytes that came again.</summary>
    public long DuplicateBytesReceived { get; init; }

    /// <summary>Streams open now.</summary>
    public int Streams { get; init; }

    /// <summary>Written and not yet acknowledged, plus received and not yet read.</summary>
    public long BufferedBytes { get; init; }

    /// <summary>Of two bonds together.</summary>
    public static BondStatistics operator +(in BondStatistics a, in BondStatistics b) => new()
    {
        BytesSent = a.BytesSent + b.BytesSent,
        BytesReceived = a.BytesReceived + b.BytesReceived,
        FramingBytesSent = a.FramingBytesSent + b.FramingBytesSent,
        BytesReinjected = a.BytesReinjected + b.BytesReinjected,
        BytesDuplicated = a.BytesDuplicated + b.BytesDuplicated,
        DuplicateBytesReceived = a.DuplicateBytesReceived + b.DuplicateBytesReceived,
        Streams = a.Streams + b.Streams,
        BufferedBytes = a.BufferedBytes + b.BufferedBytes,
    };
}

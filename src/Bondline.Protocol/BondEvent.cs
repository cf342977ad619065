namespace Bondline.Protocol;

public enum BondEventKind
{
    /// <summary>The peer opened a stream.</summary>
    StreamOpened,

    /// <summary>Bytes, the end or a reset can be read where nothing could before.</summary>
    StreamReadable,

    /// <summary>There is room in the send buffer where there was none before.</summary>
    StreamWritable,

    /// <summary>The peer reset its sending side.</summary>
    StreamReset,

    /// <summary>The peer reads no more; our sending side is reset in answer.</summary>
    StreamStopped,

    /// <summary>Both directions are over and acknowledged; the bond has forgotten the stream.</summary>
    StreamClosed,

    /// <summary>The peer allows more streams where <see cref="Bond.TryOpenStream"/> refused before.</summary>
    StreamsAvailable,

    /// <summary>A subflow's state changed.</summary>
    SubflowChanged,

    /// <summary>A subflow is dead: dial a replacement.</summary>
    SubflowDead,

    /// <summary>The peer closed the bond.</summary>
    BondClosed,
}

/// <summary>Something the driver may want to act on; taken with <see cref="Bond.TryPollEvent"/> in the order it happened.</summary>
public readonly record struct BondEvent(BondEventKind Kind, StreamEndpoint? Stream = null, Subflow? Subflow = null, ulong Code = 0, string? Reason = null);

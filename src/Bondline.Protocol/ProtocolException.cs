namespace Bondline.Protocol;

/// <summary>Why a bond, a subflow or a stream ended; the number goes on the wire (docs/protocol.md, section "Error codes").</summary>
public enum ProtocolError : ulong
{
    None = 0,
    Internal = 1,
    FrameTooLarge = 2,
    FrameMalformed = 3,
    FrameUnknown = 4,
    FrameOutOfState = 5,
    FlowControl = 6,
    StreamLimit = 7,
    FinalSize = 8,
    AckBeyondSent = 9,
    HandshakeTimeout = 10,
    VersionUnsupported = 11,
    TokenRefused = 12,
    TokenRevoked = 13,
    BondUnknown = 14,
    JoinProof = 15,
    SubflowIdReused = 16,
    TooManySubflows = 17,
    Superseded = 18,
    TooManyHandshakes = 19,
    GoingAway = 20,
    Resource = 21,
    TooManyBonds = 22,
}

/// <summary>Why a stream was reset or its reading stopped; goes on the wire in RESET and STOP_SENDING.</summary>
public enum StreamError : ulong
{
    None = 0,
    Cancelled = 1,
    Refused = 2,
    LocalUnreachable = 3,
    LocalReset = 4,
    VisitorReset = 5,
    SlowReader = 6,
    HeaderMalformed = 7,
    TunnelUnknown = 8,
    BondLost = 9,
    Internal = 10,
    LocalUntrusted = 11,
    LocalTls = 12,
}

/// <summary>The peer broke the protocol: the subflow it came on, or the bond, ends with <see cref="Error"/> on the wire.</summary>
public sealed class ProtocolException(ProtocolError error, string message) : Exception(message)
{
    public ProtocolError Error { get; } = error;
}

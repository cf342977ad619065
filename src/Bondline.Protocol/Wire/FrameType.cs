namespace Bondline.Protocol;

/// <summary>The first number of every frame (docs/protocol.md, section "Frames"). A peer skips odd types it does not know and closes the bond at even ones.</summary>
public enum FrameType : ulong
{
    Hello = 0x00,
    Padding = 0x01,
    Open = 0x02,
    Welcome = 0x04,
    Join = 0x06,
    Joined = 0x08,
    Close = 0x0a,
    Stream = 0x10,
    Ack = 0x12,
    MaxStreamData = 0x14,
    MaxData = 0x16,
    MaxStreams = 0x18,
    Reset = 0x1a,
    StopSending = 0x1c,
    Ping = 0x1e,
    Pong = 0x20,
    SubflowStatus = 0x22,

    /// <summary>STREAM whose last byte is the last of the stream.</summary>
    StreamEnd = 0x24,

    /// <summary>Reserved for datagrams (docs/protocol.md, section "Reserved").</summary>
    Datagram = 0x31,

    /// <summary>Reserved for draining a relay.</summary>
    GoAway = 0x33,

    /// <summary>Reserved for moving a bond to another relay.</summary>
    Move = 0x35,

    /// <summary>Odd, so that a relay of before skips it and shares the bytes out as ever.</summary>
    Mode = 0x37,
}

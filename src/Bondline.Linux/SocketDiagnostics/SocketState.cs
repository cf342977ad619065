namespace Bondline.Linux;

/// <summary>The state of a TCP or MPTCP socket (net/tcp_states.h).</summary>
public enum SocketState : byte
{
    Unknown = 0,
    Established = 1,
    SynSent = 2,
    SynReceived = 3,
    FinWait1 = 4,
    FinWait2 = 5,
    TimeWait = 6,
    Closed = 7,
    CloseWait = 8,
    LastAck = 9,
    Listening = 10,
    Closing = 11,
    NewSynReceived = 12,
}

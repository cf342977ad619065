namespace Bondline.Protocol;

/// <summary>Health of a subflow; larger is worse.</summary>
public enum SubflowState
{
    /// <summary>Carries new data.</summary>
    Active,

    /// <summary>Silent for longer than it should be: no new data, its unacknowledged frames are copied to others. Cheap to be wrong.</summary>
    Suspect,

    /// <summary>Silent for about a second, or known to be gone: a replacement is dialled.</summary>
    Dead,

    /// <summary>Its socket is closed; it only waits to be forgotten.</summary>
    Closed,
}

/// <summary>Why a subflow is in its state.</summary>
public enum SubflowReason
{
    None,
    Silence,
    Carrier,
    Address,
    Route,
    Reset,
    Timeout,

    /// <summary>The peer said so in SUBFLOW_STATUS.</summary>
    Peer,
    Suspend,
    Policy,

    /// <summary>Its first large frame was not answered, though it joined: large packets vanish on its path.</summary>
    Mtu,

    /// <summary>Of an active subflow: what is sent on it arrives, and what the peer answers on it does not.</summary>
    Unheard,
    Closed,
}

/// <summary>What the agent's user wants an interface used for.</summary>
public enum SubflowPolicy
{
    Normal,

    /// <summary>Used before normal ones while it has credit; where one subflow is used at a time, it is this one.</summary>
    Prefer,

    /// <summary>New data only while no normal or preferred subflow is active.</summary>
    Backup,

    /// <summary>It costs money: new data only while no other one is active, backups included, and until then no acks and hardly a PING.</summary>
    Metered,

    /// <summary>Never used.</summary>
    Off,
}

/// <summary>What the kernel knows of a subflow's TCP connection (Linux <c>TCP_INFO</c>); it refines the bond's own estimates.</summary>
/// <param name="Rtt">The kernel's smoothed round-trip time: to the first TCP endpoint, which a proxy may be.</param>
/// <param name="RttVariation">Its mean deviation.</param>
/// <param name="MinRtt">The least round-trip time seen lately.</param>
/// <param name="DeliveryRateBytesPerSecond">The latest delivery rate sample.</param>
/// <param name="IsAppLimited">The sample was limited by the sender, not the network.</param>
/// <param name="SinceLastAck">Time since the last TCP acknowledgement came in; selective ones count.</param>
/// <param name="Backoff">How often the retransmission timer has doubled.</param>
/// <param name="BytesRetransmitted">Since the connection began.</param>
/// <param name="BytesAcked">Since the connection began.</param>
/// <param name="NotSentBytes">In the socket's send queue and not yet sent.</param>
public readonly record struct TcpSample(
    TimeSpan Rtt,
    TimeSpan RttVariation,
    TimeSpan MinRtt,
    long DeliveryRateBytesPerSecond,
    bool IsAppLimited,
    TimeSpan SinceLastAck,
    int Backoff,
    long BytesRetransmitted,
    long BytesAcked,
    long NotSentBytes);

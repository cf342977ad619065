namespace Bondline.Protocol;

/// <summary>The receiving direction of a stream.</summary>
public enum ReceiveState
{
    Open,

    /// <summary>The peer's FIN and every byte before it were read.</summary>
    Finished,

    /// <summary>The peer reset it, or we stopped reading.</summary>
    Reset,
}

/// <summary>The sending direction of a stream.</summary>
public enum SendState
{
    Open,

    /// <summary>FIN is queued or sent; not everything is acknowledged.</summary>
    Finishing,

    /// <summary>FIN and every byte before it are acknowledged.</summary>
    Acknowledged,

    /// <summary>We reset it, or the peer stopped reading.</summary>
    Reset,
}

using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>The relay will not have this agent, or is not the relay the join URL names: dialling again cannot help.</summary>
public sealed class BondRefusedException(ProtocolError error, string message, bool isPinMismatch = false) : Exception(message)
{
    /// <summary>The relay's code; <see cref="ProtocolError.None"/> if we refused the relay.</summary>
    public ProtocolError Error { get; } = error;

    /// <summary>The relay showed a key that no pin of the join URL matches: the token was not sent.</summary>
    public bool IsPinMismatch { get; } = isPinMismatch;
}

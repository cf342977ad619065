using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Who knows which tokens may open bonds.</summary>
public interface IAgentAuthenticator
{
    /// <summary>Called once per OPEN, inside TLS, concurrently; the handshake's time runs meanwhile.</summary>
    ValueTask<AuthenticationResult> AuthenticateAsync(Token token, CancellationToken cancellationToken);
}

/// <param name="Error"><see cref="ProtocolError.None"/>, <see cref="ProtocolError.TokenRefused"/> or <see cref="ProtocolError.TokenRevoked"/>.</param>
/// <param name="Reason">Sent to the agent: says nothing an attacker could use.</param>
public readonly record struct AuthenticationResult(ProtocolError Error, string Reason)
{
    public static AuthenticationResult Accepted => new(ProtocolError.None, "");

    public bool IsAccepted => Error == ProtocolError.None;
}

using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Bondline.Protocol;

namespace Bondline.Agent;

/// <summary>TLS to a local service: the agent is its client.</summary>
internal static class LocalTls
{
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Makes the handshake over a connection to <paramref name="target"/>.</summary>
    /// <param name="socket">Stays the caller's.</param>
    /// <param name="target">Whose name the certificate must have.</param>
    /// <param name="isInsecure">Take any certificate.</param>
    /// <param name="protocols">Offered by ALPN; with HTTP/2 as the only one, the service must take it.</param>
    /// <param name="stop">Gives up.</param>
    /// <exception cref="LocalTlsException">The certificate is not trusted, or there is no TLS there.</exception>
    public static async Task<SslStream> ConnectAsync(Socket socket, LocalTarget target, bool isInsecure, List<SslApplicationProtocol> protocols, CancellationToken stop)
    {
        string? objection = null;
        var tls = new SslStream(new NetworkStream(socket));
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(HandshakeTimeout);
        try
        {
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = target.Host ?? "localhost",
                    ApplicationProtocols = protocols,
                    RemoteCertificateValidationCallback = (_, _, chain, errors) => isInsecure || (objection = Objection(errors, chain)) is null,
                },
                limit.Token);
            if (protocols is [var only] && only == SslApplicationProtocol.Http2 && tls.NegotiatedApplicationProtocol != only)
                throw new LocalTlsException(StreamError.LocalTls, "it speaks HTTP/2 no longer");
            return tls;
        }
        catch (Exception error)
        {
            await tls.DisposeAsync();
            if (error is OperationCanceledException && !stop.IsCancellationRequested) throw new LocalTlsException(StreamError.LocalTls, "the TLS handshake took too long");
            if (error is not (AuthenticationException or IOException)) throw;
            throw objection is not null ? new LocalTlsException(StreamError.LocalUntrusted, objection) : new LocalTlsException(StreamError.LocalTls, "it does not speak TLS");
        }
    }

    private static string? Objection(SslPolicyErrors errors, X509Chain? chain) => errors switch
    {
        SslPolicyErrors.None => null,
        _ when errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable) => "it has no certificate",
        _ when errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) => "its certificate is for another name",
        _ when chain?.ChainStatus.Any(status => status.Status == X509ChainStatusFlags.NotTimeValid) == true => "its certificate has expired, or is not valid yet",
        _ => "its certificate is not signed by an authority that this machine trusts",
    };
}

/// <summary>There is no TLS connection to the local service.</summary>
/// <param name="error">What the relay is told.</param>
/// <param name="why">What the user is told, said of the service.</param>
internal sealed class LocalTlsException(StreamError error, string why) : Exception(why)
{
    public StreamError Error => error;
}

using System.Net;
using Bondline.Transport;
using Microsoft.AspNetCore.Connections;

namespace Bondline.Relay;

/// <summary>Bounds the TLS handshakes of visitors under way: half of one costs 79 KB. Where there are too many, the oldest one is closed.</summary>
internal sealed class HandshakeGate
{
    private readonly HandshakeAdmission _admission = new(limit: 512, limitPerSource: 128);

    /// <summary>Goes before TLS.</summary>
    public ConnectionDelegate Enter(ConnectionDelegate next) => async connection =>
    {
        var place = _admission.Enter((connection.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None);
        var losing = place.Lost.UnsafeRegister(static lost => ((ConnectionContext)lost!).Abort(new("Too many TLS handshakes at once, and this was the oldest.")), connection);
        using var handshake = new Handshake(place, losing);
        connection.Features.Set(handshake);
        await next(connection);
    };

    /// <summary>Goes after TLS: the handshake is over.</summary>
    public ConnectionDelegate Leave(ConnectionDelegate next) => connection =>
    {
        connection.Features.Get<Handshake>()?.Dispose();
        return next(connection);
    };

    private sealed class Handshake(HandshakeAdmission.Place place, CancellationTokenRegistration losing) : IDisposable
    {
        /// <summary>From here on the place cannot be lost; it may just have been.</summary>
        public void Dispose()
        {
            losing.Dispose();
            place.Dispose();
        }
    }
}

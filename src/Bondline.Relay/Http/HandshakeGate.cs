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
        using var place = _admission.Enter((connection.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None);
        using var losing = place.Lost.UnsafeRegister(static lost => ((ConnectionContext)lost!).Abort(new("Too many TLS handshakes at once, and this was the oldest.")), connection);
        connection.Features.Set(place);
        await next(connection);
    };

    /// <summary>Goes after TLS: the handshake is over.</summary>
    public ConnectionDelegate Leave(ConnectionDelegate next) => connection =>
    {
        connection.Features.Get<HandshakeAdmission.Place>()?.Dispose();
        return next(connection);
    };
}

using Microsoft.AspNetCore.Connections;

namespace Bondline.Relay;

/// <summary>Bounds the TLS handshakes of visitors under way: half of one costs 79 KB. Whoever comes when all places are taken is closed.</summary>
internal sealed class HandshakeGate
{
    private const int Limit = 512;

    private int _running;

    /// <summary>Goes before TLS.</summary>
    public ConnectionDelegate Enter(ConnectionDelegate next) => async connection =>
    {
        if (Interlocked.Increment(ref _running) > Limit)
        {
            Interlocked.Decrement(ref _running);
            connection.Abort(new ConnectionAbortedException("Too many TLS handshakes at once."));
            return;
        }
        var place = new Place(this);
        connection.Features.Set(place);
        try
        {
            await next(connection);
        }
        finally
        {
            place.Free();
        }
    };

    /// <summary>Goes after TLS: the handshake is over.</summary>
    public ConnectionDelegate Leave(ConnectionDelegate next) => connection =>
    {
        connection.Features.Get<Place>()?.Free();
        return next(connection);
    };

    private sealed class Place(HandshakeGate gate)
    {
        private int _isFree;

        public void Free()
        {
            if (Interlocked.Exchange(ref _isFree, 1) == 0) Interlocked.Decrement(ref gate._running);
        }
    }
}

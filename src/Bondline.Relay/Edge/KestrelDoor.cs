using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>An address of Kestrel's that no port stands for: connections come to it through a <see cref="KestrelDoor"/>.</summary>
internal sealed class DoorEndPoint(string name) : EndPoint
{
    public static DoorEndPoint Plain { get; } = new("http visitors");

    public static DoorEndPoint Tls { get; } = new("https visitors");

    public override string ToString() => name;
}

/// <summary>Gives Kestrel connections that were accepted elsewhere.</summary>
internal sealed class KestrelDoor(ILogger log) : IConnectionListenerFactory, IConnectionListenerFactorySelector, IDisposable
{
    private const int MaxWaiting = 1024; // then the accept loops wait

    private readonly SocketConnectionContextFactory _factory = new(new SocketConnectionFactoryOptions(), log);
    private readonly Listener _plain = new(DoorEndPoint.Plain), _tls = new(DoorEndPoint.Tls);

    public bool CanBind(EndPoint endpoint) => endpoint is DoorEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(endpoint == DoorEndPoint.Tls ? _tls : _plain);

    /// <summary>Hands a connection over, nothing of it read.</summary>
    /// <param name="socket">Owned by Kestrel from here on.</param>
    /// <param name="endPoint">Where it is to arrive.</param>
    /// <param name="tunnel">The tunnel whose port it came to; null if its Host decides.</param>
    public async Task EnterAsync(Socket socket, DoorEndPoint endPoint, HttpTunnel? tunnel)
    {
        try
        {
            VisitorSocket.Prepare(socket);
        }
        catch (SocketException) // gone again
        {
            socket.Dispose();
            return;
        }
        var connection = _factory.Create(socket);
        if (tunnel is not null) connection.Features.Set(tunnel);
        if (!await (endPoint == DoorEndPoint.Tls ? _tls : _plain).OfferAsync(connection)) await connection.DisposeAsync();
    }

    public void Dispose() => _factory.Dispose();

    private sealed class Listener(EndPoint endPoint) : IConnectionListener
    {
        private readonly Channel<ConnectionContext> _arrivals = Channel.CreateBounded<ConnectionContext>(MaxWaiting);

        public EndPoint EndPoint => endPoint;

        public async ValueTask<bool> OfferAsync(ConnectionContext connection)
        {
            while (await _arrivals.Writer.WaitToWriteAsync())
                if (_arrivals.Writer.TryWrite(connection)) return true;
            return false;
        }

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (await _arrivals.Reader.WaitToReadAsync(cancellationToken))
                if (_arrivals.Reader.TryRead(out var connection)) return connection;
            return null;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            _arrivals.Writer.TryComplete();
            return ValueTask.CompletedTask;
        }

        public async ValueTask DisposeAsync()
        {
            _arrivals.Writer.TryComplete();
            while (_arrivals.Reader.TryRead(out var connection)) await connection.DisposeAsync();
        }
    }
}

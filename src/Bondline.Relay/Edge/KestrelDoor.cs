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

    /// <summary>Visitors of <see cref="Plain"/> who speak HTTP/2 at once.</summary>
    public static DoorEndPoint Http2 { get; } = new("http/2 visitors");

    public static DoorEndPoint Tls { get; } = new("https visitors");

    public override string ToString() => name;
}

/// <summary>Gives Kestrel connections that were accepted elsewhere.</summary>
internal sealed class KestrelDoor(VisitorCounter visitors, ILogger log) : IConnectionListenerFactory, IConnectionListenerFactorySelector, IDisposable
{
    private const int MaxWaiting = 1024; // then the accept loops wait

    /// <summary>Whoever has not said by then which HTTP it speaks is taken for HTTP/1.1, whose own time limits end it.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly SocketConnectionContextFactory _factory = new(new SocketConnectionFactoryOptions { UnsafePreferInlineScheduling = true }, log);
    private readonly Listener _plain = new(DoorEndPoint.Plain), _http2 = new(DoorEndPoint.Http2), _tls = new(DoorEndPoint.Tls);

    public bool CanBind(EndPoint endpoint) => endpoint is DoorEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(ListenerOf((DoorEndPoint)endpoint));

    /// <summary>Hands a connection over, nothing of it read.</summary>
    /// <param name="socket">Owned by Kestrel from here on; reset if there are too many visitors.</param>
    /// <param name="endPoint">Where it is to arrive; <see cref="DoorEndPoint.Plain"/> is told apart from <see cref="DoorEndPoint.Http2"/> here.</param>
    /// <param name="tunnel">The tunnel whose port it came to; null if its Host decides.</param>
    public async Task EnterAsync(Socket socket, DoorEndPoint endPoint, HttpTunnel? tunnel)
    {
        if (visitors.Enter(socket) is not { } visitor) return;
        var connection = new VisitorConnection(_factory.Create(visitor.Socket), visitor.Place);
        connection.Features.Set(visitor.Addresses);
        if (tunnel is not null) connection.Features.Set(tunnel);
        if (endPoint == DoorEndPoint.Plain && await SpeaksHttp2Async(connection)) endPoint = DoorEndPoint.Http2;
        if (!await ListenerOf(endPoint).OfferAsync(connection)) await connection.DisposeAsync();
    }

    public void Dispose() => _factory.Dispose();

    private Listener ListenerOf(DoorEndPoint endPoint) => endPoint == DoorEndPoint.Tls ? _tls : endPoint == DoorEndPoint.Http2 ? _http2 : _plain;

    /// <summary>Looks at what a connection begins with; all of it stays to be read.</summary>
    private async ValueTask<bool> SpeaksHttp2Async(ConnectionContext connection)
    {
        var input = connection.Transport.Input;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(_plain.Unbound);
        patience.CancelAfter(Patience);
        try
        {
            while (true)
            {
                var result = await input.ReadAsync(patience.Token);
                var isHttp2 = Http2Preface.IsStartOf(result.Buffer);
                var isDecided = isHttp2 is not null || result.IsCompleted;
                input.AdvanceTo(result.Buffer.Start, isDecided ? result.Buffer.Start : result.Buffer.End);
                if (isDecided) return isHttp2 == true;
            }
        }
        catch (Exception error) when (error is OperationCanceledException or IOException) // too late, or reset: Kestrel finds out
        {
            return false;
        }
    }

    private sealed class Listener(EndPoint endPoint) : IConnectionListener
    {
        private readonly Channel<ConnectionContext> _arrivals = Channel.CreateBounded<ConnectionContext>(MaxWaiting);
        private readonly CancellationTokenSource _unbound = new(); // never disposed: it holds no timer

        /// <summary>Cancelled when it takes no more.</summary>
        public CancellationToken Unbound => _unbound.Token;

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

        public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            _arrivals.Writer.TryComplete();
            await _unbound.CancelAsync();
        }

        public async ValueTask DisposeAsync()
        {
            _arrivals.Writer.TryComplete();
            while (_arrivals.Reader.TryRead(out var connection)) await connection.DisposeAsync();
        }
    }
}

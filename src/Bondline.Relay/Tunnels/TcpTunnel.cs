using System.Net.Sockets;
using Bondline.Protocol;
using Bondline.Transport;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>A public TCP port: each visitor is one stream of the bond.</summary>
internal sealed class TcpTunnel : Tunnel
{
    private readonly Acceptor _acceptor;
    private readonly VisitorCounter _visitors;
    private readonly ILogger _log;

    /// <summary>Opens the port: <paramref name="listener"/> is bound and owned from here on.</summary>
    public TcpTunnel(ITunnelHolder holder, RegisterTunnel request, string url, Socket listener, VisitorCounter visitors, ServedConnections connections, ILogger log) : base(holder, request, url)
    {
        (_visitors, _log) = (visitors, log);
        _acceptor = new Acceptor(listener, ServeAsync, connections, log);
    }

    public int Port => _acceptor.EndPoint.Port;

    public override ValueTask DisposeAsync() => _acceptor.DisposeAsync();

    private async Task ServeAsync(Socket accepted)
    {
        var remote = accepted.RemoteEndPoint;
        if (_visitors.Enter(accepted) is not { } entered) return;
        using var place = entered.Place;
        var visitor = entered.Socket;
        BondStream stream;
        try
        {
            stream = await OpenStreamAsync(StreamKind.Tcp, remote, CancellationToken.None);
        }
        catch (BondStreamException error)
        {
            _log.VisitorFailed(remote, Url, error.Message);
            VisitorSocket.Reset(visitor);
            return;
        }
        // Whatever the pump waits for, a visitor who does not read included: without the bond there is nothing more to come.
        await using var lost = Holder.Over.UnsafeRegister(static socket => VisitorSocket.Reset((Socket)socket!), visitor);
        await new StreamPump(visitor, stream).RunAsync();
    }
}

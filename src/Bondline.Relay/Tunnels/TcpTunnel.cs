using System.Net.Sockets;
using Bondline.Protocol;
using Bondline.Transport;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>A public TCP port: each visitor is one stream of the bond.</summary>
internal sealed class TcpTunnel : Tunnel
{
    // A bond whose streams are used up, or that is full and has no network, may be so for long, and a visitor who waits cannot be seen to leave.
    private static readonly TimeSpan OpenTime = TimeSpan.FromSeconds(30);

    private readonly Acceptor _acceptor;
    private readonly VisitorCounter _visitors;
    private readonly TimeProvider _time;
    private readonly ILogger _log;

    /// <summary>Opens the port: <paramref name="listener"/> is bound and owned from here on.</summary>
    public TcpTunnel(ITunnelHolder holder, RegisterTunnel request, string url, Socket listener, VisitorCounter visitors, ServedConnections connections, TimeProvider time, ILogger log) : base(holder, request, url)
    {
        (_visitors, _time, _log) = (visitors, time, log);
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
            using var late = new CancellationTokenSource(OpenTime, _time);
            stream = await OpenStreamAsync(StreamKind.Tcp, remote, late.Token);
        }
        catch (Exception error) when (error is BondStreamException or OperationCanceledException)
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

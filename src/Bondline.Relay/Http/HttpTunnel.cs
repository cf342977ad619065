using System.Net;
using System.Net.Sockets;
using Bondline.Protocol;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>A public name, or a port of its own, whose requests go to one agent; connections to it are streams of the bond, kept and used again like any HTTP connections.</summary>
internal sealed class HttpTunnel : Tunnel
{
    // Short: a fresh stream costs no round trip, while the local service may close an idle connection just when a request is on its way to it.
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(1);

    private readonly Acceptor? _acceptor;
    private readonly Lazy<HttpMessageInvoker> _sender;

    public HttpTunnel(ITunnelHolder holder, RegisterTunnel request, string url, string name) : base(holder, request, url)
    {
        Name = name;
        _sender = new(Connect);
    }

    /// <summary>A tunnel with a port: <paramref name="listener"/> is bound and owned from here on, <paramref name="visitors"/> takes what arrives there.</summary>
    public HttpTunnel(ITunnelHolder holder, RegisterTunnel request, string url, Socket listener, Func<HttpTunnel, Socket, Task> visitors, ServedConnections connections, ILogger log)
        : base(holder, request, url)
    {
        _sender = new(Connect);
        _acceptor = new Acceptor(listener, socket => visitors(this, socket), connections, log);
    }

    /// <summary>The label before the domain; null if the tunnel has a port instead.</summary>
    public string? Name { get; }

    /// <summary>Sends requests to the agent.</summary>
    public HttpMessageInvoker Sender => _sender.Value;

    public override async ValueTask DisposeAsync()
    {
        if (_acceptor is not null) await _acceptor.DisposeAsync();
        // Requests on their way keep their connections; the bond ends those when it does.
        if (_sender.IsValueCreated) _sender.Value.Dispose();
    }

    private HttpMessageInvoker Connect() => new(new SocketsHttpHandler
    {
        ConnectCallback = async (context, stop) =>
        {
            context.InitialRequestMessage.Options.TryGetValue(HttpEdge.Visitor, out var visitor);
            return await OpenStreamAsync(StreamKind.Http, visitor, stop);
        },
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ActivityHeadersPropagator = null, // a visitor's trace headers pass as they are
        EnableMultipleHttp2Connections = true,
        PooledConnectionIdleTimeout = IdleTime,
        PooledConnectionLifetime = Timeout.InfiniteTimeSpan,
        ConnectTimeout = Timeout.InfiniteTimeSpan, // without a live subflow it waits, as everything does
        MaxResponseHeadersLength = 256, // KiB
    });
}

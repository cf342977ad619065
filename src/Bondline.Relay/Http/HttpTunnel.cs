using System.Net;
using System.Net.Sockets;
using Bondline.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace Bondline.Relay;

/// <summary>A public name, or a port of its own, whose requests go to one agent; connections to it are streams of the bond, kept and used again like any HTTP connections.</summary>
internal sealed class HttpTunnel : Tunnel
{
    // Short: a fresh stream costs no round trip, while the local service may close an idle connection just when a request is on its way to it.
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(1);

    private readonly HttpVersions _speaks;
    private readonly ForwarderRequestConfig _http1, _http2;
    private readonly Acceptor? _acceptor;
    private readonly Lazy<HttpMessageInvoker> _sender;

    public HttpTunnel(ITunnelHolder holder, RegisterTunnel request, string url, string name, TimeSpan idleTimeout) : base(holder, request, url)
    {
        Name = name;
        _sender = new(Connect);
        (_speaks, Transformer) = (request.Http ?? HttpVersions.Http1, new(request.HostHeader));
        (_http1, _http2) = (Exactly(HttpVersion.Version11, idleTimeout), Exactly(HttpVersion.Version20, idleTimeout));
    }

    /// <summary>A tunnel with a port: <paramref name="listener"/> is bound and owned from here on, <paramref name="visitors"/> takes what arrives there.</summary>
    public HttpTunnel(ITunnelHolder holder, RegisterTunnel request, string url, TimeSpan idleTimeout, Socket listener, Func<HttpTunnel, Socket, Task> visitors, ServedConnections connections, ILogger log)
        : base(holder, request, url)
    {
        _sender = new(Connect);
        (_speaks, Transformer) = (request.Http ?? HttpVersions.Http1, new(request.HostHeader));
        (_http1, _http2) = (Exactly(HttpVersion.Version11, idleTimeout), Exactly(HttpVersion.Version20, idleTimeout));
        _acceptor = new Acceptor(listener, socket => visitors(this, socket), connections, log);
    }

    /// <summary>The label before the domain; null if the tunnel has a port instead.</summary>
    public string? Name { get; }

    /// <summary>Sends requests to the agent.</summary>
    public HttpMessageInvoker Sender => _sender.Value;

    /// <summary>What becomes of a request's headers.</summary>
    public VisitorTransformer Transformer { get; }

    /// <summary>The version the local service gets a request in: that of the visitor, as far as it speaks it. WebSockets that came as HTTP/2 go on as HTTP/1.1 where they can, which every service takes.</summary>
    public ForwarderRequestConfig VersionFor(HttpContext context) => _speaks switch
    {
        HttpVersions.Http2 => _http2,
        HttpVersions.Both when HttpProtocol.IsHttp2(context.Request.Protocol) && !HttpMethods.IsConnect(context.Request.Method) => _http2,
        _ => _http1,
    };

    public override async ValueTask DisposeAsync()
    {
        if (_acceptor is not null) await _acceptor.DisposeAsync();
        // Requests on their way keep their connections; the bond ends those when it does.
        if (_sender.IsValueCreated) _sender.Value.Dispose();
    }

    private HttpMessageInvoker Connect() => new(new PromptHandler(new SocketsHttpHandler
    {
        ConnectCallback = async (context, stop) =>
        {
            context.InitialRequestMessage.Options.TryGetValue(VisitorTransformer.Visitor, out var visitor);
            var isHttp2 = context.InitialRequestMessage.Version.Major == 2;
            Stream stream = await OpenStreamAsync(isHttp2 ? StreamKind.Http2 : StreamKind.Http, visitor, stop);
            return isHttp2 && _speaks == HttpVersions.Both ? new SecureSchemeStream(stream) : stream; // only a service behind TLS speaks both
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
    }));

    private static ForwarderRequestConfig Exactly(Version version, TimeSpan idleTimeout) => new()
    {
        ActivityTimeout = idleTimeout,
        Version = version,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };
}

using System.Net.Sockets;
using Bondline.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace Bondline.Relay;

/// <summary>A public name, or a port of its own, whose requests go to one agent; connections to it are streams of the bond, kept and used again like any HTTP connections.</summary>
internal sealed class HttpTunnel : Tunnel
{
    private readonly HttpVersions _speaks;
    private readonly Acceptor? _acceptor;
    private readonly Http1Forwarder _http1;
    private readonly Lazy<Http2Forwarder> _http2;

    public HttpTunnel(ITunnelHolder holder, RegisterTunnel request, string url, string name, HttpLimits limits) : this(holder, request, url, limits) => Name = name;

    /// <summary>A tunnel with a port: <paramref name="listener"/> is bound and owned from here on, <paramref name="visitors"/> takes what arrives there.</summary>
    public HttpTunnel(ITunnelHolder holder, RegisterTunnel request, string url, HttpLimits limits, Socket listener, Func<HttpTunnel, Socket, Task> visitors, ServedConnections connections, ILogger log)
        : this(holder, request, url, limits) => _acceptor = new Acceptor(listener, socket => visitors(this, socket), connections, log);

    private HttpTunnel(ITunnelHolder holder, RegisterTunnel request, string url, HttpLimits limits) : base(holder, request, url)
    {
        _speaks = request.Http ?? HttpVersions.Http1;
        _http1 = new((visitor, stop) => OpenStreamAsync(StreamKind.Http, visitor, stop), request.HostHeader, limits.IdleTimeout, limits.Time);
        _http2 = new(() => new((visitor, stop) => OpenStreamAsync(StreamKind.Http2, visitor, stop), request.HostHeader, limits.IdleTimeout, isSecure: _speaks == HttpVersions.Both)); // only a service behind TLS speaks both
    }

    /// <summary>The label before the domain; null if the tunnel has a port instead.</summary>
    public string? Name { get; }

    /// <summary>Forwards a request in the version of the visitor, as far as the local service speaks it. WebSockets that came as HTTP/2 go on as HTTP/1.1 where they can, which every service takes.</summary>
    /// <param name="context">The request.</param>
    /// <param name="http2">Forwards as HTTP/2.</param>
    /// <returns>Null, or what went wrong before the response began: the visitor has no answer yet.</returns>
    public Task<Exception?> ForwardAsync(HttpContext context, IHttpForwarder http2)
    {
        var isHttp2 = _speaks == HttpVersions.Http2 || (_speaks == HttpVersions.Both && HttpProtocol.IsHttp2(context.Request.Protocol) && !HttpMethods.IsConnect(context.Request.Method));
        return isHttp2 ? _http2.Value.ForwardAsync(context, http2) : _http1.ForwardAsync(context);
    }

    public override async ValueTask DisposeAsync()
    {
        if (_acceptor is not null) await _acceptor.DisposeAsync();
        // Requests on their way keep their connections; the bond ends those when it does.
        _http1.Dispose();
        if (_http2.IsValueCreated) _http2.Value.Dispose();
    }
}

using System.Net;
using System.Net.Security;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Abstractions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace Bondline.Relay;

/// <summary>HTTP visitors: finds the tunnel of a request and forwards it over the bond, whatever it is and however long it takes.</summary>
internal sealed class HttpEdge : IAsyncDisposable
{
    /// <summary>A bond without a network for longer is away, to a person who just asked; programs wait as streams do.</summary>
    private static readonly TimeSpan LongSilence = TimeSpan.FromSeconds(3);

    private readonly TunnelTable _tunnels;
    private readonly WebApplication _app; // for its services; it never runs itself
    private readonly IServer _kestrel;
    private readonly IHttpForwarder _http2;
    private readonly bool _isEmbedded;

    /// <param name="tunnels">Where requests can go.</param>
    /// <param name="door">Where connections come from.</param>
    /// <param name="certificates">What visitors of the TLS port see.</param>
    /// <param name="isEmbedded">With one tunnel, any Host is its.</param>
    /// <param name="limits">What visitors may send.</param>
    /// <param name="loggers">Kestrel's warnings go there too.</param>
    public HttpEdge(TunnelTable tunnels, KestrelDoor door, VisitorCertificates certificates, bool isEmbedded, HttpLimits limits, ILoggerFactory loggers)
    {
        _tunnels = tunnels;
        _isEmbedded = isEmbedded;
        // The empty builder: no other reads the settings files and environment of whatever folder the program was started in.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "bondline" });
        builder.Services.AddSingleton(loggers);
        builder.Services.AddSingleton<IConnectionListenerFactory>(door);
        builder.Services.AddHttpForwarder();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => Configure(kestrel, certificates, limits));
        _app = builder.Build();
        _http2 = _app.Services.GetRequiredService<IHttpForwarder>();
        _kestrel = _app.Services.GetRequiredService<IServer>();
    }

    public Task StartAsync(CancellationToken cancellationToken) => _kestrel.StartAsync(new Visits(this), cancellationToken);

    /// <summary>Ends Kestrel; what is still under way when <paramref name="cancellationToken"/> is cancelled is cut.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => _kestrel.StopAsync(cancellationToken);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static void Configure(KestrelServerOptions kestrel, VisitorCertificates certificates, HttpLimits limits)
    {
        kestrel.AddServerHeader = false;
        kestrel.RequestHeaderEncodingSelector = kestrel.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1; // bytes pass as they are, whatever they stand for
        kestrel.Limits.MaxRequestBodySize = limits.MaxBodyBytes;
        kestrel.Limits.MinRequestBodyDataRate = null; // a body may stand still for as long as the bond does
        kestrel.Limits.MinResponseDataRate = null;
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromMinutes(2); // between requests only: it ends no transfer
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(30);
        kestrel.Limits.MaxRequestHeadersTotalSize = limits.MaxHeaderBytes;
        kestrel.Limits.MaxRequestLineSize = Math.Min(limits.MaxHeaderBytes, HttpLimits.LongestRequestLine);
        kestrel.Limits.Http2.MaxRequestHeaderFieldSize = Math.Min(limits.MaxHeaderBytes, HttpLimits.LongestRequestLine);
        kestrel.Limits.MaxRequestHeaderCount = 256;
        kestrel.Listen(DoorEndPoint.Plain, listen => listen.Protocols = HttpProtocols.Http1);
        kestrel.Listen(DoorEndPoint.Http2, listen => listen.Protocols = HttpProtocols.Http2);
        kestrel.Listen(DoorEndPoint.Tls, listen =>
        {
            var gate = new HandshakeGate();
            listen.Use(gate.Enter);
            listen.UseHttps(new TlsHandshakeCallbackOptions
            {
                HandshakeTimeout = TimeSpan.FromSeconds(10),
                OnConnection = visitor => new(new SslServerAuthenticationOptions
                {
                    ServerCertificateContext = certificates.For(visitor.ClientHelloInfo.ServerName, (visitor.Connection.LocalEndPoint as IPEndPoint)?.Address),
                    ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
                }),
            });
            listen.Use(gate.Leave);
        });
    }

    private async Task HandleAsync(HttpContext context)
    {
        if (RequestCheck.Refusal(context) is { } status)
        {
            if (!HttpProtocol.IsHttp2(context.Request.Protocol)) context.Response.Headers.Connection = "close"; // where the next request begins is in doubt
            await RelayPage.Refusal(status).WriteAsync(context);
            return;
        }
        var tunnel = FindTunnel(context);
        if (tunnel is null)
        {
            await (IsOwned(context) ? RelayPage.Away(context) : RelayPage.NoTunnel(context)).WriteAsync(context);
            return;
        }
        using var request = tunnel.Holder.Requests.Begin(context, tunnel.Number);
        if (tunnel.Holder.SilentFor > LongSilence && RelayPage.IsForPerson(context)) await RelayPage.Away(context).WriteAsync(context);
        else if (await tunnel.ForwardAsync(context, _http2) is { } failure) await RelayPage.Failure(context, tunnel, failure).WriteAsync(context);
    }

    private HttpTunnel? FindTunnel(HttpContext context) =>
        context.Features.Get<HttpTunnel>() // it came to a tunnel's own port
        ?? _tunnels.Find(HostOf(context)) ?? (_isEmbedded ? _tunnels.Only : null);

    private bool IsOwned(HttpContext context) => _tunnels.IsOwned(HostOf(context));

    private static ReadOnlySpan<char> HostOf(HttpContext context)
    {
        // Request.Host decodes punycode, and throws where it is wrong.
        var host = context.Request.Headers.Host.ToString().AsSpan();
        var colon = host.LastIndexOf(':');
        return colon < 0 ? host : host[..colon];
    }

    /// <summary>Kestrel without a web host: its activities and log scopes for each request cost as much as forwarding it.</summary>
    private sealed class Visits(HttpEdge edge) : IHttpApplication<DefaultHttpContext>
    {
        public DefaultHttpContext CreateContext(IFeatureCollection contextFeatures)
        {
            // Kestrel keeps one for the next request of the connection.
            if (contextFeatures is not IHostContextContainer<DefaultHttpContext> kept) return new(contextFeatures);
            if (kept.HostContext is null) return kept.HostContext = new(contextFeatures);
            kept.HostContext.Initialize(contextFeatures);
            return kept.HostContext;
        }

        public Task ProcessRequestAsync(DefaultHttpContext context) => edge.HandleAsync(context);

        public void DisposeContext(DefaultHttpContext context, Exception? exception) => context.Uninitialize();
    }
}

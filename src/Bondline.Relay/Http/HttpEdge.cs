using System.Security.Cryptography.X509Certificates;
using Bondline.Protocol;
using Bondline.Transport;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace Bondline.Relay;

/// <summary>HTTP visitors: finds the tunnel of a request and forwards it over the bond, whatever it is and however long it takes.</summary>
internal sealed class HttpEdge : IAsyncDisposable
{
    private const string Destination = "http://agent";

    private readonly TunnelTable _tunnels;
    private readonly WebApplication _app;
    private readonly IHttpForwarder _forwarder;
    private readonly bool _isEmbedded;

    /// <param name="tunnels">Where requests can go.</param>
    /// <param name="door">Where connections come from.</param>
    /// <param name="certificate">What visitors of the TLS port see.</param>
    /// <param name="isEmbedded">With one tunnel, any Host is its.</param>
    /// <param name="loggers">Kestrel's warnings go there too.</param>
    public HttpEdge(TunnelTable tunnels, KestrelDoor door, X509Certificate2 certificate, bool isEmbedded, ILoggerFactory loggers)
    {
        _tunnels = tunnels;
        _isEmbedded = isEmbedded;
        // The empty builder: no other reads the settings files and environment of whatever folder the program was started in.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "bondline" });
        builder.Services.AddSingleton(loggers);
        builder.Services.AddSingleton<IHostLifetime, NoSignals>();
        builder.Services.AddSingleton<IConnectionListenerFactory>(door);
        builder.Services.AddHttpForwarder();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => Configure(kestrel, certificate));
        _app = builder.Build();
        _forwarder = _app.Services.GetRequiredService<IHttpForwarder>();
        _app.Run(HandleAsync);
    }

    public Task StartAsync(CancellationToken cancellationToken) => _app.StartAsync(cancellationToken);

    /// <summary>Ends Kestrel; what is still under way when <paramref name="cancellationToken"/> is cancelled is cut.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => _app.StopAsync(cancellationToken);

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static void Configure(KestrelServerOptions kestrel, X509Certificate2 certificate)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.MinRequestBodyDataRate = null; // a body may stand still for as long as the bond does
        kestrel.Limits.MinResponseDataRate = null;
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromMinutes(2); // between requests only: it ends no transfer
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(30);
        kestrel.Limits.MaxRequestHeadersTotalSize = 128 << 10;
        kestrel.Limits.MaxRequestHeaderCount = 256;
        kestrel.Listen(DoorEndPoint.Plain);
        kestrel.Listen(DoorEndPoint.Tls, listen =>
        {
            var gate = new HandshakeGate();
            listen.Use(gate.Enter);
            listen.UseHttps(new HttpsConnectionAdapterOptions { ServerCertificate = certificate, HandshakeTimeout = TimeSpan.FromSeconds(10) });
            listen.Use(gate.Leave);
        });
    }

    private async Task HandleAsync(HttpContext context)
    {
        if (FindTunnel(context) is not { } tunnel)
        {
            await ErrorPage.WriteAsync(context, StatusCodes.Status404NotFound, "No such tunnel", $"There is no tunnel at {context.Request.Host.Value}.", "The agent that served it may have been stopped, or the name is misspelt.");
            return;
        }
        using var request = tunnel.Holder.Requests.Begin(context, tunnel.Number);
        if (await _forwarder.SendAsync(context, Destination, tunnel.Sender, tunnel.VersionFor(context), tunnel.Transformer) == ForwarderError.None || context.Response.HasStarted) return;
        var (title, text, advice) = Explain(context, tunnel);
        await ErrorPage.WriteAsync(context, StatusCodes.Status502BadGateway, title, text, advice);
    }

    private HttpTunnel? FindTunnel(HttpContext context)
    {
        if (context.Features.Get<HttpTunnel>() is { } arrived) return arrived; // it came to a tunnel's own port
        var host = context.Request.Host.Value.AsSpan();
        var colon = host.LastIndexOf(':');
        return _tunnels.Find(colon < 0 ? host : host[..colon]) ?? (_isEmbedded ? _tunnels.Only : null);
    }

    private static (string Title, string Text, string Advice) Explain(HttpContext context, HttpTunnel tunnel)
    {
        var code = StreamError.None;
        for (var error = context.Features.Get<IForwarderErrorFeature>()?.Exception; error is not null; error = error.InnerException)
        {
            if (error is BondStreamException reset) code = reset.Error;
            else if (error is ObjectDisposedException && code == StreamError.None) code = StreamError.TunnelUnknown; // the tunnel closed just now
        }
        var service = tunnel.Local switch
        {
            null => "local service",
            var port when port.All(char.IsAsciiDigit) => $"local service on port {port}",
            var local => $"local service at {local}",
        };
        return code switch
        {
            StreamError.LocalUnreachable => ("The local service does not answer", $"The agent tried the {service} and nothing accepted the connection.", "Start the service; the tunnel itself works."),
            StreamError.LocalUntrusted => ("The local service is not trusted", $"The agent does not trust the certificate of the {service}.", "Its owner can add the certificate's authority to the agent's machine, or skip the check with --local-insecure."),
            StreamError.LocalTls => ("The local service does not answer", $"The agent got no TLS connection to the {service}.", "It may speak plain HTTP: then the tunnel should lead to http://."),
            StreamError.LocalReset => ("The local service broke off", $"The {service} closed the connection before it had answered.", "Its own log may say why."),
            StreamError.BondLost or StreamError.TunnelUnknown or StreamError.Refused => ("The agent is gone", "The agent of this tunnel was stopped while it handled the request.", "Try again."),
            _ => ("No answer", $"The {service} did not answer the request properly.", "Its own log may say why."),
        };
    }

    /// <summary>The program has its own signals; the web host is not to take them.</summary>
    private sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Yarp.ReverseProxy.Forwarder;

// A reverse proxy with nothing but Kestrel and YARP's forwarder, which the relay's edge is made of too: yarp-hop PORT PORT-OF-THE-SERVICE, both on 127.0.0.1.
var port = int.Parse(args[0], CultureInfo.InvariantCulture);
var service = $"http://127.0.0.1:{int.Parse(args[1], CultureInfo.InvariantCulture)}";
var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "yarp-hop" });
builder.Services.AddHttpForwarder();
builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
{
    kestrel.AddServerHeader = false;
    kestrel.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http1);
});
await using var app = builder.Build();
var forwarder = app.Services.GetRequiredService<IHttpForwarder>();
using var sender = new HttpMessageInvoker(new SocketsHttpHandler
{
    UseProxy = false,
    UseCookies = false,
    AllowAutoRedirect = false,
    AutomaticDecompression = DecompressionMethods.None,
    ActivityHeadersPropagator = null,
});
var settings = new ForwarderRequestConfig { ActivityTimeout = Timeout.InfiniteTimeSpan, Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
app.Run(async context => await forwarder.SendAsync(context, service, sender, settings, HttpTransformer.Default));
await app.RunAsync();

using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Bondline.Cli.Tests;

/// <summary>The kinds of local services a tunnel can lead to, each through the commands a user types, seen by a visitor of the relay's TLS port.</summary>
public sealed class LocalServiceTests : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-local-");
    private readonly string _address = string.Create(CultureInfo.InvariantCulture, $"127.{RandomNumberGenerator.GetInt32(1, 255)}.{RandomNumberGenerator.GetInt32(256)}.{RandomNumberGenerator.GetInt32(1, 255)}");
    private readonly List<IAsyncDisposable> _started = [];
    private readonly HttpClient _visitor;
    private string _join = "";

    public LocalServiceTests() => _visitor = new(new SocketsHttpHandler
    {
        SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
        ConnectCallback = async (_, stop) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(_address, 8443, stop);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    { BaseAddress = new("https://shop.lab.test/"), Timeout = TimeSpan.FromSeconds(20), DefaultRequestVersion = HttpVersion.Version20 };

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var relay = new TestHost();
        _started.Add(relay);
        relay.Start("relay", "--json", "--domain", "lab.test", "--listen", _address, "--https-port", "8443", "--http-port", "8000", "--data", _folder.CreateSubdirectory("relay").FullName);
        _join = (await relay.ErrorLineAsync("Join URL: "))["Join URL: ".Length..].Replace("lab.test", _address, StringComparison.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        _visitor.Dispose();
        for (var i = _started.Count - 1; i >= 0; i--) await _started[i].DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData(null, "localhost:PORT")]
    [InlineData("rewrite", "localhost:PORT")]
    [InlineData("shop.example:99", "shop.example:99")]
    public async Task A_service_sees_the_host_it_was_promised(string? hostHeader, string seen)
    {
        var port = await StartServiceAsync(HttpProtocols.Http1, isTls: false);
        await StartAgentAsync([$"http://localhost:{port}", .. hostHeader is null ? Array.Empty<string>() : ["--host-header", hostHeader]]);
        var expected = hostHeader is null ? "shop.lab.test" : seen.Replace("PORT", port, StringComparison.Ordinal);
        Assert.Equal($"HTTP/1.1 {expected} shop.lab.test", await _visitor.GetStringAsync("/", Stop));
    }

    [Fact]
    public async Task A_unix_socket_is_served()
    {
        var path = Path.Combine(_folder.FullName, "service.sock");
        await StartServiceAsync(HttpProtocols.Http1, isTls: false, path);
        await StartAgentAsync($"unix:{path}");
        Assert.Equal("HTTP/1.1 shop.lab.test shop.lab.test", await _visitor.GetStringAsync("/", Stop));
    }

    [Fact]
    public async Task A_certificate_nobody_signed_turns_visitors_away_and_both_sides_hear_why()
    {
        var port = await StartServiceAsync(HttpProtocols.Http1AndHttp2, isTls: true);
        var agent = await StartAgentAsync($"https://localhost:{port}");
        Assert.Contains("\"code\":\"local-untrusted\"", agent.Output, StringComparison.Ordinal);
        using var answer = await _visitor.GetAsync("/", Stop);
        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Contains("does not trust the certificate", await answer.Content.ReadAsStringAsync(Stop), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_that_does_not_speak_tls_is_told_apart()
    {
        var port = await StartServiceAsync(HttpProtocols.Http1, isTls: false);
        var agent = await StartAgentAsync($"https://localhost:{port}", "--local-insecure");
        Assert.Contains("it does not speak TLS", agent.Output, StringComparison.Ordinal);
        Assert.Contains("no TLS connection", await (await _visitor.GetAsync("/", Stop)).Content.ReadAsStringAsync(Stop), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(HttpProtocols.Http1, "1.1")]
    [InlineData(HttpProtocols.Http1AndHttp2, "2")]
    public async Task Behind_tls_each_visitor_gets_the_version_both_speak_and_websockets_work(HttpProtocols protocols, string version)
    {
        var port = await StartServiceAsync(protocols, isTls: true);
        await StartAgentAsync($"https://localhost:{port}", "--local-insecure");
        Assert.Equal($"HTTP/{version} shop.lab.test shop.lab.test", await _visitor.GetStringAsync("/", Stop));
        using var older = new HttpRequestMessage(HttpMethod.Get, "/") { Version = HttpVersion.Version11 };
        using var answer = await _visitor.SendAsync(older, Stop);
        Assert.Equal("HTTP/1.1 shop.lab.test shop.lab.test", await answer.Content.ReadAsStringAsync(Stop));
        foreach (var visitors in (Version[])[HttpVersion.Version11, HttpVersion.Version20])
        {
            using var socket = new ClientWebSocket();
            socket.Options.HttpVersion = visitors;
            socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
            await socket.ConnectAsync(new("wss://shop.lab.test/socket"), _visitor, Stop);
            await socket.SendAsync("ping"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, Stop);
            var received = new byte[16];
            var message = await socket.ReceiveAsync(received, Stop);
            Assert.Equal("ping", Encoding.ASCII.GetString(received, 0, message.Count));
        }
    }

    [Theory]
    [InlineData("h2c", HttpProtocols.Http2, false)]
    [InlineData("https", HttpProtocols.Http1AndHttp2, true)]
    public async Task Streams_of_both_sides_and_trailers_pass_as_grpc_needs_them(string scheme, HttpProtocols protocols, bool isTls)
    {
        var port = await StartServiceAsync(protocols, isTls);
        await StartAgentAsync($"{scheme}://localhost:{port}", "--local-insecure");
        var body = new TurnContent();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/talk") { Content = body, Version = HttpVersion.Version20 };
        request.Headers.TE.Add(new("trailers"));
        using var answer = await _visitor.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
        if (answer.StatusCode != HttpStatusCode.OK) Assert.Fail(await answer.Content.ReadAsStringAsync(Stop));
        await using var answers = await answer.Content.ReadAsStreamAsync(Stop);
        var sending = await body.Stream.Task;
        var received = new byte[3];
        foreach (var turn in (byte[][])[[1, 2, 3], [4, 5, 6]]) // each answer comes before the next question
        {
            await sending.WriteAsync(turn, Stop);
            await sending.FlushAsync(Stop);
            await answers.ReadExactlyAsync(received, Stop);
            Assert.Equal(turn, received);
        }
        body.End.SetResult();
        Assert.Equal(0, await answers.ReadAsync(received, Stop));
        Assert.Equal("0", Assert.Single(answer.TrailingHeaders.GetValues("grpc-status")));
    }

    private async Task<TestHost> StartAgentAsync(params string[] arguments)
    {
        var agent = new TestHost(_folder.CreateSubdirectory("agent").FullName) { Environment = { ["BONDLINE_RELAY"] = _join } };
        _started.Add(agent);
        agent.Start(["http", .. arguments, "--name", "shop", "--json"]);
        using var ready = JsonDocument.Parse(await agent.LineAsync("""{"event":"ready","""));
        Assert.Equal("http://shop.lab.test:8000", ready.RootElement.GetProperty("url").GetString());
        return agent;
    }

    /// <returns>Its port.</returns>
    private async Task<string> StartServiceAsync(HttpProtocols protocols, bool isTls, string? unix = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            if (unix is not null) kestrel.ListenUnixSocket(unix);
            else kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = protocols;
                if (isTls) listen.UseHttps(Certificate());
            });
        });
        var web = builder.Build();
        web.UseWebSockets();
        web.Run(AnswerAsync);
        await web.StartAsync(Stop);
        _started.Add(web);
        return unix is null ? new Uri(web.Urls.First()).Port.ToString(CultureInfo.InvariantCulture) : "";
    }

    private static async Task AnswerAsync(HttpContext context)
    {
        if (context.WebSockets.IsWebSocketRequest)
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            var buffer = new byte[16];
            var message = await socket.ReceiveAsync(buffer, context.RequestAborted);
            await socket.SendAsync(buffer.AsMemory(0, message.Count), WebSocketMessageType.Text, endOfMessage: true, context.RequestAborted);
        }
        else if (context.Request.Path == "/talk")
        {
            context.Response.ContentType = "application/grpc";
            await context.Response.StartAsync();
            await context.Response.Body.FlushAsync();
            var buffer = new byte[16];
            while (await context.Request.Body.ReadAsync(buffer) is var read and > 0)
            {
                await context.Response.Body.WriteAsync(buffer.AsMemory(0, read));
                await context.Response.Body.FlushAsync();
            }
            context.Features.Get<IHttpResponseTrailersFeature>()!.Trailers["grpc-status"] = "0";
        }
        else
        {
            await context.Response.WriteAsync($"{context.Request.Protocol} {context.Request.Host} {context.Request.Headers["X-Forwarded-Host"]}");
        }
    }

    private static X509Certificate2 Certificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    /// <summary>A body whose bytes the test writes while the answer comes.</summary>
    private sealed class TurnContent : HttpContent
    {
        public TurnContent() => Headers.ContentType = new MediaTypeHeaderValue("application/grpc");

        public TaskCompletionSource<Stream> Stream { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource End { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.FlushAsync(); // the head goes out before any byte of the body
            Stream.SetResult(stream);
            await End.Task;
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}

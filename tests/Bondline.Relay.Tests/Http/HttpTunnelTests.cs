using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Bondline.Protocol;
using Bondline.Transport;
using Xunit;

namespace Bondline.Relay.Tests;

/// <summary>HTTP tunnels of a running relay over real bonds; the local service is written by hand, byte for byte.</summary>
public sealed class HttpTunnelTests : IAsyncLifetime
{
    private readonly RelayServer _relay = new(TestRelay.Options with { IsEmbedded = true, Domain = "lab.test" });
    private readonly List<string> _requests = [];
    private readonly List<BondStream> _streams = [];
    private readonly TemporaryFolder _folder = new();
    private JoinUrl _join = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _relay.StartAsync(Stop);
        _join = _relay.CreateToken("test", "127.0.0.1"); // nobody resolves the domain
    }

    public async ValueTask DisposeAsync()
    {
        await _relay.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_request_reaches_the_service_with_its_host_and_what_the_relay_knows_of_the_visitor()
    {
        await using var agent = Agent(Answer("hello"));
        Assert.Equal($"http://shop.lab.test:{_relay.Listening.Http.Port}", (await agent.NextAsync<TunnelReady>()).Url);
        var answer = await RequestAsync("GET /path?q=1 HTTP/1.1\r\nHost: Shop.Lab.Test:1234\r\nX-Forwarded-For: 6.6.6.6\r\nx-forwarded-proto: https\r\nX-Forwarded-Host: evil\r\nForwarded: for=6.6.6.6\r\nX-Own: kept\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200", answer.Text);
        Assert.EndsWith("hello", answer.Text);
        var request = Assert.Single(_requests);
        Assert.StartsWith("GET /path?q=1 HTTP/1.1\r\n", request);
        Assert.Contains("\r\nHost: Shop.Lab.Test:1234\r\n", request);
        Assert.Contains("\r\nX-Forwarded-For: 127.0.0.1\r\n", request);
        Assert.Contains("\r\nX-Forwarded-Proto: http\r\n", request);
        Assert.Contains("\r\nX-Forwarded-Host: Shop.Lab.Test:1234\r\n", request);
        Assert.Contains("\r\nX-Own: kept\r\n", request);
        Assert.DoesNotContain("6.6.6.6", request);
        Assert.DoesNotContain("evil", request);
        Assert.Equal(answer.Local, Assert.Single(_streams).Header.Visitor);
        Assert.Equal(StreamKind.Http, _streams[0].Header.Kind);
    }

    [Fact]
    public async Task A_host_without_a_tunnel_is_not_found()
    {
        await using var agent = Agent(Answer("hello"), [Tunnel(1, "shop"), Tunnel(2, "blog")]);
        await agent.NextAsync<TunnelReady>();
        await agent.NextAsync<TunnelReady>();
        var text = (await RequestAsync("GET / HTTP/1.1\r\nHost: other.lab.test\r\nConnection: close\r\n\r\n")).Text;
        Assert.StartsWith("HTTP/1.1 404", text);
        Assert.Contains("other.lab.test", text);
        Assert.Contains("text/plain", text);
        var page = (await RequestAsync("GET / HTTP/1.1\r\nHost: <b>.lab.test\r\nAccept: text/html\r\nConnection: close\r\n\r\n")).Text;
        Assert.DoesNotContain("<b>", page);
        Assert.Empty(_requests);
    }

    [Fact]
    public async Task An_embedded_relay_with_one_tunnel_answers_any_host()
    {
        await using var agent = Agent(Answer("hello"));
        await agent.NextAsync<TunnelReady>();
        Assert.EndsWith("hello", (await RequestAsync("GET / HTTP/1.1\r\nHost: 192.168.1.7:3000\r\nConnection: close\r\n\r\n")).Text);
    }

    [Fact]
    public async Task A_host_in_punycode_passes_as_it_was_written()
    {
        await using var agent = Agent(Answer("hello"));
        await agent.NextAsync<TunnelReady>();
        Assert.EndsWith("hello", (await RequestAsync("GET / HTTP/1.1\r\nHost: xn--hst-sna.lab.test\r\nConnection: close\r\n\r\n")).Text);
        Assert.Contains("\r\nHost: xn--hst-sna.lab.test\r\n", Assert.Single(_requests));
    }

    [Theory]
    [InlineData(StreamError.LocalUnreachable, "127.0.0.1:3000")]
    [InlineData(StreamError.LocalReset, "closed the connection")]
    public async Task A_service_that_cannot_be_reached_is_named_to_the_visitor(StreamError error, string told)
    {
        await using var agent = Agent((stream, _) =>
        {
            stream.Abort(error);
            return Task.CompletedTask;
        });
        await agent.NextAsync<TunnelReady>();
        foreach (var method in (string[])["GET", "POST"])
        {
            var text = (await RequestAsync($"{method} / HTTP/1.1\r\nHost: shop.lab.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")).Text;
            Assert.StartsWith("HTTP/1.1 502", text);
            Assert.Contains(told, text);
        }
    }

    [Fact]
    public async Task Large_bodies_stream_both_ways()
    {
        const int length = 8 << 20;
        var body = new byte[length];
        new Random(7).NextBytes(body);
        await using var agent = Agent(async (stream, _) =>
        {
            var received = new byte[length];
            await stream.ReadExactlyAsync(received);
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"));
            await stream.WriteAsync(received);
        });
        await agent.NextAsync<TunnelReady>();
        using var client = Client();
        using var response = await client.PostAsync(Url("/"), new ByteArrayContent(body), Stop);
        Assert.Equal(SHA256.HashData(body), SHA256.HashData(await response.Content.ReadAsByteArrayAsync(Stop)));
    }

    [Fact]
    public async Task A_response_is_passed_on_before_it_is_whole()
    {
        var goOn = new TaskCompletionSource();
        await using var agent = Agent(async (stream, _) =>
        {
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n"u8.ToArray());
            await goOn.Task;
            await stream.WriteAsync("7\r\nsecond\n\r\n0\r\n\r\n"u8.ToArray());
        });
        await agent.NextAsync<TunnelReady>();
        using var client = Client();
        using var response = await client.GetAsync(Url("/"), HttpCompletionOption.ResponseHeadersRead, Stop);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Stop));
        Assert.Equal("first", await reader.ReadLineAsync(Stop));
        goOn.SetResult();
        Assert.Equal("second", await reader.ReadLineAsync(Stop));
        Assert.Null(await reader.ReadLineAsync(Stop));
    }

    [Fact]
    public async Task A_response_that_breaks_off_is_not_made_to_look_whole()
    {
        await using var agent = Agent(async (stream, _) =>
        {
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\npart"u8.ToArray()); // it would end with the connection
            await Task.Yield();
            stream.Abort(StreamError.LocalReset);
        });
        await agent.NextAsync<TunnelReady>();
        using var client = Client();
        await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            using var response = await client.GetAsync(Url("/"), Stop);
            if (response.StatusCode == HttpStatusCode.BadGateway) throw new HttpRequestException("502"); // the reset overtook the head
        });
    }

    [Fact]
    public async Task A_websocket_talks_both_ways_until_the_visitor_leaves()
    {
        var left = new TaskCompletionSource();
        await using var agent = Agent(async (stream, head) =>
        {
            var key = head.Split("\r\n").Single(line => line.StartsWith("Sec-WebSocket-Key:", StringComparison.OrdinalIgnoreCase)).Split(':')[1].Trim();
            var accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"));
            var socket = WebSocket.CreateFromStream(stream, new WebSocketCreationOptions { IsServer = true });
            var buffer = new byte[1024];
            var message = await socket.ReceiveAsync(buffer.AsMemory(), Stop);
            await socket.SendAsync(buffer.AsMemory(0, message.Count), WebSocketMessageType.Text, true, Stop);
            try
            {
                await socket.ReceiveAsync(buffer.AsMemory(), Stop);
            }
            catch (WebSocketException)
            {
                left.SetResult();
            }
        });
        await agent.NextAsync<TunnelReady>();
        var client = new ClientWebSocket();
        client.Options.SetRequestHeader("Host", "shop.lab.test");
        await client.ConnectAsync(new Uri($"ws://{_relay.Listening.Http}/"), Stop);
        await client.SendAsync("ping"u8.ToArray(), WebSocketMessageType.Text, true, Stop);
        var answer = new byte[16];
        var received = await client.ReceiveAsync(answer.AsMemory(), Stop);
        Assert.Equal("ping", Encoding.ASCII.GetString(answer, 0, received.Count));
        client.Dispose();
        await left.Task.WaitAsync(TimeSpan.FromSeconds(20), Stop);
    }

    [Fact]
    public async Task The_tls_port_serves_tunnels_too_and_says_so()
    {
        await using var agent = Agent(Answer("hello"));
        await agent.NextAsync<TunnelReady>();
        using var client = new HttpClient(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true } }) { DefaultRequestVersion = HttpVersion.Version20 };
        client.DefaultRequestHeaders.Host = "shop.lab.test";
        Assert.Equal("hello", await client.GetStringAsync($"https://{_relay.Listening.Https}/", Stop));
        Assert.Contains("\r\nX-Forwarded-Proto: https\r\n", Assert.Single(_requests));
    }

    [Fact]
    public async Task An_agent_that_watches_hears_of_each_request()
    {
        await using var agent = Agent(Answer("hello"));
        await agent.NextAsync<TunnelReady>();
        using var client = Client();
        await client.GetStringAsync(Url("/before"), Stop); // nobody watches yet
        await agent.SendAsync(new WatchRequests());
        await agent.SendAsync(Tunnel(2, "blog"));
        await agent.NextAsync<TunnelReady>(); // so it watches by now
        await client.GetStringAsync(Url("/a%20path?q=1"), Stop);
        var served = await agent.NextAsync<RequestServed>();
        Assert.Equal((1ul, "GET", "/a%20path?q=1", 200, 5), (served.Tunnel, served.Method, served.Target, served.Status, served.Bytes));
    }

    [Fact]
    public async Task Connections_to_the_agent_are_used_again()
    {
        await using var agent = Agent(Answer("hello"));
        await agent.NextAsync<TunnelReady>();
        using var client = Client();
        for (var i = 0; i < 20; i++) Assert.Equal("hello", await client.GetStringAsync(Url("/"), Stop));
        Assert.Equal(20, _requests.Count);
        Assert.InRange(_streams.Count, 1, 5);
    }

    [Fact]
    public async Task Without_a_domain_a_tunnel_has_a_port_of_its_own()
    {
        await using var plain = new RelayServer(TestRelay.Options with { DataDirectory = _folder.Path });
        await plain.StartAsync(Stop);
        await using var agent = new TestAgent(plain.FirstJoinUrl!, stream => ServeAsync(stream, Answer("hello")), [Tunnel(1, "shop"), Tunnel(2, "blog")]);
        var urls = new[] { (await agent.NextAsync<TunnelReady>()).Url, (await agent.NextAsync<TunnelReady>()).Url };
        Assert.All(urls, url => Assert.StartsWith("http://127.0.0.1:", url));
        using var client = new HttpClient();
        foreach (var url in urls) Assert.Equal("hello", await client.GetStringAsync(url, Stop));
        Assert.Equal([1ul, 2ul], _streams.Select(stream => stream.Header.Tunnel));
    }

    private TestAgent Agent(Func<BondStream, string, Task> answer, RegisterTunnel[]? tunnels = null) => new(_join, stream => ServeAsync(stream, answer), tunnels ?? [Tunnel(1, "shop")]);

    private static RegisterTunnel Tunnel(ulong number, string name) => new(number, TunnelKind.Http, name, Local: "127.0.0.1:3000");

    private static Func<BondStream, string, Task> Answer(string body) =>
        async (stream, _) => await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{body}"));

    // A connection of the local service: answers each request head.
    private async Task ServeAsync(BondStream stream, Func<BondStream, string, Task> answer)
    {
        lock (_streams) _streams.Add(stream);
        while (await ReadHeadAsync(stream) is { } head)
        {
            lock (_requests) _requests.Add(head);
            await answer(stream, head);
        }
        await stream.CompleteWritesAsync();
    }

    private static async Task<string?> ReadHeadAsync(Stream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(one) == 0) return null;
            head.Append((char)one[0]);
        }
        return head.ToString();
    }

    private string Url(string path) => $"http://{_relay.Listening.Http}{path}";

    private static HttpClient Client()
    {
        var client = new HttpClient { Timeout = TimeSpan.FromSeconds(30) };
        client.DefaultRequestHeaders.Host = "shop.lab.test";
        return client;
    }

    private async Task<(string Text, EndPoint Local)> RequestAsync(string request)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_relay.Listening.Http, Stop);
        var local = socket.LocalEndPoint!;
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request), Stop);
        return (await new StreamReader(stream).ReadToEndAsync(Stop), local);
    }
}

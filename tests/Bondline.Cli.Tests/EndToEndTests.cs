using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Bondline.Cli.Tests;

/// <summary>Relay, agent, visitor and local service over real sockets on loopback, through the commands a user types.</summary>
public sealed class EndToEndTests : IAsyncDisposable
{
    // What a person would call so, on a machine that runs other tests meanwhile.
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(2);

    private readonly string _data = Directory.CreateTempSubdirectory("bondline-relay-").FullName;
    private readonly string _settings = Directory.CreateTempSubdirectory("bondline-agent-").FullName;
    // An address of its own for each test: no two relays meet on a port.
    private readonly string _address = string.Create(CultureInfo.InvariantCulture, $"127.{RandomNumberGenerator.GetInt32(1, 255)}.{RandomNumberGenerator.GetInt32(256)}.{RandomNumberGenerator.GetInt32(1, 255)}");
    private readonly List<IAsyncDisposable> _started = [];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        for (var i = _started.Count - 1; i >= 0; i--) await _started[i].DisposeAsync();
        Directory.Delete(_data, recursive: true);
        Directory.Delete(_settings, recursive: true);
    }

    [Fact]
    public async Task A_tcp_tunnel_carries_bytes_and_ends_each_way_by_itself()
    {
        var (_, join) = await StartRelayAsync();
        using var service = new TcpListener(IPAddress.Loopback, 0);
        service.Start();
        var agent = StartAgent(join, "tcp", PortOf(service));
        var ready = await ReadyAsync(agent);
        Assert.StartsWith($"tcp://{_address}:", ready.Url, StringComparison.Ordinal);
        Assert.Equal(("127.0.0.1:" + PortOf(service), "bond"), (ready.Local, ready.Carrier));
        using (await service.AcceptSocketAsync(Stop)) { } // the look before "ready"

        using var visitor = await ConnectAsync(ready.Url);
        await visitor.SendAsync("question"u8.ToArray(), Stop);
        visitor.Shutdown(SocketShutdown.Send);
        using var local = await service.AcceptSocketAsync(Stop);
        Assert.Equal("question", await ReadToEndAsync(local));
        await local.SendAsync("answer"u8.ToArray(), Stop);
        local.Shutdown(SocketShutdown.Send);
        Assert.Equal("answer", await ReadToEndAsync(visitor));
        Assert.Equal(0, await agent.StopAsync());
    }

    [Fact]
    public async Task A_visitor_of_a_service_that_is_down_is_reset_at_once()
    {
        var (_, join) = await StartRelayAsync();
        var agent = StartAgent(join, "tcp", UnusedPort());
        Assert.Contains("\"code\":\"local-unreachable\"", await agent.LineAsync("""{"event":"error","""), StringComparison.Ordinal);
        var ready = await ReadyAsync(agent);
        using var visitor = await ConnectAsync(ready.Url);
        var error = await Assert.ThrowsAsync<SocketException>(async () => await visitor.ReceiveAsync(new byte[1], Stop).AsTask().WaitAsync(AtOnce, Stop));
        Assert.Equal(SocketError.ConnectionReset, error.SocketErrorCode);
    }

    [Fact]
    public async Task An_http_tunnel_carries_requests_and_websockets()
    {
        var (relay, join) = await StartRelayAsync("--domain", "lab.test");
        using var listening = JsonDocument.Parse(await relay.LineAsync("""{"event":"listening","""));
        Assert.True(listening.RootElement.GetProperty("mptcp").GetBoolean());
        await using var service = await StartWebAsync();
        var ready = await ReadyAsync(StartAgent(join, "http", PortOf(service), "--name", "shop"));
        var http = listening.RootElement.GetProperty("http").GetString()!;
        Assert.Equal($"http://shop.lab.test:{IPEndPoint.Parse(http).Port}", ready.Url);

        using var visitor = new HttpClient(new SocketsHttpHandler { ConnectCallback = (_, stop) => DialAsync(http, stop) });
        Assert.Equal("hello /path?q=1 of shop.lab.test", Strip(await visitor.GetStringAsync($"{ready.Url}/path?q=1", Stop)));
        var body = RandomNumberGenerator.GetBytes(3 << 20);
        using var answer = await visitor.PostAsync($"{ready.Url}/echo", new ByteArrayContent(body), Stop);
        Assert.Equal(body, await answer.Content.ReadAsByteArrayAsync(Stop));

        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri(ready.Url.Replace("http:", "ws:", StringComparison.Ordinal) + "/socket"), visitor, Stop);
        await socket.SendAsync("ping"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, Stop);
        var received = new byte[16];
        var message = await socket.ReceiveAsync(received, Stop);
        Assert.Equal("ping", Encoding.ASCII.GetString(received, 0, message.Count));
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Stop);
    }

    [Fact]
    public async Task An_http_visitor_of_a_service_that_is_down_gets_a_502_that_says_so()
    {
        var (_, join) = await StartRelayAsync();
        var ready = await ReadyAsync(StartAgent(join, "http", UnusedPort()));
        using var visitor = new HttpClient();
        using var answer = await visitor.GetAsync(ready.Url, Stop).WaitAsync(AtOnce, Stop);
        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Contains("The local service does not answer", await answer.Content.ReadAsStringAsync(Stop), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_visitor_of_a_service_that_resets_is_reset_at_once()
    {
        var (_, join) = await StartRelayAsync();
        using var service = new TcpListener(IPAddress.Loopback, 0);
        service.Start();
        var agent = StartAgent(join, "tcp", PortOf(service));
        using (await service.AcceptSocketAsync(Stop)) { } // the look before "ready"
        using var visitor = await ConnectAsync((await ReadyAsync(agent)).Url);
        await visitor.SendAsync("question"u8.ToArray(), Stop);
        await ResetAsync(service, "question");
        var error = await Assert.ThrowsAsync<SocketException>(() => ReadToEndAsync(visitor).WaitAsync(AtOnce, Stop));
        Assert.Equal(SocketError.ConnectionReset, error.SocketErrorCode);
    }

    [Fact]
    public async Task An_http_visitor_of_a_service_that_resets_gets_a_502_and_one_of_a_slow_service_holds_nobody_up()
    {
        var (_, join) = await StartRelayAsync();
        using var service = new TcpListener(IPAddress.Loopback, 0);
        service.Start();
        var agent = StartAgent(join, "http", PortOf(service));
        using (await service.AcceptSocketAsync(Stop)) { }
        var url = (await ReadyAsync(agent)).Url;
        using var visitor = new HttpClient();

        var first = visitor.GetAsync(url, Stop);
        using var slow = await service.AcceptSocketAsync(Stop);
        var second = visitor.GetAsync(url, Stop);
        await ResetAsync(service, "GET / HTTP/1.1\r\n");
        using (var answer = await second.WaitAsync(TimeSpan.FromSeconds(20), Stop))
        {
            Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
            Assert.Contains($"local service on port {PortOf(service)} closed the connection", await answer.Content.ReadAsStringAsync(Stop), StringComparison.Ordinal);
        }
        Assert.False(first.IsCompleted);
        await slow.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"u8.ToArray(), Stop);
        using var late = await first.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        Assert.Equal("late", await late.Content.ReadAsStringAsync(Stop));
    }

    [Fact]
    public async Task A_relay_on_the_IPv6_loopback_serves_an_agent_and_its_visitors()
    {
        var relay = new TestHost();
        _started.Add(relay);
        relay.Start("relay", "--json", "--listen", "::1", "--https-port", "0", "--http-port", "0", "--tcp-ports", "0", "--data", _data);
        var join = (await relay.ErrorLineAsync("Join URL: "))["Join URL: ".Length..];
        Assert.Contains("@[::1]:", join, StringComparison.Ordinal);
        using var service = new TcpListener(IPAddress.IPv6Loopback, 0);
        service.Start();
        var agent = StartAgent(join, "tcp", PortOf(service)); // 127.0.0.1 refuses, ::1 answers
        using (await service.AcceptSocketAsync(Stop)) { }
        var ready = await ReadyAsync(agent);
        Assert.StartsWith("tcp://[::1]:", ready.Url, StringComparison.Ordinal);
        using var visitor = await ConnectAsync(ready.Url);
        await visitor.SendAsync("question"u8.ToArray(), Stop);
        visitor.Shutdown(SocketShutdown.Send);
        using var local = await service.AcceptSocketAsync(Stop);
        Assert.Equal("question", await ReadToEndAsync(local));
    }

    [Fact]
    public async Task Without_a_relay_the_agent_runs_its_own_and_says_who_can_open_the_URL()
    {
        await using var service = await StartWebAsync();
        var agent = StartAgent(null, "http", PortOf(service));
        var ready = await ReadyAsync(agent);
        var url = new Uri(ready.Url);
        Assert.Matches(@"^[a-z]+-[a-z]+\.localhost$", url.Host);
        Assert.Contains("only this machine", agent.Error, StringComparison.Ordinal);
        using var visitor = new HttpClient();
        Assert.Equal($"hello / of 127.0.0.1", Strip(await visitor.GetStringAsync($"http://127.0.0.1:{url.Port}/", Stop))); // one tunnel: any Host is answered
        Assert.Equal(0, await agent.StopAsync());
    }

    [Fact]
    public async Task Started_again_the_same_agent_has_the_same_port_and_name_and_another_one_is_refused()
    {
        var (_, join) = await StartRelayAsync("--domain", "lab.test");
        var port = UnusedPort();
        var tcp = StartAgent(join, "tcp", port);
        var http = StartAgent(join, "http", port);
        var (tcpUrl, httpUrl) = ((await ReadyAsync(tcp)).Url, (await ReadyAsync(http)).Url);

        var second = StartAgent(join, "http", port);
        Assert.Equal((int)ExitCode.TunnelRefused, await second.ExitAsync());
        Assert.Contains("\"code\":\"name-taken\"", second.Output, StringComparison.Ordinal);
        Assert.Contains("of the same token since", second.Output, StringComparison.Ordinal);

        await tcp.StopAsync();
        await http.StopAsync();
        Assert.Equal(tcpUrl, (await ReadyAsync(StartAgent(join, "tcp", port))).Url);
        Assert.Equal(httpUrl, (await ReadyAsync(StartAgent(join, "http", port))).Url);
    }

    [Fact]
    public async Task Taking_over_ends_the_other_agent_with_superseded()
    {
        var (_, join) = await StartRelayAsync("--domain", "lab.test");
        var port = UnusedPort();
        var first = StartAgent(join, "http", port);
        var url = (await ReadyAsync(first)).Url;
        Assert.Equal(url, (await ReadyAsync(StartAgent(join, "http", port, "--takeover"))).Url);
        Assert.Equal((int)ExitCode.Superseded, await first.ExitAsync());
        Assert.Contains("\"code\":\"superseded\"", first.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_revoked_token_ends_its_agents_at_once()
    {
        var (_, join) = await StartRelayAsync();
        var agent = StartAgent(join, "tcp", UnusedPort());
        await ReadyAsync(agent);
        await using var revoking = new TestHost();
        Assert.Equal(0, await revoking.RunAsync("relay", "token", "revoke", "first", "--data", _data));
        Assert.Equal((int)ExitCode.Authentication, await agent.ExitAsync());
        Assert.Contains("\"code\":\"auth-expired\"", agent.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_root_goes_to_standard_output_and_what_to_do_with_it_to_standard_error()
    {
        await StartRelayAsync();
        await using var host = new TestHost();
        Assert.Equal(0, await host.RunAsync("relay", "ca", "--data", _data));
        using var root = X509Certificate2.CreateFromPem(host.Output);
        Assert.Equal($"{root.ExportCertificatePem()}\n", host.Output);
        Assert.Contains(root.GetCertHashString(HashAlgorithmName.SHA256), host.Error, StringComparison.Ordinal);
        Assert.Contains("update-ca-certificates", host.Error, StringComparison.Ordinal);
        await using var again = new TestHost();
        Assert.Equal(0, await again.RunAsync("relay", "ca", "--data", _data, "--quiet"));
        Assert.Equal((host.Output, ""), (again.Output, again.Error));
    }

    [Fact]
    public async Task A_data_folder_that_is_misspelt_is_an_error_and_not_made()
    {
        var typo = Path.Combine(_data, "typo");
        foreach (var arguments in (string[][])[["ca"], ["token", "list"], ["token", "revoke", "laptop"]])
        {
            await using var host = new TestHost();
            Assert.Equal((int)ExitCode.Failure, await host.RunAsync(["relay", .. arguments, "--data", typo]));
            Assert.Equal(("", $"error: there is no data folder {typo} (data-unusable). Name the relay's with --data DIR; more: bondline help data-unusable\n"), (host.Output, host.Error));
        }
        Assert.False(Directory.Exists(typo));
    }

    [Fact]
    public async Task The_saved_login_is_used_and_statistics_come_every_second()
    {
        var (relay, join) = await StartRelayAsync("--stats");
        var file = Path.Combine(_data, "join-url");
        await File.WriteAllTextAsync(file, join + "\n", Stop);
        await using var login = new TestHost(_settings);
        Assert.Equal(0, await login.RunAsync("login", "@" + file));
        Assert.DoesNotContain("warning", login.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(join, login.Error, StringComparison.Ordinal);
        await using var asked = new TestHost(_settings) { Input = join + "\n" };
        Assert.Equal(0, await asked.RunAsync("login"));
        Assert.StartsWith("Join URL: Saved in ", asked.Error, StringComparison.Ordinal);

        var agent = StartAgent(null, "tcp", UnusedPort(), "--stats");
        Assert.StartsWith($"tcp://{_address}:", (await ReadyAsync(agent)).Url, StringComparison.Ordinal);
        using var stats = JsonDocument.Parse(await agent.LineAsync("""{"event":"stats","""));
        Assert.Equal("active", stats.RootElement.GetProperty("paths")[0].GetProperty("state").GetString());
        using var relayStats = JsonDocument.Parse(await relay.LineAsync("""{"event":"stats","upBytes":"""));
        Assert.InRange(relayStats.RootElement.GetProperty("agents").GetInt32(), 0, 1);
        Assert.Equal(0, relayStats.RootElement.GetProperty("visitors").GetInt32());
    }

    [Fact]
    public async Task A_join_URL_on_the_command_line_works_with_a_warning()
    {
        var (_, join) = await StartRelayAsync();
        var agent = StartAgent(null, "tcp", UnusedPort(), "--relay", join);
        await ReadyAsync(agent);
        Assert.StartsWith("warning: other users of this machine can see a token", agent.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_usable_settings_folder_it_runs_with_a_warning()
    {
        var (_, join) = await StartRelayAsync();
        var file = Path.Combine(_data, "a-file");
        await File.WriteAllTextAsync(file, "", Stop);
        var agent = new TestHost(file) { Environment = { ["BONDLINE_RELAY"] = join } };
        _started.Add(agent);
        await ReadyAsync(agent.Start("http", UnusedPort(), "--json"));
        Assert.Contains("(settings-unusable). Point $XDG_CONFIG_HOME at a folder of your own", agent.Error, StringComparison.Ordinal);
    }

    private async Task<(TestHost Relay, string Join)> StartRelayAsync(params string[] more)
    {
        var relay = new TestHost();
        _started.Add(relay);
        relay.Start(["relay", "--json", "--listen", _address, "--https-port", "8443", "--http-port", "8000", "--tcp-ports", "7000-7099", "--data", _data, .. more]);
        var line = await relay.ErrorLineAsync("Join URL: ");
        return (relay, line["Join URL: ".Length..].Replace("lab.test", _address, StringComparison.Ordinal));
    }

    private TestHost StartAgent(string? join, params string[] arguments)
    {
        var agent = new TestHost(_settings);
        _started.Add(agent);
        if (join is not null) agent.Environment["BONDLINE_RELAY"] = join;
        return agent.Start([.. arguments, "--json"]);
    }

    private static async Task<(string Url, string Local, string Carrier)> ReadyAsync(TestHost agent)
    {
        using var line = JsonDocument.Parse(await agent.LineAsync("""{"event":"ready","""));
        string Text(string name) => line.RootElement.GetProperty(name).GetString()!;
        return (Text("url"), Text("local"), Text("carrier"));
    }

    private static async Task<WebApplication> StartWebAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var web = builder.Build();
        web.UseWebSockets();
        web.Run(async context =>
        {
            if (context.WebSockets.IsWebSocketRequest)
            {
                using var socket = await context.WebSockets.AcceptWebSocketAsync();
                var buffer = new byte[1024];
                while (await socket.ReceiveAsync(buffer, context.RequestAborted) is { MessageType: WebSocketMessageType.Text } message)
                    await socket.SendAsync(buffer.AsMemory(0, message.Count), WebSocketMessageType.Text, endOfMessage: true, context.RequestAborted);
                await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
            }
            else if (context.Request.Path == "/echo")
            {
                await context.Request.Body.CopyToAsync(context.Response.Body);
            }
            else
            {
                await context.Response.WriteAsync($"hello {context.Request.Path}{context.Request.QueryString} of {context.Request.Host}");
            }
        });
        await web.StartAsync(Stop);
        return web;
    }

    private static string PortOf(WebApplication web) => new Uri(web.Urls.First()).Port.ToString(CultureInfo.InvariantCulture);

    private static string PortOf(TcpListener service) => ((IPEndPoint)service.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);

    private static string UnusedPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return PortOf(listener);
    }

    private static async Task<Socket> ConnectAsync(string url)
    {
        var uri = new Uri(url);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(uri.IdnHost, uri.Port, Stop); // an IPv6 address without its brackets
        return socket;
    }

    private static async ValueTask<Stream> DialAsync(string endPoint, CancellationToken stop)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPEndPoint.Parse(endPoint), stop);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private static async Task<string> ReadToEndAsync(Socket socket)
    {
        var text = new StringBuilder();
        var buffer = new byte[1024];
        while (await socket.ReceiveAsync(buffer, Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop) is var read and > 0) text.Append(Encoding.ASCII.GetString(buffer, 0, read));
        return text.ToString();
    }

    /// <summary>The next connection of a service: reads what it begins with, then resets it.</summary>
    private static async Task ResetAsync(TcpListener service, string begins)
    {
        using var local = await service.AcceptSocketAsync(Stop);
        var read = new byte[begins.Length];
        for (var length = 0; length < read.Length;) length += await local.ReceiveAsync(read.AsMemory(length), Stop);
        Assert.Equal(begins, Encoding.ASCII.GetString(read));
        local.Close(0);
    }

    /// <summary>The text up to the port of its Host.</summary>
    private static string Strip(string text) => text.LastIndexOf(':') is var colon and > 0 ? text[..colon] : text;
}

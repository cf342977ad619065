using System.Net;
using System.Net.Sockets;
using System.Text;
using Bondline.Protocol;
using Bondline.Transport;
using Xunit;

namespace Bondline.Relay.Tests;

/// <summary>What HTTP promises between a visitor and a local service, and what the relay says where it cannot keep it.</summary>
public sealed class HttpEdgeTests
{
    private const string Hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Close = "Host: shop.lab.test\r\nConnection: close\r\n";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_plain_port_speaks_http2_with_those_who_begin_so()
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer(Hello));
        using var client = edge.Client(HttpVersion.Version20);
        using var answer = await client.GetAsync("/path", Stop);
        Assert.Equal(HttpVersion.Version20, answer.Version);
        Assert.Equal("hello", await answer.Content.ReadAsStringAsync(Stop));
        Assert.StartsWith("GET /path HTTP/1.1\r\nHost: shop.lab.test\r\n", edge.Received(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("P", "OST / HTTP/1.1\r\nContent-Length: 0\r\n")]
    [InlineData("PRI", "OR / HTTP/1.1\r\nContent-Length: 0\r\n")]
    [InlineData("", "GET / HTTP/1.1\r\n")]
    public async Task Whoever_begins_like_http2_and_is_not_is_served_as_what_it_is(string start, string rest)
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer(Hello));
        await using var stream = await edge.ConnectAsync();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(start), Stop);
        await stream.FlushAsync(Stop);
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"{rest}{Close}\r\n"), Stop);
        Assert.EndsWith("hello", await VisitedEdge.ReadToEndAsync(stream), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_whose_agent_is_away_says_so_and_its_page_tries_again()
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer(Hello));
        await edge.Agent.DisposeAsync();
        var page = "";
        for (var i = 0; i < 1000 && !page.StartsWith("HTTP/1.1 503 ", StringComparison.Ordinal); i++) // the relay hears of it in a moment
            page = await edge.AskAsync($"GET / HTTP/1.1\r\nAccept: text/html\r\n{Close}\r\n");
        Assert.Contains("\r\nRetry-After: 5\r\n", page, StringComparison.Ordinal);
        Assert.Contains("<meta http-equiv=\"refresh\" content=\"5\">", page, StringComparison.Ordinal);
        var posted = await edge.AskAsync($"POST / HTTP/1.1\r\nAccept: text/html\r\nContent-Length: 0\r\n{Close}\r\n");
        Assert.StartsWith("HTTP/1.1 503 ", posted, StringComparison.Ordinal);
        Assert.DoesNotContain("refresh", posted, StringComparison.Ordinal);
        var text = await edge.AskAsync($"GET / HTTP/1.1\r\n{Close}\r\n");
        Assert.Contains("\r\nContent-Type: text/plain; charset=utf-8\r\n", text, StringComparison.Ordinal);
        Assert.Contains("\r\nRetry-After: 5\r\n", text, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 404 ", await edge.AskAsync("GET / HTTP/1.1\r\nHost: other.lab.test\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        // Kestrel's own reading of such a name would fail.
        Assert.StartsWith("HTTP/1.1 404 ", await edge.AskAsync("GET / HTTP/1.1\r\nHost: xn--0.lab.test\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(StreamError.LocalUnreachable, "502 The local service does not answer\nThe agent tried the local service on port 3000 and nothing accepted the connection.\n")]
    [InlineData(StreamError.LocalUntrusted, "502 The local service is not trusted\n")]
    [InlineData(StreamError.LocalTls, "502 The local service does not answer\nThe agent got no TLS connection to the local service on port 3000.\n")]
    [InlineData(StreamError.LocalReset, "502 The local service broke off\n")]
    public async Task What_the_agent_says_of_the_local_service_is_what_visitors_read(StreamError error, string text)
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], (stream, _) =>
        {
            stream.Abort(error);
            return Task.CompletedTask;
        });
        Assert.Contains($"\r\nBondline-Error: 502\r\n\r\n{text}", await edge.AskAsync($"GET / HTTP/1.1\r\n{Close}\r\n"), StringComparison.Ordinal);
        var page = await edge.AskAsync($"GET / HTTP/1.1\r\nAccept: text/html\r\n{Close}\r\n");
        Assert.Contains($"<h1>{text.Split('\n')[0][4..]}</h1>", page, StringComparison.Ordinal);
    }

    [Fact, Trait("Mode", "normal")] // three seconds
    public async Task While_a_bond_has_no_network_a_person_gets_a_page_and_a_program_waits()
    {
        using var proxy = new TcpListener(IPAddress.Loopback, 0);
        proxy.Start();
        Socket? inner = null, outer = null;
        Task[] copying = [];
        await using var edge = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer(Hello), via: port =>
        {
            copying = [PassOnAsync()];
            return ((IPEndPoint)proxy.LocalEndpoint).Port;

            async Task PassOnAsync()
            {
                outer = await proxy.AcceptSocketAsync(Stop);
                inner = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await inner.ConnectAsync(IPAddress.Loopback, port, Stop);
                await Task.WhenAny(new NetworkStream(outer).CopyToAsync(new NetworkStream(inner), Stop), new NetworkStream(inner).CopyToAsync(new NetworkStream(outer), Stop));
            }
        });
        proxy.Stop(); // dialling again finds nobody
        inner!.Close(0);
        outer!.Close(0);
        using var client = edge.Client(HttpVersion.Version11);
        var program = client.GetAsync("/", Stop);
        var page = "";
        for (var i = 0; i < 100 && page.Length == 0; i++)
        {
            await using var stream = await edge.ConnectAsync();
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nAccept: text/html\r\n{Close}\r\n"), Stop);
            try
            {
                var buffer = new byte[64];
                page = Encoding.ASCII.GetString(buffer, 0, await stream.ReadAsync(buffer, Stop).AsTask().WaitAsync(TimeSpan.FromMilliseconds(200), Stop));
            }
            catch (TimeoutException) // not away for long enough
            {
            }
        }
        Assert.StartsWith("HTTP/1.1 503 ", page, StringComparison.Ordinal);
        Assert.False(program.IsCompleted);
        client.CancelPendingRequests();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => program);
    }

    [Fact]
    public async Task What_is_over_the_relays_limits_is_refused_by_the_relay()
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) => await stream.ReadExactlyAsync(new byte[2000]), new() { MaxBodyBytes = 1000, MaxHeaderBytes = 4096, IdleTimeout = TimeSpan.FromSeconds(1) });
        Assert.StartsWith("HTTP/1.1 413 ", await edge.AskAsync($"POST / HTTP/1.1\r\nContent-Length: 1001\r\n{Close}\r\n{new string('x', 1001)}"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 431 ", await edge.AskAsync($"GET / HTTP/1.1\r\nX-Long: {new string('x', 4096)}\r\n{Close}\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 504 ", await edge.AskAsync($"POST / HTTP/1.1\r\nContent-Length: 1000\r\n{Close}\r\n{new string('x', 1000)}"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_in_place_of_100_continue_is_heard_before_any_byte_of_the_body()
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        await using var visitor = await edge.ConnectAsync();
        await visitor.WriteAsync(Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1000000000\r\n{Close}\r\n"), Stop);
        Assert.StartsWith("HTTP/1.1 413 ", await VisitedEdge.ReadHeadAsync(visitor), StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n", edge.Received(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_100_continue_of_the_service_asks_the_visitor_for_the_body()
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            await stream.WriteAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray());
            await stream.ReadExactlyAsync(new byte[4]);
            await stream.WriteAsync(Encoding.ASCII.GetBytes(Hello));
        });
        await using var visitor = await edge.ConnectAsync();
        await visitor.WriteAsync(Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n{Close}\r\n"), Stop);
        Assert.Equal("HTTP/1.1 100 Continue\r\n\r\n", await VisitedEdge.ReadHeadAsync(visitor));
        await visitor.WriteAsync("body"u8.ToArray(), Stop);
        Assert.EndsWith("hello", await VisitedEdge.ReadToEndAsync(visitor), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 ")]
    [InlineData("GET", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", "HTTP/1.1 304 ")]
    [InlineData("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", "HTTP/1.1 200 ")]
    [InlineData("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 ")]
    [InlineData("GET", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 ")]
    public async Task Answers_without_a_body_end_with_their_head(string method, string response, string begins)
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer(response));
        var answer = await edge.AskAsync($"{method} / HTTP/1.1\r\n{Close}\r\n");
        Assert.StartsWith(begins, answer, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n", answer, StringComparison.Ordinal);
        Assert.Equal(answer.Length - 4, answer.IndexOf("\r\n\r\n", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Trailers_of_an_answer_pass_to_http2()
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n"));
        using var client = edge.Client(HttpVersion.Version20);
        using var answer = await client.GetAsync("/", Stop);
        Assert.Equal("hello", await answer.Content.ReadAsStringAsync(Stop));
        Assert.Equal("7", Assert.Single(answer.TrailingHeaders.GetValues("X-Sum")));
    }

    [Fact]
    public async Task A_body_passes_piece_by_piece()
    {
        var arrived = new TaskCompletionSource();
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            await stream.ReadExactlyAsync(new byte[4]);
            arrived.SetResult();
            await stream.ReadExactlyAsync(new byte[4]);
            await stream.WriteAsync(Encoding.ASCII.GetBytes(Hello));
        });
        await using var visitor = await edge.ConnectAsync();
        await visitor.WriteAsync(Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nContent-Length: 8\r\n{Close}\r\npart"), Stop);
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        await visitor.WriteAsync("part"u8.ToArray(), Stop);
        Assert.EndsWith("hello", await VisitedEdge.ReadToEndAsync(visitor), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_visitor_who_leaves_in_the_middle_of_an_upload_resets_the_local_connection()
    {
        var (arrived, reset) = (new TaskCompletionSource(), new TaskCompletionSource<StreamError>());
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            try
            {
                while (await stream.ReadAsync(new byte[1024]) > 0) arrived.TrySetResult();
                reset.SetResult(StreamError.None); // it looked complete
            }
            catch (BondStreamException error)
            {
                reset.SetResult(error.Error);
            }
        });
        await using (var visitor = await edge.ConnectAsync())
        {
            await visitor.WriteAsync(Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{Close}\r\n4\r\npart\r\n"), Stop);
            await arrived.Task.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        }
        Assert.NotEqual(StreamError.None, await reset.Task.WaitAsync(TimeSpan.FromSeconds(20), Stop));
    }

    [Theory]
    [InlineData("1.1", "Content-Length: 10\r\n\r\npart")]
    [InlineData("1.1", "Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n")]
    [InlineData("2.0", "Content-Length: 10\r\n\r\npart")]
    [InlineData("2.0", "Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n")]
    public async Task A_service_that_resets_in_the_middle_of_a_body_never_makes_it_look_whole(string version, string rest)
    {
        var seen = new TaskCompletionSource();
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\n{rest}"));
            await seen.Task;
            stream.Abort(StreamError.LocalReset);
        });
        using var client = edge.Client(Version.Parse(version));
        using var answer = await client.GetAsync("/", HttpCompletionOption.ResponseHeadersRead, Stop);
        await using var body = await answer.Content.ReadAsStreamAsync(Stop);
        await body.ReadExactlyAsync(new byte[4], Stop);
        seen.SetResult();
        await Assert.ThrowsAnyAsync<IOException>(async () => await body.ReadExactlyAsync(new byte[1], Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop));
    }
}

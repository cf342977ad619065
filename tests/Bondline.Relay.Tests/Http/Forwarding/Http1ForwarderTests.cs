using System.Net;
using System.Text;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Relay.Tests;

/// <summary>What a forwarder has to get right where both sides do as they like, over a real relay and a real bond.</summary>
public sealed class Http1ForwarderTests
{
    private const string Hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Close = "Host: shop.lab.test\r\nConnection: close\r\n";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Content-Length: 1000000000")]
    [InlineData("Transfer-Encoding: chunked")]
    public async Task An_answer_before_the_upload_is_over_reaches_the_visitor_at_once(string framing)
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nbig"));
        await using var visitor = await edge.ConnectAsync();
        await visitor.WriteAsync(Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\n{framing}\r\n{Close}\r\n4\r\nbody\r\n"), Stop); // and no more
        var answer = new byte[4096];
        var length = await visitor.ReadAtLeastAsync(answer, "HTTP/1.1 413".Length, cancellationToken: Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop);
        Assert.StartsWith("HTTP/1.1 413 ", Encoding.ASCII.GetString(answer, 0, length), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Content-Length: 10", "body", "-rest!")]
    [InlineData("Transfer-Encoding: chunked", "4\r\nbody\r\n", "6\r\n-rest!\r\n0\r\n\r\n")]
    public async Task A_visitor_whose_upload_was_answered_early_asks_again_over_the_same_connection(string framing, string begun, string rest)
    {
        const string big = "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nbig";
        await using var edge = await VisitedEdge.StartAsync(["shop"], (stream, head) => stream.WriteAsync(Encoding.ASCII.GetBytes(head.StartsWith("POST", StringComparison.Ordinal) ? big : Hello)).AsTask());
        await using var visitor = await edge.ConnectAsync();
        await visitor.WriteAsync(Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nHost: shop.lab.test\r\n{framing}\r\n\r\n{begun}"), Stop);
        Assert.StartsWith("HTTP/1.1 413 ", await VisitedEdge.ReadHeadAsync(visitor), StringComparison.Ordinal);
        await visitor.ReadExactlyAsync(new byte[3], Stop);
        await visitor.WriteAsync(Encoding.ASCII.GetBytes($"{rest}GET / HTTP/1.1\r\n{Close}\r\n"), Stop);
        Assert.EndsWith("hello", await VisitedEdge.ReadToEndAsync(visitor), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("POST", true)]
    [InlineData("PUT", true)]
    [InlineData("GET", false)]
    [InlineData("DELETE", false)]
    public async Task An_upload_of_nothing_over_HTTP2_says_its_length_to_the_service(string method, bool saysLength)
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer(Hello));
        using var client = edge.Client(HttpVersion.Version20);
        using var request = new HttpRequestMessage(new(method), "/") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var answer = await client.SendAsync(request, Stop);
        Assert.Equal("hello", await answer.Content.ReadAsStringAsync(Stop));
        Assert.Equal(saysLength, edge.Received().Contains("\r\nContent-Length: 0\r\n", StringComparison.Ordinal));
        Assert.DoesNotContain("Transfer-Encoding", edge.Received(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Both_directions_of_a_request_run_at_once()
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray());
            var buffer = new byte[6]; // 1 CR LF letter CR LF
            for (var i = 0; i < 3; i++)
            {
                await stream.ReadExactlyAsync(buffer);
                await stream.WriteAsync(buffer);
            }
            await stream.ReadExactlyAsync(buffer.AsMemory(0, 5));
            await stream.WriteAsync("0\r\n\r\n"u8.ToArray());
        });
        await using var visitor = await edge.ConnectAsync();
        await visitor.WriteAsync(Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{Close}\r\n"), Stop);
        var answer = new StringBuilder();
        var one = new byte[1];
        foreach (var letter in "abc")
        {
            await visitor.WriteAsync(Encoding.ASCII.GetBytes($"1\r\n{letter}\r\n"), Stop);
            while (!answer.ToString().EndsWith($"1\r\n{letter}\r\n", StringComparison.Ordinal))
            {
                Assert.Equal(1, await visitor.ReadAsync(one, Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop));
                answer.Append((char)one[0]);
            }
        }
        await visitor.WriteAsync("0\r\n\r\n"u8.ToArray(), Stop);
        Assert.EndsWith("0\r\n\r\n", await VisitedEdge.ReadToEndAsync(visitor), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Trailers_of_a_request_reach_the_service()
    {
        var whole = new TaskCompletionSource<string>();
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            var body = new StringBuilder();
            var one = new byte[1];
            while (!body.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
            {
                await stream.ReadExactlyAsync(one);
                body.Append((char)one[0]);
            }
            whole.SetResult(body.ToString());
            await stream.WriteAsync(Encoding.ASCII.GetBytes(Hello));
        });
        Assert.EndsWith("hello", await edge.AskAsync($"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{Close}\r\n4\r\nbody\r\n0\r\nX-Sum: 7\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"), StringComparison.Ordinal);
        Assert.Equal("4\r\nbody\r\n0\r\nX-Sum: 7\r\n\r\n", await whole.Task);
    }

    [Fact]
    public async Task A_request_goes_out_again_when_an_idle_connection_was_closed_under_it()
    {
        // Each connection answers once and closes only when it is asked again: the relay cannot know.
        var connections = 0;
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, head) =>
        {
            if (head.StartsWith("GET /first", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref connections);
                await stream.WriteAsync(Encoding.ASCII.GetBytes(Hello));
            }
            else if (Interlocked.Increment(ref connections) == 2) stream.Abort(StreamError.LocalReset);
            else await stream.WriteAsync(Encoding.ASCII.GetBytes(Hello));
        });
        using var client = edge.Client(HttpVersion.Version11);
        Assert.Equal("hello", await client.GetStringAsync("/first", Stop));
        Assert.Equal("hello", await client.GetStringAsync("/second", Stop));
        Assert.Equal(3, connections);
    }

    [Theory]
    [InlineData("POST", "body")]
    [InlineData("PUT", "body")]
    [InlineData("POST", "")]
    [InlineData("PATCH", "")]
    [InlineData("BREW", "")]
    public async Task What_may_have_an_effect_does_not_go_out_again(string method, string body)
    {
        var requests = 0;
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            if (Interlocked.Increment(ref requests) == 1) await stream.WriteAsync(Encoding.ASCII.GetBytes(Hello));
            else stream.Abort(StreamError.LocalReset);
        });
        using var client = edge.Client(HttpVersion.Version11);
        Assert.Equal("hello", await client.GetStringAsync("/", Stop));
        using var request = new HttpRequestMessage(new(method), "/") { Content = new StringContent(body) };
        using var answer = await client.SendAsync(request, Stop);
        Assert.Equal(HttpStatusCode.BadGateway, answer.StatusCode);
        Assert.Equal(2, requests);
    }

    [Fact]
    public async Task What_follows_an_answer_unasked_never_becomes_the_next_one()
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer(Hello + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"));
        using var client = edge.Client(HttpVersion.Version11);
        for (var i = 0; i < 5; i++) Assert.Equal("hello", await client.GetStringAsync("/", Stop));
    }

    [Theory]
    [InlineData("GET /a/../b;c?d=%2e%2E HTTP/1.1", "GET /a/../b;c?d=%2e%2E HTTP/1.1")]
    [InlineData("GET http://shop.lab.test/a%20b?c HTTP/1.1", "GET /a%20b?c HTTP/1.1")]
    [InlineData("GET http://shop.lab.test HTTP/1.1", "GET / HTTP/1.1")]
    [InlineData("OPTIONS * HTTP/1.1", "OPTIONS * HTTP/1.1")]
    [InlineData("BREW /pot HTTP/1.1", "BREW /pot HTTP/1.1")]
    public async Task The_target_passes_as_the_visitor_wrote_it(string line, string passed)
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer(Hello));
        Assert.EndsWith("hello", await edge.AskAsync($"{line}\r\n{Close}\r\n"), StringComparison.Ordinal);
        Assert.StartsWith($"{passed}\r\nHost: shop.lab.test\r\n", edge.Received(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Header_bytes_pass_both_ways_whatever_they_stand_for()
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer("HTTP/1.1 200 Sch\u00f6n\r\nX-Name: J\u00fcrgen \u00c3\u00a9\r\nContent-Length: 5\r\n\r\nhello"));
        var answer = await edge.AskAsync($"GET / HTTP/1.1\r\nX-Own: \u00e9 \u00c3\u00a9\r\n{Close}\r\n");
        Assert.Contains("\r\nX-Name: J\u00fcrgen \u00c3\u00a9\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("\r\nX-Own: \u00e9 \u00c3\u00a9\r\n", edge.Received(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Headers_and_bodies_of_any_size_pass()
    {
        var large = new string('x', 60_000);
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            var body = new byte[200_000];
            await stream.ReadExactlyAsync(body);
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nX-Large: {large}\r\nContent-Length: {body.Length}\r\n\r\n"));
            await stream.WriteAsync(body);
        });
        var sent = new string('y', 200_000);
        var answer = await edge.AskAsync($"POST / HTTP/1.1\r\nX-Large: {large}\r\nContent-Length: 200000\r\n{Close}\r\n{sent}");
        Assert.Contains($"\r\nX-Large: {large}\r\n", edge.Received(), StringComparison.Ordinal);
        Assert.Contains($"\r\nX-Large: {large}\r\n", answer, StringComparison.Ordinal);
        Assert.EndsWith($"\r\n\r\n{sent}", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n\r\n", "did not answer the request properly")]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "did not answer the request properly")]
    [InlineData("HTTP/1.1 200 OK\r\nSet-Cookie", "closed the connection")]
    public async Task What_is_no_answer_is_a_bad_gateway_and_nothing_of_it_passes(string said, string told)
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes(said));
            await stream.CompleteWritesAsync();
        });
        var answer = await edge.AskAsync($"GET / HTTP/1.1\r\n{Close}\r\n");
        Assert.StartsWith("HTTP/1.1 502 ", answer, StringComparison.Ordinal);
        Assert.Contains(told, answer, StringComparison.Ordinal);
        Assert.DoesNotContain("Cookie", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_last_bytes_of_a_body_do_not_wait_for_the_next_answer()
    {
        var goOn = new TaskCompletionSource();
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\n{new string('x', 5000)}"));
            await goOn.Task;
            await stream.WriteAsync(Encoding.ASCII.GetBytes(new string('x', 1000)));
        });
        using var client = edge.Client(HttpVersion.Version11);
        using var answer = await client.GetAsync("/", HttpCompletionOption.ResponseHeadersRead, Stop);
        await using var body = await answer.Content.ReadAsStreamAsync(Stop);
        await body.ReadExactlyAsync(new byte[5000], Stop);
        goOn.SetResult();
        await body.ReadExactlyAsync(new byte[1000], Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop);
    }

    [Fact]
    public async Task A_connect_request_is_not_passed_on()
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer(Hello));
        Assert.StartsWith("HTTP/1.1 4", await edge.AskAsync($"CONNECT shop.lab.test:22 HTTP/1.1\r\nHost: shop.lab.test:22\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        Assert.Equal("", edge.Received());
    }

    [Fact]
    public async Task A_visitor_who_leaves_while_the_service_thinks_resets_the_local_connection()
    {
        var (asked, left) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            asked.SetResult();
            await stream.Closed;
            left.SetResult();
        });
        await using (var visitor = await edge.ConnectAsync())
        {
            await visitor.WriteAsync(Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\n{Close}\r\n"), Stop);
            await asked.Task.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        }
        await left.Task.WaitAsync(TimeSpan.FromSeconds(20), Stop);
    }

    [Fact]
    public async Task A_broken_upload_is_the_visitors_fault_and_never_looks_whole()
    {
        var (arrived, ended) = (new TaskCompletionSource(), new TaskCompletionSource<bool>());
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            try
            {
                while (await stream.ReadAsync(new byte[1024]) > 0) arrived.TrySetResult();
                ended.SetResult(true);
            }
            catch (IOException)
            {
                ended.SetResult(false);
            }
        });
        await using var visitor = await edge.ConnectAsync();
        await visitor.WriteAsync(Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{Close}\r\n4\r\nbody\r\n"), Stop);
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        await visitor.WriteAsync("not a size\r\n"u8.ToArray(), Stop);
        Assert.StartsWith("HTTP/1.1 400 ", await VisitedEdge.ReadToEndAsync(visitor), StringComparison.Ordinal);
        Assert.False(await ended.Task.WaitAsync(TimeSpan.FromSeconds(20), Stop));
    }
}

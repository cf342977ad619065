using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Bondline.Transport;
using Microsoft.Extensions.Primitives;
using Xunit;

namespace Bondline.Relay.Tests;

/// <summary>A service that knows its user by the connection answers nobody else's request over that connection.</summary>
public sealed class ConnectionSignInTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true, "NTLM")]
    [InlineData(true, "ntlm TlRMTVNTUAABAAAA")]
    [InlineData(true, "Negotiate oYG2MIGzoAMKAQ==")]
    [InlineData(true, "Basic realm=\"a\", Negotiate")]
    [InlineData(true, "Basic realm=\"a\"", "NTLM")]
    [InlineData(false, "Basic bnRsbQ==")]
    [InlineData(false, "Bearer NTLM")]
    [InlineData(false, "NTLMv9 x")]
    [InlineData(false, "")]
    [InlineData(false)]
    public void Only_NTLM_and_Negotiate_sign_a_connection_in(bool isIn, params string[] values) => Assert.Equal(isIn, ConnectionSignIn.IsIn(new StringValues(values)));

    [Theory]
    [InlineData("NTLM")]
    [InlineData("Negotiate")]
    public async Task A_connection_that_was_signed_in_serves_its_visitors_connection_alone_and_ends_with_it(string scheme)
    {
        var service = new SignInService(scheme);
        await using var edge = await VisitedEdge.StartAsync(["shop"], service.AnswerAsync);
        await using var other = await edge.ConnectAsync();
        Assert.Equal("nobody", await AskAsync(other));
        await using (var visitor = await edge.ConnectAsync())
        {
            Assert.Equal("who?", await AskAsync(visitor, $"{scheme} hello"));
            Assert.Equal("alice", await AskAsync(visitor, $"{scheme} alice"));
            for (var i = 0; i < 3; i++)
            {
                Assert.Equal("nobody", await AskAsync(other));
                Assert.Equal("alice", await AskAsync(visitor));
            }
        }
        await service.Closed("alice").WaitAsync(TimeSpan.FromSeconds(20), Stop);
        Assert.Equal("nobody", await AskAsync(other));
    }

    [Fact]
    public async Task A_visitors_connection_of_HTTP2_gets_a_fresh_one_each_time()
    {
        var service = new SignInService("Negotiate");
        await using var edge = await VisitedEdge.StartAsync(["shop"], service.AnswerAsync);
        using var client = edge.Client(HttpVersion.Version20);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        request.Headers.TryAddWithoutValidation("Authorization", "Negotiate alice");
        using var answer = await client.SendAsync(request, Stop);
        Assert.Equal("alice", await answer.Content.ReadAsStringAsync(Stop));
        Assert.Equal("nobody", await client.GetStringAsync("/", Stop));
        await service.Closed("alice").WaitAsync(TimeSpan.FromSeconds(20), Stop);
    }

    [Fact]
    public async Task A_tunnel_that_closes_takes_them_with_it()
    {
        var service = new SignInService("NTLM");
        await using var edge = await VisitedEdge.StartAsync(["shop"], service.AnswerAsync);
        await using var visitor = await edge.ConnectAsync();
        Assert.Equal("alice", await AskAsync(visitor, "NTLM alice"));
        await edge.Agent.SendAsync(new Protocol.UnregisterTunnel(1));
        await service.Closed("alice").WaitAsync(TimeSpan.FromSeconds(20), Stop);
    }

    private static async Task<string> AskAsync(Stream visitor, string? authorization = null)
    {
        await visitor.WriteAsync(Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: shop.lab.test\r\n{(authorization is null ? "" : $"Authorization: {authorization}\r\n")}\r\n"), Stop);
        var head = await VisitedEdge.ReadHeadAsync(visitor);
        var length = int.Parse(head.Split("\r\n").Single(line => line.StartsWith("Content-Length: ", StringComparison.Ordinal))["Content-Length: ".Length..], System.Globalization.CultureInfo.InvariantCulture);
        var body = new byte[length];
        await visitor.ReadExactlyAsync(body, Stop);
        return Encoding.ASCII.GetString(body);
    }

    /// <summary>Answers with the name that was last given over the connection; "hello" is the first of NTLM's messages.</summary>
    private sealed class SignInService(string scheme)
    {
        private readonly ConcurrentDictionary<BondStream, string> _users = [];
        private readonly ConcurrentDictionary<string, TaskCompletionSource> _closed = [];

        /// <summary>Completes when a connection that somebody signed in over is closed.</summary>
        public Task Closed(string user) => _closed.GetOrAdd(user, _ => new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

        public async Task AnswerAsync(BondStream stream, string head)
        {
            var line = head.Split("\r\n").SingleOrDefault(line => line.StartsWith("Authorization: ", StringComparison.OrdinalIgnoreCase));
            if (line?.Split(' ')[^1] is { } given)
            {
                if (given == "hello")
                {
                    await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {scheme} challenge\r\nContent-Length: 4\r\n\r\nwho?"));
                    return;
                }
                _users[stream] = given;
                _ = WatchAsync(stream, given);
            }
            var user = _users.GetValueOrDefault(stream, "nobody");
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {user.Length}\r\n\r\n{user}"));
        }

        private async Task WatchAsync(BondStream stream, string user)
        {
            await stream.Closed;
            _closed.GetOrAdd(user, _ => new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        }
    }
}

using System.Text;
using Bondline.Transport;
using Xunit;

namespace Bondline.Relay.Tests;

/// <summary><c>--idle-timeout</c> on what stays open for long.</summary>
public sealed class IdleTimeoutTests
{
    private const string Upgrade = "GET / HTTP/1.1\r\nHost: shop.lab.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    private const string Events = "GET / HTTP/1.1\r\nHost: shop.lab.test\r\nAccept: text/event-stream\r\n\r\n";
    private const string Switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    private const string EventStream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(1), Patience = TimeSpan.FromSeconds(20);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Upgrade, Switching)]
    [InlineData(Events, EventStream)]
    public async Task What_is_silent_for_too_long_is_ended_for_both(string request, string response)
    {
        var left = new TaskCompletionSource();
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes(response), Stop);
            try
            {
                await stream.ReadExactlyAsync(new byte[1], Stop);
            }
            catch (Exception error) when (error is BondStreamException or EndOfStreamException)
            {
                left.SetResult();
                throw;
            }
        }, new HttpLimits { IdleTimeout = Limit });
        await using var visitor = await edge.ConnectAsync();
        await visitor.WriteAsync(Encoding.ASCII.GetBytes(request), Stop);
        var answer = await VisitedEdge.ReadToEndAsync(visitor);
        Assert.StartsWith(response.Split("\r\n")[0], answer, StringComparison.Ordinal);
        Assert.DoesNotContain("\r\n0\r\n", answer, StringComparison.Ordinal); // never made to look whole
        await left.Task.WaitAsync(Patience, Stop);
    }

    [Theory]
    [InlineData(Upgrade, Switching, "x")]
    [InlineData(Events, EventStream, "1\r\nx\r\n")]
    public async Task What_speaks_now_and_then_goes_on(string request, string response, string word)
    {
        const int words = 40;
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes(response), Stop);
            using var often = new PeriodicTimer(Limit / 20);
            for (var i = 0; i < words && await often.WaitForNextTickAsync(Stop); i++) await stream.WriteAsync(Encoding.ASCII.GetBytes(word), Stop);
            await stream.WriteAsync(Encoding.ASCII.GetBytes("0\r\n\r\n"), Stop);
            await stream.CompleteWritesAsync();
        }, new HttpLimits { IdleTimeout = Limit });
        await using var visitor = await edge.ConnectAsync();
        await visitor.WriteAsync(Encoding.ASCII.GetBytes(request.Replace("\r\nAccept:", "\r\nConnection: close\r\nAccept:", StringComparison.Ordinal)), Stop);
        var answer = await VisitedEdge.ReadToEndAsync(visitor);
        Assert.EndsWith("0\r\n\r\n", answer, StringComparison.Ordinal);
        var body = answer[(answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
        Assert.Equal(words, body.Count(letter => letter == 'x'));
    }
}

using System.Text;
using System.Threading.Channels;
using Bondline.Transport;
using Xunit;

namespace Bondline.Relay.Tests;

/// <summary><c>--idle-timeout</c> on what stays open for long; its clock is moved by the test.</summary>
public sealed class IdleTimeoutTests
{
    private const string Upgrade = "GET / HTTP/1.1\r\nHost: shop.lab.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    private const string Events = "GET / HTTP/1.1\r\nHost: shop.lab.test\r\nAccept: text/event-stream\r\n\r\n";
    private const string Switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    private const string EventStream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1), Patience = TimeSpan.FromSeconds(20);

    private readonly ManualTime _time = new();

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
        }, new HttpLimits { IdleTimeout = Limit, Time = _time });
        await using var visitor = await edge.ConnectAsync();
        await visitor.WriteAsync(Encoding.ASCII.GetBytes(request), Stop);
        Assert.StartsWith(response.Split("\r\n")[0], await VisitedEdge.ReadHeadAsync(visitor), StringComparison.Ordinal);
        _time.Advance(Limit);
        Assert.Equal("", await VisitedEdge.ReadToEndAsync(visitor)); // never made to look whole
        await left.Task.WaitAsync(Patience, Stop);
    }

    [Theory]
    [InlineData(Upgrade, Switching, "x")]
    [InlineData(Events, EventStream, "1\r\nx\r\n")]
    public async Task What_speaks_now_and_then_goes_on(string request, string response, string word)
    {
        const int words = 40;
        var wanted = Channel.CreateUnbounded<bool>();
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes(response), Stop);
            while (await wanted.Reader.WaitToReadAsync(Stop) && wanted.Reader.TryRead(out bool _)) await stream.WriteAsync(Encoding.ASCII.GetBytes(word), Stop);
            await stream.WriteAsync(Encoding.ASCII.GetBytes("0\r\n\r\n"), Stop);
            await stream.CompleteWritesAsync();
        }, new HttpLimits { IdleTimeout = Limit, Time = _time });
        await using var visitor = await edge.ConnectAsync();
        await visitor.WriteAsync(Encoding.ASCII.GetBytes(request.Replace("\r\nAccept:", "\r\nConnection: close\r\nAccept:", StringComparison.Ordinal)), Stop);
        await VisitedEdge.ReadHeadAsync(visitor);
        var one = new byte[1];
        for (var i = 0; i < words; i++)
        {
            Assert.True(wanted.Writer.TryWrite(true));
            while (one[0] != 'x') await visitor.ReadExactlyAsync(one, Stop).AsTask().WaitAsync(Patience, Stop);
            one[0] = 0;
            _time.Advance(0.9 * Limit);
        }
        wanted.Writer.Complete();
        Assert.EndsWith("0\r\n\r\n", await VisitedEdge.ReadToEndAsync(visitor), StringComparison.Ordinal);
    }
}

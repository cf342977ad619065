using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Bondline.Protocol;
using Bondline.Transport;
using Xunit;

namespace Bondline.Agent.Tests;

/// <summary>A visitor's stream and the local service behind it, over a real bond on loopback.</summary>
public sealed class StreamPumpTests : IAsyncLifetime
{
    private readonly TestRelay _relay = new();
    private readonly LocalService _service = new();
    private RunningAgent? _running;
    private TestAgent? _agent;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _running = new RunningAgent(_relay, new TunnelRequest(_service.Target));
        _agent = await _relay.AgentAsync();
        await _agent.AcceptTunnelAsync();
        await _running.ToldAsync();
        await _service.SkipProbeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _running!.DisposeAsync();
        _service.Dispose();
        await _relay.DisposeAsync();
    }

    [Fact]
    public async Task Bytes_go_both_ways_and_each_way_ends_by_itself()
    {
        var (visitor, local) = await VisitAsync();
        await visitor.WriteAsync("question"u8.ToArray(), Stop);
        await visitor.CompleteWritesAsync(Stop);
        Assert.Equal("question", await ReadToEndAsync(new NetworkStream(local)));
        await local.SendAsync("answer"u8.ToArray(), Stop); // after the visitor's end
        local.Shutdown(SocketShutdown.Send);
        Assert.Equal("answer", await ReadToEndAsync(visitor));
        Assert.Equal(0, await local.ReceiveAsync(new byte[1], Stop));
        await visitor.Closed.WaitAsync(TimeSpan.FromSeconds(20), Stop);
    }

    [Fact]
    public async Task The_service_may_end_first()
    {
        var (visitor, local) = await VisitAsync();
        var network = new NetworkStream(local);
        await local.SendAsync("greeting"u8.ToArray(), Stop);
        local.Shutdown(SocketShutdown.Send);
        Assert.Equal("greeting", await ReadToEndAsync(visitor));
        await visitor.WriteAsync("late"u8.ToArray(), Stop);
        await visitor.CompleteWritesAsync(Stop);
        Assert.Equal("late", await ReadToEndAsync(network));
    }

    [Fact]
    public async Task Bulk_arrives_unchanged_both_ways_at_once()
    {
        var (visitor, local) = await VisitAsync();
        var up = RandomNumberGenerator.GetBytes(24 << 20);
        var down = RandomNumberGenerator.GetBytes(24 << 20);
        var network = new NetworkStream(local);
        var sending = Task.WhenAll(
            Task.Run(async () =>
            {
                await visitor.WriteAsync(down, Stop);
                await visitor.CompleteWritesAsync(Stop);
            }, Stop),
            Task.Run(async () =>
            {
                await network.WriteAsync(up, Stop);
                local.Shutdown(SocketShutdown.Send);
            }, Stop));
        var hashes = await Task.WhenAll(SHA256.HashDataAsync(visitor, Stop).AsTask(), SHA256.HashDataAsync(network, Stop).AsTask()).WaitAsync(TimeSpan.FromSeconds(60), Stop);
        await sending;
        Assert.Equal(SHA256.HashData(up), hashes[0]);
        Assert.Equal(SHA256.HashData(down), hashes[1]);
    }

    [Fact]
    public async Task A_reset_of_the_service_reaches_the_visitor()
    {
        var (visitor, local) = await VisitAsync();
        local.LingerState = new LingerOption(true, 0);
        local.Dispose();
        var error = await Assert.ThrowsAsync<BondStreamException>(async () => await visitor.ReadAsync(new byte[1], Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop));
        Assert.Equal(StreamError.LocalReset, error.Error);
    }

    [Fact]
    public async Task An_answer_before_a_reset_arrives_first()
    {
        var (visitor, local) = await VisitAsync();
        await visitor.WriteAsync(new byte[100_000], Stop); // never read by the service: closing resets
        await local.ReceiveAsync(new byte[1], Stop);
        await local.SendAsync("413"u8.ToArray(), Stop);
        local.Dispose();
        var answer = new byte[3];
        await visitor.ReadExactlyAsync(answer, Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop);
        Assert.Equal("413"u8.ToArray(), answer);
        await Assert.ThrowsAsync<BondStreamException>(async () => await visitor.ReadAsync(answer, Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop));
    }

    [Fact]
    public async Task A_reset_of_the_visitor_reaches_the_service()
    {
        var (visitor, local) = await VisitAsync();
        visitor.Abort(StreamError.VisitorReset);
        var error = await Assert.ThrowsAsync<SocketException>(async () => await local.ReceiveAsync(new byte[1], Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop));
        Assert.Equal(SocketError.ConnectionReset, error.SocketErrorCode);
    }

    [Fact]
    public async Task A_reset_after_the_visitors_end_reaches_the_service()
    {
        var (visitor, local) = await VisitAsync();
        await visitor.CompleteWritesAsync(Stop);
        Assert.Equal(0, await local.ReceiveAsync(new byte[1], Stop));
        visitor.Abort(StreamError.VisitorReset);
        var error = await Assert.ThrowsAsync<SocketException>(async () =>
        {
            while (true) await local.SendAsync(new byte[1000], Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop); // a reset is seen by who writes
        });
        Assert.Contains(error.SocketErrorCode, (SocketError[])[SocketError.ConnectionReset, SocketError.Shutdown]);
    }

    [Fact]
    public async Task A_lost_bond_resets_the_service()
    {
        var (_, local) = await VisitAsync();
        await _agent!.Bond.CloseAsync(ProtocolError.GoingAway, "restart");
        var error = await Assert.ThrowsAsync<SocketException>(async () => await local.ReceiveAsync(new byte[1], Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop));
        Assert.Equal(SocketError.ConnectionReset, error.SocketErrorCode);
    }

    [Fact]
    public async Task A_service_that_is_down_refuses_at_once_and_is_told_once_until_it_was_up_again()
    {
        _service.Dispose();
        for (var visit = 0; visit < 3; visit++)
        {
            await using var visitor = await _agent!.VisitAsync();
            var error = await Assert.ThrowsAsync<BondStreamException>(async () => await visitor.ReadAsync(new byte[1], Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop));
            Assert.Equal(StreamError.LocalUnreachable, error.Error);
        }
        Assert.StartsWith("local-unreachable: nothing listens on ", await _running!.ToldAsync(), StringComparison.Ordinal);
        _running.Drain();
        await _running.EndAsync();
        await Assert.ThrowsAsync<TimeoutException>(() => _running.ToldAsync().WaitAsync(TimeSpan.Zero, Stop)); // nothing more was told
    }

    [Fact]
    public async Task A_service_that_does_not_read_stops_the_visitor_and_not_other_visitors()
    {
        var (slow, slowLocal) = await VisitAsync();
        var writing = slow.WriteAsync(new byte[128 << 20], Stop).AsTask(); // over every buffer on the way
        for (var i = 0; i < 20; i++)
        {
            var (visitor, local) = await VisitAsync();
            await visitor.WriteAsync("ping"u8.ToArray(), Stop);
            var seen = new byte[4];
            await new NetworkStream(local).ReadExactlyAsync(seen, Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop);
            visitor.Abort(StreamError.VisitorReset);
            local.Dispose();
        }
        Assert.False(writing.IsCompleted);
        slow.Abort(StreamError.VisitorReset);
        await Assert.ThrowsAsync<BondStreamException>(() => writing);
        slowLocal.Dispose();
    }

    [Fact]
    public async Task A_service_that_does_not_read_sees_that_its_visitor_reset()
    {
        var (visitor, local) = await VisitAsync();
        await FillAsync(visitor);
        visitor.Abort(StreamError.VisitorReset);
        Assert.True(await Task.Run(() => local.Poll(TimeSpan.FromSeconds(20), SelectMode.SelectError), Stop));
    }

    [Fact]
    public async Task A_service_that_does_not_read_does_not_keep_the_agent_from_ending()
    {
        var (visitor, local) = await VisitAsync();
        await FillAsync(visitor);
        _running!.Drain();
        await _running.EndAsync();
        Assert.True(local.Poll(TimeSpan.FromSeconds(20), SelectMode.SelectError));
    }

    /// <summary>The stream is over, both ends having finished, while its last bytes still wait for room on the way to a slow reader.</summary>
    [Fact]
    public async Task A_stream_that_came_to_its_end_is_no_reason_to_reset_who_still_reads()
    {
        var (stream, service) = await VisitAsync(); // pumped from this side too, to where bytes wait
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var reader = new TcpClient();
        await reader.ConnectAsync((IPEndPoint)listener.LocalEndpoint, Stop);
        var held = new HeldCopy(stream);
        var pumping = new StreamPump(stream, await listener.AcceptSocketAsync(Stop), held, TimeProvider.System).RunAsync();
        service.Shutdown(SocketShutdown.Send);
        await held.Emptied.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        await stream.Closed.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        await Assert.ThrowsAsync<TimeoutException>(() => pumping.WaitAsync(TimeSpan.FromMilliseconds(100), Stop));
        held.Release();
        await pumping.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        Assert.Equal(0, await reader.Client.ReceiveAsync(new byte[1], Stop).AsTask().WaitAsync(TimeSpan.FromSeconds(20), Stop)); // an end, no reset
    }

    /// <summary>Sends until every buffer on the way is full: nothing moves for a second.</summary>
    private static async Task FillAsync(BondStream visitor)
    {
        var block = new byte[1 << 20];
        while (true)
        {
            var writing = visitor.WriteAsync(block, Stop).AsTask();
            try
            {
                await writing.WaitAsync(TimeSpan.FromSeconds(1), Stop);
            }
            catch (TimeoutException)
            {
                _ = writing.ContinueWith(static ended => ended.Exception, TaskScheduler.Default); // it fails when the stream ends
                return;
            }
        }
    }

    private async Task<(BondStream Visitor, Socket Local)> VisitAsync()
    {
        var visitor = await _agent!.VisitAsync();
        return (visitor, await _service.AcceptAsync());
    }

    private static async Task<string> ReadToEndAsync(Stream stream)
    {
        using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
        return await reader.ReadToEndAsync(Stop).WaitAsync(TimeSpan.FromSeconds(20), Stop);
    }

    /// <summary>Has nothing to send, and takes everything at once but needs long to pass on the last of it.</summary>
    private sealed class HeldCopy(BondStream stream) : ILocalCopy
    {
        private readonly TaskCompletionSource _emptied = new(), _released = new();

        public TimeSpan? SinceLastWrite => null;

        public Task Emptied => _emptied.Task;

        public void Release() => _released.SetResult();

        public Task ToStreamAsync() => Task.CompletedTask;

        public async Task ToSocketAsync()
        {
            while (await stream.ReadAsync(new byte[1024], Stop) > 0) { }
            _emptied.SetResult();
            await _released.Task;
        }
    }
}

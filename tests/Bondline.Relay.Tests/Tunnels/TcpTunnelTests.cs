using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Bondline.Protocol;
using Bondline.Transport;
using Xunit;

namespace Bondline.Relay.Tests;

/// <summary>TCP tunnels of a running relay over real bonds.</summary>
public sealed class TcpTunnelTests : IAsyncLifetime
{
    private readonly LogWatch _log = new();
    private readonly RelayServer _relay;
    private JoinUrl _join = null!;

    public TcpTunnelTests() => _relay = new(TestRelay.Options with { IsEmbedded = true }, _log);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _relay.StartAsync(Stop);
        _join = _relay.CreateToken("test");
    }

    public async ValueTask DisposeAsync()
    {
        await _relay.DisposeAsync();
        Assert.Empty(_log.Errors); // however agents and visitors leave
    }

    [Fact]
    public async Task A_visitors_bytes_go_to_the_agent_and_back_with_each_end_kept_apart()
    {
        BondStream? seen = null;
        await using var agent = Agent(async stream =>
        {
            seen = stream;
            await EchoAsync(stream);
        });
        using var visitor = await VisitAsync(agent);
        await visitor.SendAsync("hello"u8.ToArray(), Stop);
        Assert.Equal("hello"u8.ToArray(), await ReadAsync(visitor, 5));
        visitor.Shutdown(SocketShutdown.Send); // half-close: the answer still comes
        Assert.Equal(0, await visitor.ReceiveAsync(new byte[16], Stop));
        Assert.Equal(StreamKind.Tcp, seen!.Header.Kind);
        Assert.Equal(1u, seen.Header.Tunnel);
        Assert.Equal(visitor.LocalEndPoint, seen.Header.Visitor);
    }

    [Fact]
    public async Task A_service_that_speaks_first_is_heard()
    {
        await using var agent = Agent(async stream =>
        {
            await stream.WriteAsync("220 ready\r\n"u8.ToArray());
            await stream.CompleteWritesAsync();
            await stream.CopyToAsync(Stream.Null);
        });
        using var visitor = await VisitAsync(agent);
        Assert.Equal("220 ready\r\n"u8.ToArray(), await ReadAsync(visitor, 11));
        Assert.Equal(0, await visitor.ReceiveAsync(new byte[16], Stop)); // its end comes while ours is open
        visitor.Shutdown(SocketShutdown.Send);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public async Task Bulk_comes_back_byte_for_byte(int visitors)
    {
        await using var agent = Agent(EchoAsync);
        var port = (await agent.NextAsync<TunnelReady>()).Port!.Value;
        await Task.WhenAll(Enumerable.Range(0, visitors).Select(async seed =>
        {
            var sent = new byte[4 << 20];
            new Random(seed).NextBytes(sent);
            using var visitor = await ConnectAsync(port);
            await using var stream = new NetworkStream(visitor);
            var receiving = SHA256.HashDataAsync(stream, Stop);
            await stream.WriteAsync(sent, Stop);
            visitor.Shutdown(SocketShutdown.Send);
            Assert.Equal(SHA256.HashData(sent), await receiving);
        }));
    }

    [Fact]
    public async Task An_agents_reset_is_a_reset_for_the_visitor()
    {
        await using var agent = Agent(async stream =>
        {
            await stream.ReadExactlyAsync(new byte[1]);
            stream.Abort(StreamError.LocalUnreachable);
        });
        using var visitor = await VisitAsync(agent);
        await visitor.SendAsync(new byte[1], Stop);
        await AssertResetAsync(visitor);
    }

    [Fact]
    public async Task A_visitors_reset_is_a_reset_for_the_agent()
    {
        var failure = new TaskCompletionSource<StreamError>();
        await using var agent = Agent(async stream =>
        {
            try
            {
                await stream.WriteAsync(new byte[1]);
                await stream.ReadExactlyAsync(new byte[1]);
            }
            catch (BondStreamException error)
            {
                failure.SetResult(error.Error);
            }
        });
        var visitor = await VisitAsync(agent);
        await ReadAsync(visitor, 1); // a visitor who is gone before the relay looked at it never reaches the agent
        visitor.LingerState = new LingerOption(true, 0);
        visitor.Dispose();
        Assert.Equal(StreamError.VisitorReset, await failure.Task.WaitAsync(TimeSpan.FromSeconds(20), Stop));
    }

    [Fact]
    public async Task Visitors_of_a_bond_that_is_lost_see_a_reset_even_where_one_half_was_over()
    {
        await using var agent = Agent(async stream =>
        {
            if (stream.Header.Tunnel == 1) await stream.CompleteWritesAsync();
            await stream.CopyToAsync(Stream.Null);
        }, [new(1, TunnelKind.Tcp, Local: "half"), new(2, TunnelKind.Tcp, Local: "open")]);
        using var half = await VisitAsync(agent);
        using var open = await VisitAsync(agent);
        Assert.Equal(0, await half.ReceiveAsync(new byte[1], Stop));
        await open.SendAsync(new byte[1], Stop);
        await agent.DisposeAsync();
        await AssertResetAsync(open);
        await AssertResetOnSendAsync(half);
    }

    [Fact]
    public async Task A_visitor_who_does_not_read_holds_nobody_up_when_the_bond_is_lost()
    {
        var isStuck = new TaskCompletionSource();
        await using var agent = Agent(async stream =>
        {
            var bytes = new byte[1 << 20];
            while (true)
            {
                var write = stream.WriteAsync(bytes);
                if (!write.IsCompleted && stream.Id.Ordinal == 0) isStuck.TrySetResult();
                await write;
            }
        });
        using var visitor = await VisitAsync(agent);
        await isStuck.Task.WaitAsync(TimeSpan.FromSeconds(20), Stop);
        await agent.DisposeAsync();
        var buffer = new byte[65536];
        await Assert.ThrowsAsync<SocketException>(async () =>
        {
            while (await visitor.ReceiveAsync(buffer, Stop) > 0) { }
        });
    }

    [Fact]
    public async Task The_port_closes_when_the_agent_leaves()
    {
        await using var agent = Agent(EchoAsync);
        var port = (await agent.NextAsync<TunnelReady>()).Port!.Value;
        using var visitor = await ConnectAsync(port);
        var closed = _log.NextAsync(LogWatch.TunnelClosed);
        await agent.DisposeAsync();
        await AssertResetAsync(visitor);
        await closed; // visitors see their bond's end first
        var error = await Assert.ThrowsAsync<SocketException>(() => ConnectAsync(port));
        Assert.Equal(SocketError.ConnectionRefused, error.SocketErrorCode);
    }

    [Fact]
    public async Task The_same_instance_gets_its_port_back_from_its_own_former_bond()
    {
        await using var first = Agent(EchoAsync);
        var port = (await first.NextAsync<TunnelReady>()).Port;
        await using var second = new TestAgent(_join, EchoAsync, [new(1, TunnelKind.Tcp)], first.Instance);
        Assert.Equal(port, (await second.NextAsync<TunnelReady>()).Port);
        using var visitor = await ConnectAsync(port!.Value);
        await visitor.SendAsync("hello"u8.ToArray(), Stop);
        Assert.Equal("hello"u8.ToArray(), await ReadAsync(visitor, 5));
    }

    [Fact]
    public async Task Who_takes_a_port_over_has_it_and_the_loser_is_told()
    {
        var port = Ports.FreeRange(1).First;
        await using var loser = Agent(EchoAsync, [new(5, TunnelKind.Tcp, RemotePort: port)]);
        await loser.NextAsync<TunnelReady>();
        await using var winner = Agent(EchoAsync, [new(1, TunnelKind.Tcp, RemotePort: port), new(1, TunnelKind.Tcp, RemotePort: port, Takeover: true)]);
        Assert.Equal("port-taken", (await winner.NextAsync<TunnelRefused>()).Code);
        Assert.Equal(port, (await winner.NextAsync<TunnelReady>()).Port);
        Assert.Equal(5u, (await loser.NextAsync<TunnelSuperseded>()).Tunnel);
    }

    [Fact]
    public async Task Garbage_on_the_control_stream_ends_the_bond_and_nothing_else()
    {
        await using var other = Agent(EchoAsync);
        await using var agent = Agent(EchoAsync);
        await agent.NextAsync<TunnelReady>();
        await agent.SendAsync("garbage\n"u8.ToArray());
        await agent.NextAsync<TunnelReady>(); // on the bond it opened next
        using var visitor = await VisitAsync(other);
        await visitor.SendAsync("hello"u8.ToArray(), Stop);
        Assert.Equal("hello"u8.ToArray(), await ReadAsync(visitor, 5));
    }

    [Fact]
    public async Task A_relay_that_fails_to_register_a_tunnel_ends_the_bond_so_that_the_agent_opens_another()
    {
        var log = new LogWatch();
        var time = new FailingTime();
        await using var relay = new RelayServer(TestRelay.Options with { IsEmbedded = true, TimeProvider = time }, log);
        await relay.StartAsync(Stop);
        await using var agent = new TestAgent(relay.CreateToken("test"), EchoAsync, [new(1, TunnelKind.Tcp)]);
        await agent.NextAsync<TunnelReady>();
        var told = log.NextAsync(LogWatch.ControlStreamFailed);
        time.FailOnce();
        await agent.SendAsync(new RegisterTunnel(2, TunnelKind.Tcp));
        await told;
        using var visitor = await VisitAsync(agent); // by the bond it opened next
        await visitor.SendAsync("hello"u8.ToArray(), Stop);
        Assert.Equal("hello"u8.ToArray(), await ReadAsync(visitor, 5));
    }

    private TestAgent Agent(Func<BondStream, Task> serve, RegisterTunnel[]? tunnels = null) => new(_join, serve, tunnels ?? [new(1, TunnelKind.Tcp)]);

    private static async Task<Socket> VisitAsync(TestAgent agent) => await ConnectAsync((await agent.NextAsync<TunnelReady>()).Port!.Value);

    private static async Task<Socket> ConnectAsync(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port, Stop);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task<byte[]> ReadAsync(Socket socket, int length)
    {
        var bytes = new byte[length];
        for (var read = 0; read < length;)
        {
            var more = await socket.ReceiveAsync(bytes.AsMemory(read), Stop);
            Assert.NotEqual(0, more);
            read += more;
        }
        return bytes;
    }

    private static async Task AssertResetAsync(Socket socket)
    {
        var error = await Assert.ThrowsAsync<SocketException>(async () => await socket.ReceiveAsync(new byte[16], Stop));
        Assert.Equal(SocketError.ConnectionReset, error.SocketErrorCode);
    }

    // A socket that was told "end" reads no more: it learns of the reset when it sends.
    private static async Task AssertResetOnSendAsync(Socket socket) => await Assert.ThrowsAsync<SocketException>(async () =>
    {
        while (true)
        {
            await socket.SendAsync(new byte[1], Stop);
            await Task.Yield();
        }
    });

    private static async Task EchoAsync(BondStream stream)
    {
        await stream.CopyToAsync(stream);
        await stream.CompleteWritesAsync();
    }

    /// <summary>A clock that fails once: what nobody expects while a tunnel is registered.</summary>
    private sealed class FailingTime : TimeProvider
    {
        private int _failures;

        public void FailOnce() => Volatile.Write(ref _failures, 1);

        public override DateTimeOffset GetUtcNow() => Interlocked.Exchange(ref _failures, 0) == 0 ? base.GetUtcNow() : throw new InvalidOperationException("no time");
    }
}

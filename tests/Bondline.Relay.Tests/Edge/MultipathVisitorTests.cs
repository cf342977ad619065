using System.Net;
using System.Net.Sockets;
using System.Text;
using Bondline.Protocol;
using Bondline.Transport;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bondline.Relay.Tests;

/// <summary>Whoever comes by Multipath TCP is served as anybody else, and counted as what it is.</summary>
public sealed class MultipathVisitorTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_visitor_of_a_tcp_tunnel_has_each_end_for_itself_and_sees_a_reset_as_one()
    {
        await using var relay = new RelayServer(TestRelay.Options with { IsEmbedded = true });
        await relay.StartAsync(Stop);
        await using var agent = new TestAgent(relay.CreateToken("test"), async stream =>
        {
            var first = new byte[4];
            await stream.ReadExactlyAsync(first);
            await stream.WriteAsync(first);
            if (first[0] == 'r') stream.Abort(StreamError.LocalReset);
            else await stream.CompleteWritesAsync();
            await stream.CopyToAsync(Stream.Null, Stop); // who stops reading before the end resets as well, and that may overtake the end of what was written
        }, [new(1, TunnelKind.Tcp)]);
        var port = (await agent.NextAsync<TunnelReady>()).Port!.Value;

        using var ending = await VisitAsync(port);
        await ending.SendAsync("ends"u8.ToArray(), Stop);
        var answer = new byte[4];
        Assert.Equal(4, await ending.ReceiveAsync(answer, SocketFlags.None, Stop));
        Assert.Equal(0, await ending.ReceiveAsync(answer, Stop));
        ending.Shutdown(SocketShutdown.Send);

        using var broken = await VisitAsync(port);
        await broken.SendAsync("rest"u8.ToArray(), Stop);
        Assert.Equal(SocketError.ConnectionReset, (await Assert.ThrowsAsync<SocketException>(async () =>
        {
            while (await broken.ReceiveAsync(answer, Stop) > 0)
            {
                // what came before it
            }
        })).SocketErrorCode);

        using var plain = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await plain.ConnectAsync(IPAddress.Loopback, port, Stop);
        await plain.SendAsync("ends"u8.ToArray(), Stop);
        Assert.Equal(4, await plain.ReceiveAsync(answer, Stop)); // it is counted by now
        Assert.Equal(new VisitorStatistics(3, 2, 0, 1, 1), relay.Snapshot().Visitors);
    }

    [Fact]
    public async Task An_http_visitor_is_told_the_service_as_the_address_it_came_from_first()
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
        await using var visitor = new NetworkStream(await VisitAsync(edge.Relay.Listening.Http.Port), ownsSocket: true);
        await visitor.WriteAsync("GET / HTTP/1.1\r\nHost: shop.lab.test\r\nX-Forwarded-For: 10.1.2.3\r\nConnection: close\r\n\r\n"u8.ToArray(), Stop);
        Assert.EndsWith("\r\n\r\nhello", await VisitedEdge.ReadToEndAsync(visitor), StringComparison.Ordinal);
        Assert.Contains("X-Forwarded-For: 127.0.0.1\r\n", edge.Received(), StringComparison.Ordinal);
        Assert.Equal(new VisitorStatistics(1, 1, 0, 1, 1), edge.Relay.Snapshot().Visitors);
    }

    [Fact]
    public async Task An_http_body_that_ends_with_its_connection_is_never_cut_in_peace()
    {
        var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, _) =>
        {
            await stream.WriteAsync("HTTP/1.0 200 OK\r\n\r\nhalf"u8.ToArray());
            await heard.Task; // a reset may overtake the bytes, and what the relay then says is an answer of its own, and whole
            stream.Abort(StreamError.LocalReset);
        });
        using var visitor = await VisitAsync(edge.Relay.Listening.Http.Port);
        await visitor.SendAsync("GET / HTTP/1.0\r\nHost: shop.lab.test\r\n\r\n"u8.ToArray(), Stop);
        var (answer, got) = (new byte[1024], "");
        while (!got.EndsWith("\r\n\r\nhalf", StringComparison.Ordinal))
        {
            var length = await visitor.ReceiveAsync(answer, Stop);
            Assert.True(length > 0, $"it ended with \"{got}\"");
            got += Encoding.ASCII.GetString(answer, 0, length);
        }
        heard.SetResult();
        var end = await Assert.ThrowsAsync<SocketException>(async () => await visitor.ReceiveAsync(answer, Stop));
        Assert.Equal(SocketError.ConnectionReset, end.SocketErrorCode);
    }

    [Fact]
    public async Task Where_a_request_is_served_all_addresses_of_its_visitor_are_at_hand()
    {
        var platform = new MultipathPlatform { Subflows = ["127.0.0.1"] };
        using var door = new KestrelDoor(new VisitorCounter(platform, Admissions.Unlimited), NullLogger.Instance);
        var listener = await door.BindAsync(DoorEndPoint.Tls, Stop);
        using var port = new TcpListener(IPAddress.Loopback, 0);
        port.Start();
        using var visitor = new TcpClient();
        await visitor.ConnectAsync((IPEndPoint)port.LocalEndpoint, Stop);
        await door.EnterAsync(await port.AcceptSocketAsync(Stop), DoorEndPoint.Tls, null);
        await using var connection = (await listener.AcceptAsync(Stop))!;
        platform.Subflows = ["127.0.0.1", "10.77.1.2"];
        Assert.Equal([IPAddress.Loopback, IPAddress.Parse("10.77.1.2")], connection.Features.Get<VisitorAddresses>()!.Look());
        Assert.Equal(IPAddress.Loopback, ((IPEndPoint)connection.RemoteEndPoint!).Address);
    }

    [Fact]
    public async Task An_agent_that_came_by_it_is_counted()
    {
        using var detour = new TcpListener(IPAddress.Loopback, 0);
        detour.Start();
        var leading = Task.CompletedTask;
        await using (var edge = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer(""), via: port =>
        {
            leading = LeadAsync(detour, port);
            return ((IPEndPoint)detour.LocalEndpoint).Port;
        }))
            Assert.Equal((1, 1), (edge.Relay.Snapshot().Agents, edge.Relay.Snapshot().MultipathAgents));
        await leading;
        await using var plain = await VisitedEdge.StartAsync(["shop"], VisitedEdge.Answer(""));
        Assert.Equal((1, 0), (plain.Relay.Snapshot().Agents, plain.Relay.Snapshot().MultipathAgents));
    }

    /// <summary>Leads one connection on to a port by Multipath TCP.</summary>
    private static async Task LeadAsync(TcpListener detour, int port)
    {
        using var agent = await detour.AcceptSocketAsync(Stop);
        using var relay = await VisitAsync(port);
        await using var near = new NetworkStream(agent);
        await using var far = new NetworkStream(relay);
        await Task.WhenAny(near.CopyToAsync(far, Stop), far.CopyToAsync(near, Stop));
    }

    private static async Task<Socket> VisitAsync(int port)
    {
        var socket = NetworkPlatform.Current.TryCreateMultipath(AddressFamily.InterNetwork)!;
        await socket.ConnectAsync(IPAddress.Loopback, port, Stop);
        return socket;
    }
}

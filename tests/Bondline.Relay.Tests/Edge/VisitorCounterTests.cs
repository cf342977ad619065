using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class VisitorCounterTests : IDisposable
{
    private readonly MultipathPlatform _platform = new();
    private readonly VisitorCounter _counter;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly List<Socket> _peers = [];

    public VisitorCounterTests()
    {
        _counter = new(_platform, Admissions.Unlimited);
        _listener.Start();
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _listener.Dispose();
        foreach (var peer in _peers) peer.Dispose();
    }

    [Fact]
    public async Task A_plain_visitor_is_counted_and_keeps_its_socket()
    {
        using var accepted = await AcceptAsync();
        var (socket, addresses, _) = _counter.Enter(accepted)!;
        Assert.Same(accepted, socket);
        Assert.False(addresses.IsMultipath);
        Assert.Equal([IPAddress.Loopback], addresses.Look());
        Assert.Equal(new VisitorStatistics(1, 0, 0, 0, 0), _counter.Count());
    }

    [Fact]
    public async Task Subflows_that_come_later_are_seen_when_somebody_asks()
    {
        _platform.Subflows = ["127.0.0.1"];
        var (socket, addresses, _) = _counter.Enter(await AcceptAsync())!;
        Assert.True(addresses.IsMultipath);
        Assert.Equal(new VisitorStatistics(1, 1, 0, 1, 1), _counter.Count());
        _platform.Subflows = ["127.0.0.1", "10.77.1.2", "::ffff:10.77.2.2", "10.77.1.2"];
        Assert.Equal(new VisitorStatistics(1, 1, 1, 4, 4), _counter.Count());
        _platform.Subflows = ["127.0.0.1"]; // it had more: that stays
        Assert.Equal(new VisitorStatistics(1, 1, 1, 4, 4), _counter.Count());
        socket.Dispose();
        Assert.Equal(new VisitorStatistics(1, 1, 1, 4, 4), _counter.Count());
    }

    [Fact]
    public async Task Subflows_nobody_asked_about_are_seen_when_it_is_closed()
    {
        _platform.Subflows = ["127.0.0.1"];
        var (first, _, _) = _counter.Enter(await AcceptAsync())!;
        var (second, addresses, _) = _counter.Enter(await AcceptAsync())!;
        first.Dispose();
        _platform.Subflows = ["127.0.0.1", "10.77.1.2"];
        second.Close(timeout: 0); // as Kestrel does
        _platform.Subflows = [];
        Assert.Equal(new VisitorStatistics(2, 2, 1, 2, 1.5), _counter.Count());
        Assert.Equal([IPAddress.Loopback, IPAddress.Parse("10.77.1.2")], addresses.Look()); // the last ones it had
    }

    [Fact]
    public async Task Every_address_is_told_once_and_the_first_one_first()
    {
        _platform.Subflows = ["::ffff:10.77.2.2"]; // the first subflow is gone
        var (socket, addresses, _) = _counter.Enter(await AcceptAsync())!;
        using (socket)
        {
            Assert.Equal([IPAddress.Loopback, IPAddress.Parse("10.77.2.2")], addresses.Look());
            _platform.Subflows = ["10.77.3.2", "fd77:3::2", "10.77.3.2", "127.0.0.1"];
            Assert.Equal([IPAddress.Loopback, IPAddress.Parse("10.77.3.2"), IPAddress.Parse("fd77:3::2")], addresses.Look());
            Assert.Equal(IPAddress.Loopback, addresses.First);
            Assert.Equal(4, addresses.MostSubflows);
        }
    }

    [Fact]
    public async Task The_socket_that_stands_for_the_accepted_one_is_the_same_connection_and_closes_once()
    {
        _platform.Subflows = ["127.0.0.1"];
        var accepted = await AcceptAsync();
        var remote = accepted.RemoteEndPoint;
        var (socket, _, _) = _counter.Enter(accepted)!;
        Assert.NotSame(accepted, socket);
        Assert.Equal(remote, socket.RemoteEndPoint);
        await socket.SendAsync("hello"u8.ToArray(), Stop);
        var read = new byte[5];
        await _peers[0].ReceiveAsync(read, Stop);
        Assert.Equal("hello"u8.ToArray(), read);
        socket.Dispose();
        socket.Dispose();
        accepted.Dispose(); // as one does who serves it and fails
        Assert.Equal(0, await _peers[0].ReceiveAsync(read, Stop));
        Assert.Equal(new VisitorStatistics(1, 1, 0, 1, 1), _counter.Count());
    }

    [Fact]
    public async Task What_is_closed_while_it_could_still_send_is_reset()
    {
        _platform.Subflows = ["127.0.0.1"];
        var (ended, _, _) = _counter.Enter(await AcceptAsync())!;
        ended.Shutdown(SocketShutdown.Send);
        ended.Dispose();
        var (both, _, _) = _counter.Enter(await AcceptAsync())!;
        both.Shutdown(SocketShutdown.Both);
        both.Dispose();
        Assert.Equal(0, _platform.Resets);
        var (broken, _, _) = _counter.Enter(await AcceptAsync())!;
        broken.Close(timeout: 0);
        Assert.Equal(1, _platform.Resets);

        // A write that waits for the peer does not hold it up.
        var (stuck, _, _) = _counter.Enter(await AcceptAsync())!;
        var writing = stuck.SendAsync(new byte[64 << 20], SocketFlags.None);
        Assert.False(writing.IsCompleted);
        stuck.Dispose();
        Assert.Equal(2, _platform.Resets);
        await Assert.ThrowsAsync<SocketException>(() => writing);
    }

    private async Task<Socket> AcceptAsync()
    {
        var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _peers.Add(peer);
        await peer.ConnectAsync(_listener.LocalEndpoint, Stop);
        return await _listener.AcceptSocketAsync(Stop);
    }
}

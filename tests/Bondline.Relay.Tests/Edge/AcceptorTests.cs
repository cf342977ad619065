using System.Net;
using System.Net.Sockets;
using Bondline.Transport;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bondline.Relay.Tests;

/// <summary>Ports of the relay take Multipath TCP where the system has it, and are else as they always were.</summary>
public sealed class AcceptorTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private static INetworkPlatform System => NetworkPlatform.Current;

    [Theory]
    [InlineData(null, "127.0.0.1")]
    [InlineData(null, "::1")]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("::1", "::1")]
    public async Task One_port_takes_both_kinds(string? listen, string visit)
    {
        var arrived = new TaskCompletionSource<Socket>();
        await using var acceptor = Open(Acceptor.Bind(listen is null ? null : IPAddress.Parse(listen), 0, System), socket => arrived.SetResult(socket));
        var address = IPAddress.Parse(visit);
        using (var multipath = System.TryCreateMultipath(address.AddressFamily)!)
        {
            await multipath.ConnectAsync(address, acceptor.EndPoint.Port, Stop);
            using var served = await arrived.Task;
            Assert.True(System.IsMultipath(served));
        }

        arrived = new();
        using (var plain = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp))
        {
            await plain.ConnectAsync(address, acceptor.EndPoint.Port, Stop);
            using var served = await arrived.Task;
            Assert.False(System.IsMultipath(served));
            Assert.True(System.TrySample(served, out _));
        }
    }

    [Fact]
    public async Task Without_Multipath_TCP_a_port_is_a_plain_one()
    {
        var arrived = new TaskCompletionSource<Socket>();
        await using var acceptor = Open(Acceptor.Bind(null, 0, new MultipathPlatform()), arrived.SetResult);
        using var multipath = System.TryCreateMultipath(AddressFamily.InterNetwork)!;
        await multipath.ConnectAsync(IPAddress.Loopback, acceptor.EndPoint.Port, Stop);
        using var served = await arrived.Task;
        Assert.False(System.IsMultipath(served));
        Assert.False(System.IsMultipath(multipath));
    }

    [Fact]
    public void Where_a_Multipath_TCP_socket_is_refused_the_port_a_plain_one_is_not()
    {
        Socket? made = null;
        // Whatever the reason may be: this one cannot be bound to an address of IPv4.
        var platform = new MultipathPlatform { Create = _ => made = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) };
        using var bound = Acceptor.Bind(IPAddress.Loopback, 0, platform);
        Assert.Equal(ProtocolType.Tcp, bound.ProtocolType);
        Assert.True(made!.SafeHandle.IsClosed);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("127.0.0.1")]
    public async Task A_port_that_is_taken_is_refused_and_one_that_was_is_free_at_once(string? listen)
    {
        var address = listen is null ? null : IPAddress.Parse(listen);
        var served = new TaskCompletionSource();
        var first = Open(Acceptor.Bind(address, 0, System), socket =>
        {
            socket.Dispose(); // the first to close waits in TIME_WAIT, at the port
            served.SetResult();
        });
        var port = first.EndPoint.Port;
        using var visitor = System.TryCreateMultipath(AddressFamily.InterNetwork)!;
        await visitor.ConnectAsync(IPAddress.Loopback, port, Stop);
        Assert.Equal(0, await visitor.ReceiveAsync(new byte[1], Stop));
        await served.Task;
        Assert.Equal(SocketError.AddressAlreadyInUse, Assert.Throws<SocketException>(() => Acceptor.Bind(address, port, System)).SocketErrorCode);
        Assert.Equal(SocketError.AddressAlreadyInUse, Assert.Throws<SocketException>(() => Acceptor.Bind(address, port, new MultipathPlatform())).SocketErrorCode);
        await first.DisposeAsync();
        await using var again = Open(Acceptor.Bind(address, port, System), socket => socket.Dispose());
        Assert.Equal(port, again.EndPoint.Port);
    }

    private static Acceptor Open(Socket listener, Action<Socket> serve) => new(
        listener,
        socket =>
        {
            serve(socket);
            return Task.CompletedTask;
        },
        new ServedConnections(NullLogger.Instance),
        NullLogger.Instance);
}

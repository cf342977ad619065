using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Bondline.Linux.Tests.Sockets;

public sealed class MultipathSocketTests
{
    [Fact]
    public void Subflows_are_read_where_the_kernel_puts_them()
    {
        var answer = new byte[16 + 2 * 256];
        BinaryPrimitives.WriteUInt32LittleEndian(answer, 16);
        BinaryPrimitives.WriteUInt32LittleEndian(answer.AsSpan(4), 2);
        ((byte[])[2, 0, 0x1F, 0x90, 10, 77, 1, 2]).CopyTo(answer, 16);
        ((byte[])[2, 0, 0x01, 0xBB, 10, 77, 100, 1]).CopyTo(answer, 16 + 128);
        ((byte[])[10, 0, 0x1F, 0x91, 0, 0, 0, 0, .. IPAddress.Parse("fd77:1::2").GetAddressBytes()]).CopyTo(answer, 16 + 256);
        ((byte[])[10, 0, 0x01, 0xBB, 0, 0, 0, 0, .. IPAddress.Parse("fd77:100::1").GetAddressBytes()]).CopyTo(answer, 16 + 384);
        (IPEndPoint, IPEndPoint)[] both = [(IPEndPoint.Parse("10.77.1.2:8080"), IPEndPoint.Parse("10.77.100.1:443")), (IPEndPoint.Parse("[fd77:1::2]:8081"), IPEndPoint.Parse("[fd77:100::1]:443"))];
        Assert.Equal(both, MultipathSocket.ReadSubflows(answer));
        Assert.Equal(both[..1], MultipathSocket.ReadSubflows(answer.AsSpan(0, 16 + 300)));
        for (var length = 0; length < answer.Length; length++) Assert.InRange(MultipathSocket.ReadSubflows(answer.AsSpan(0, length)).Count, 0, 1);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task Two_ends_that_have_it_speak_it_and_any_other_falls_back(string address)
    {
        var loopback = IPAddress.Parse(address);
        using var listener = MultipathSocket.TryCreate(loopback.AddressFamily)!;
        listener.Bind(new IPEndPoint(loopback, 0));
        listener.Listen();
        using var near = MultipathSocket.TryCreate(loopback.AddressFamily)!;
        await near.ConnectAsync(listener.LocalEndPoint!, TestContext.Current.CancellationToken);
        using var far = await listener.AcceptAsync(TestContext.Current.CancellationToken);
        Assert.True(MultipathSocket.IsMultipath(near));
        Assert.True(MultipathSocket.IsMultipath(far));
        Assert.Equal([((IPEndPoint)far.LocalEndPoint!, (IPEndPoint)far.RemoteEndPoint!)], MultipathSocket.Subflows(far));

        using var plain = new Socket(loopback.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        await plain.ConnectAsync(listener.LocalEndPoint!, TestContext.Current.CancellationToken);
        using var fallen = await listener.AcceptAsync(TestContext.Current.CancellationToken);
        Assert.False(MultipathSocket.IsMultipath(fallen));
        Assert.False(MultipathSocket.IsMultipath(plain));
        Assert.Empty(MultipathSocket.Subflows(plain));
        plain.Dispose();
        Assert.False(MultipathSocket.IsMultipath(plain));
    }

    [Fact]
    public async Task A_port_is_free_again_at_once_and_never_two_listeners()
    {
        var used = Listen(new(IPAddress.Loopback, 0));
        var port = (IPEndPoint)used.LocalEndPoint!;
        using var near = MultipathSocket.TryCreate(AddressFamily.InterNetwork)!;
        await near.ConnectAsync(port, TestContext.Current.CancellationToken);
        var far = await used.AcceptAsync(TestContext.Current.CancellationToken);
        Assert.Equal(SocketError.AddressAlreadyInUse, Assert.Throws<SocketException>(() => Listen(port)).SocketErrorCode);
        far.Dispose(); // the first end to close waits in TIME_WAIT, at the listener's port
        used.Dispose();
        using var again = Listen(port);
        Assert.Equal(port, again.LocalEndPoint);
    }

    [Fact]
    public void One_of_IPv6_leaves_IPv4_alone_until_it_is_made_dual()
    {
        using var six = Listen(new(IPAddress.IPv6Any, 0));
        using var four = Listen(new(IPAddress.Any, ((IPEndPoint)six.LocalEndPoint!).Port));
        Assert.False(six.DualMode);
    }

    [Fact]
    public async Task What_is_accepted_from_a_plain_peer_takes_every_option_of_TCP()
    {
        using var listener = Listen(new(IPAddress.Loopback, 0));
        using var plain = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await plain.ConnectAsync(listener.LocalEndPoint!, TestContext.Current.CancellationToken);
        using var accepted = await listener.AcceptAsync(TestContext.Current.CancellationToken);
        Assert.True(TcpSocketOptions.TrySetUserTimeout(accepted, TimeSpan.FromSeconds(20)));
        Assert.True(TcpInfo.TryRead(accepted, out _));
        using var near = MultipathSocket.TryCreate(AddressFamily.InterNetwork)!;
        await near.ConnectAsync(listener.LocalEndPoint!, TestContext.Current.CancellationToken);
        using var far = await listener.AcceptAsync(TestContext.Current.CancellationToken);
        Assert.False(TcpSocketOptions.TrySetUserTimeout(far, TimeSpan.FromSeconds(20))); // which is why the difference matters
    }

    [Fact]
    public async Task A_reset_is_one_for_the_peer_and_what_was_shut_down_has_ended()
    {
        using var listener = Listen(new(IPAddress.Loopback, 0));
        using var near = MultipathSocket.TryCreate(AddressFamily.InterNetwork)!;
        await near.ConnectAsync(listener.LocalEndPoint!, TestContext.Current.CancellationToken);
        using var far = await listener.AcceptAsync(TestContext.Current.CancellationToken);
        await far.SendAsync("part"u8.ToArray(), TestContext.Current.CancellationToken);
        Assert.Equal(4, await near.ReceiveAsync(new byte[16], TestContext.Current.CancellationToken));
        Assert.False(MultipathSocket.HasEndedSending(far));
        MultipathSocket.Reset(far); // without SO_LINGER, and before it is closed
        Assert.Equal(SocketError.ConnectionReset, (await Assert.ThrowsAsync<SocketException>(async () => await near.ReceiveAsync(new byte[16], TestContext.Current.CancellationToken))).SocketErrorCode);
        Assert.True(MultipathSocket.HasEndedSending(far));
        far.Dispose();
        MultipathSocket.Reset(far);
        Assert.True(MultipathSocket.HasEndedSending(far));

        using var other = MultipathSocket.TryCreate(AddressFamily.InterNetwork)!;
        await other.ConnectAsync(listener.LocalEndPoint!, TestContext.Current.CancellationToken);
        other.Shutdown(SocketShutdown.Send);
        Assert.True(MultipathSocket.HasEndedSending(other));
    }

    private static Socket Listen(IPEndPoint at)
    {
        var socket = MultipathSocket.TryCreate(at.AddressFamily)!;
        try
        {
            socket.Bind(at);
            socket.Listen();
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

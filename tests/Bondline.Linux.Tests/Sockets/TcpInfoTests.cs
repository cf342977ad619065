using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Bondline.Linux.Tests.Sockets;

public sealed class TcpInfoTests
{
    [Fact]
    public void Fields_are_read_where_the_kernel_puts_them()
    {
        var bytes = new byte[TcpInfo.Length];
        bytes[4] = 3;
        bytes[7] = 1;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(56), 17);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(68), 10_200);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(72), 300);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(120), 5_000_000_000);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(144), 40_000);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(148), 9_900);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(160), 6_250_000);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(208), 1448);
        Assert.True(TcpInfo.TryParse(bytes, out var info));
        Assert.Equal(
            new TcpInfo(
                TimeSpan.FromMicroseconds(10_200), TimeSpan.FromMicroseconds(300), TimeSpan.FromMicroseconds(9_900), 6_250_000, true,
                TimeSpan.FromMilliseconds(17), 3, 5_000_000_000, 1448, 40_000),
            info);
        Assert.False(TcpInfo.TryParse(bytes.AsSpan(1), out _));
    }

    [Fact]
    public async Task A_live_connection_has_numbers_and_takes_the_options()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using var near = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await near.ConnectAsync(listener.LocalEndPoint!);
        using var far = await listener.AcceptAsync();
        await near.SendAsync(new byte[1000]);
        await far.ReceiveAsync(new byte[1000]);
        Assert.True(TcpInfo.TryRead(near, out var info));
        Assert.InRange(info.Rtt, TimeSpan.FromMicroseconds(1), TimeSpan.FromSeconds(1));
        Assert.InRange(info.BytesAcked, 0, 1001);
        Assert.True(TcpSocketOptions.TrySetUserTimeout(near, TimeSpan.FromSeconds(20)));
        Assert.True(TcpSocketOptions.TrySetNotSentLowWater(near, 16_384));
        Assert.False(TcpSocketOptions.TrySetCongestionControl(near, "no-such-thing"));
        near.Dispose();
        Assert.False(TcpInfo.TryRead(near, out _));
    }

    [Fact]
    public void A_socket_is_bound_to_an_interface_that_exists()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        Assert.NotEqual(SocketError.Success, TcpSocketOptions.TryBindToDevice(socket, "no-such-if"));
        Assert.NotEqual(SocketError.Success, TcpSocketOptions.TryBindToDevice(socket, "a-name-longer-than-any-interface"));
        Assert.Equal(SocketError.Success, TcpSocketOptions.TryBindToDevice(socket, "lo"));
    }
}

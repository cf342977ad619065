using System.Net.Sockets;
using Xunit;

namespace Bondline.Transport.Tests.Platform;

public sealed class KeepAliveTests
{
    [Fact]
    public void The_times_are_set()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        KeepAlive.Set(socket, idleSeconds: 120, intervalSeconds: 30, probes: 4);
        Assert.Equal(1, socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive));
        Assert.Equal(120, socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime));
        Assert.Equal(30, socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval));
        Assert.Equal(4, socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount));
    }

    [Fact]
    public void A_socket_that_knows_no_times_keeps_the_systems()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp); // has the switch, and no option of TCP
        KeepAlive.Set(socket, idleSeconds: 120, intervalSeconds: 30, probes: 4);
        Assert.Equal(1, socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive));
    }

    [Fact]
    public void A_socket_that_is_gone_says_so()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Dispose();
        Assert.Throws<ObjectDisposedException>(() => KeepAlive.Set(socket, idleSeconds: 120, intervalSeconds: 30, probes: 4));
    }
}

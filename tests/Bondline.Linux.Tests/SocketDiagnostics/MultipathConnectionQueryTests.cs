using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Bondline.Linux.Tests.SocketDiagnostics;

/// <summary>Against this machine's kernel.</summary>
public sealed class MultipathConnectionQueryTests
{
    [Fact]
    public async Task A_live_connection_is_found_with_its_subflow()
    {
        using var listener = MultipathSocket.TryCreate(AddressFamily.InterNetwork)!;
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using var near = MultipathSocket.TryCreate(AddressFamily.InterNetwork)!;
        await near.ConnectAsync(listener.LocalEndPoint!);
        using var far = await listener.AcceptAsync();
        var local = (IPEndPoint)near.LocalEndPoint!;
        var connection = Assert.Single(MultipathConnectionQuery.Read(local.Port));
        Assert.Equal(local, connection.Socket.Local);
        Assert.Equal(near.RemoteEndPoint, connection.Socket.Remote);
        Assert.Equal(MultipathFallback.None, connection.Fallback);
        Assert.Equal(local, Assert.Single(connection.Subflows).Local);
        Assert.Contains(MultipathConnectionQuery.Read(), other => other.Socket.Remote.Equals(local));
    }

    [Fact]
    public async Task A_connection_to_a_plain_server_is_found_as_fallen_back()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        using var near = MultipathSocket.TryCreate(AddressFamily.InterNetwork)!;
        await near.ConnectAsync(listener.LocalEndPoint!);
        var connection = Assert.Single(MultipathConnectionQuery.Read(((IPEndPoint)near.LocalEndPoint!).Port));
        Assert.True(connection.Info.HasFallenBack);
        Assert.Contains(connection.Fallback, new[] { MultipathFallback.NotAgreed, MultipathFallback.Unknown });
    }
}

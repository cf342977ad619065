using System.Globalization;
using System.Net.Sockets;
using Xunit;

namespace Bondline.Linux.Tests.SocketDiagnostics;

public sealed class SocketOwnersTests
{
    [Fact]
    public void The_process_of_a_socket_is_found()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var link = File.ResolveLinkTarget($"/proc/self/fd/{socket.Handle}", returnFinalTarget: false)!.Name;
        var inode = uint.Parse(link["socket:[".Length..^1], CultureInfo.InvariantCulture);
        var owner = Assert.Single(SocketOwners.Find(new HashSet<uint> { inode, uint.MaxValue }));
        Assert.Equal(inode, owner.Key);
        Assert.Equal(Environment.ProcessId, owner.Value.Id);
        Assert.NotEmpty(owner.Value.Name);
    }

    [Fact]
    public void A_machine_without_proc_shows_nobody() => Assert.Empty(SocketOwners.Find(new HashSet<uint> { 1 }, "/nowhere"));
}

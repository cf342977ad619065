using System.Net.Sockets;
using System.Text;
using Xunit;

namespace Bondline.Linux.Tests.Processes;

public sealed class ServiceManagerTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-notify-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task It_is_told_at_a_path_or_an_abstract_name(bool isAbstract)
    {
        var name = Path.Combine(_folder.FullName, "socket");
        using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        manager.Bind(new UnixDomainSocketEndPoint(isAbstract ? $"\0{name}" : name));
        var address = isAbstract ? $"@{name}" : name;
        ServiceManager.Tell(address, ServiceManager.Ready);
        ServiceManager.Tell(address, ServiceManager.Status("Überall"));
        Assert.Equal("READY=1", await HeardAsync(manager));
        Assert.Equal("STATUS=Überall", await HeardAsync(manager));
    }

    [Fact]
    public void Nobody_and_what_is_no_address_are_told_nothing()
    {
        var tooLong = "/" + new string('x', 200);
        foreach (var address in (string?[])[null, "", "@", "vsock:2:1", _folder.FullName, Path.Combine(_folder.FullName, "missing"), tooLong])
            ServiceManager.Tell(address, ServiceManager.Ready);
        Assert.Empty(_folder.EnumerateFileSystemInfos());
    }

    private static async Task<string> HeardAsync(Socket manager)
    {
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var buffer = new byte[1000];
        return Encoding.UTF8.GetString(buffer, 0, await manager.ReceiveAsync(buffer, SocketFlags.None, late.Token));
    }
}

using Xunit;

namespace Bondline.Linux.Tests.Settings;

public sealed class SysctlTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("bondline-sysctl-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_value_is_read_and_written_where_the_name_says()
    {
        var file = Path.Combine(Directory.CreateDirectory(Path.Combine(_folder, "net", "ipv4", "conf", "eth0.100")).FullName, "rp_filter");
        File.WriteAllText(file, "1\n");
        var settings = new Sysctl(_folder);
        var name = Sysctl.OfInterface("eth0.100", "rp_filter");
        Assert.Equal("net.ipv4.conf.eth0/100.rp_filter", name);
        Assert.Equal("1", settings.Read(name));
        settings.Write(name, "2");
        Assert.Equal("2\n", File.ReadAllText(file));
    }

    [Fact]
    public void One_that_is_not_there_reads_as_nothing_and_is_not_made()
    {
        var settings = new Sysctl(_folder);
        Assert.Null(settings.Read("net.mptcp.enabled"));
        Assert.ThrowsAny<IOException>(() => settings.Write("net.mptcp.enabled", "1"));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder));
    }

    [Theory]
    [InlineData("eth0.")]
    [InlineData(".x")]
    [InlineData("a..b")]
    [InlineData("...")]
    public void An_interface_may_have_any_name_that_the_kernel_allows(string name)
    {
        var file = Path.Combine(Directory.CreateDirectory(Path.Combine(_folder, "net", "ipv4", "conf", name)).FullName, "rp_filter");
        File.WriteAllText(file, "1\n");
        Assert.Equal("1", new Sysctl(_folder).Read(Sysctl.OfInterface(name, "rp_filter")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("net..enabled")]
    [InlineData(".net")]
    [InlineData("net.ipv4.conf.//.rp_filter")]
    [InlineData("net.ipv4.conf./.rp_filter")]
    public void A_name_cannot_lead_elsewhere(string name) => Assert.Throws<ArgumentException>(() => new Sysctl(_folder).Read(name));

    [Fact]
    public void The_kernels_own_are_found() => Assert.Equal(File.ReadAllText("/proc/sys/kernel/ostype").TrimEnd(), new Sysctl().Read("kernel.ostype"));
}

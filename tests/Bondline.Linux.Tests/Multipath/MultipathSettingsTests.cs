using Xunit;

namespace Bondline.Linux.Tests.Multipath;

public sealed class MultipathSettingsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("bondline-sysctls-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void All_are_read_with_what_they_mean()
    {
        File.WriteAllText(Path.Combine(_folder, "enabled"), "0\n");
        File.WriteAllText(Path.Combine(_folder, "newer_than_us"), "kernel userspace\n");
        var settings = new MultipathSettings(_folder);
        Assert.True(settings.Exist);
        Assert.False(settings.IsEnabled);
        Assert.Collection(
            settings.ReadAll(),
            enabled => Assert.Equal(new("enabled", "0", MultipathSettings.Meaning("enabled")), enabled),
            newer => Assert.Equal(new("newer_than_us", "kernel userspace", null), newer));
    }

    [Fact]
    public void One_is_written_as_the_kernel_takes_it()
    {
        var settings = new MultipathSettings(_folder);
        File.WriteAllText(Path.Combine(_folder, "enabled"), "0\n");
        settings.Write("enabled", "1");
        Assert.Equal("1\n", File.ReadAllText(Path.Combine(_folder, "enabled")));
        Assert.True(settings.IsEnabled);
    }

    [Fact]
    public void One_that_is_not_there_is_not_made()
    {
        Assert.Throws<FileNotFoundException>(() => new MultipathSettings(_folder).Write("enabled", "1"));
        Assert.Throws<DirectoryNotFoundException>(() => new MultipathSettings(Path.Combine(_folder, "none")).Write("enabled", "1"));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder));
    }

    [Theory]
    [InlineData("")]
    [InlineData("../mptcp/enabled")]
    [InlineData("a.b")]
    public void Only_a_name_is_a_name(string name)
    {
        Assert.Throws<ArgumentException>(() => new MultipathSettings(_folder).Write(name, "1"));
        Assert.Throws<ArgumentException>(() => new MultipathSettings(_folder).Read(name));
    }

    [Fact]
    public void A_kernel_without_MPTCP_has_none()
    {
        var settings = new MultipathSettings(Path.Combine(_folder, "none"));
        Assert.False(settings.Exist);
        Assert.False(settings.IsEnabled);
        Assert.Empty(settings.ReadAll());
    }

    [Fact]
    public void Every_sysctl_of_this_kernel_is_explained() =>
        Assert.Equal([], new MultipathSettings().ReadAll().Where(setting => setting.Meaning is null).Select(setting => setting.Name));
}

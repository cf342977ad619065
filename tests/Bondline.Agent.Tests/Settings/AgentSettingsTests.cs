using System.Runtime.Versioning;
using Xunit;

namespace Bondline.Agent.Tests;

public sealed class AgentSettingsTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("bondline-settings-").FullName;

    private AgentSettings Settings => new(Path.Combine(_root, "bondline"));

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact, UnsupportedOSPlatform("windows")]
    public void The_login_is_for_its_owner_only()
    {
        Assert.Null(Settings.ReadLogin());
        var file = Settings.SaveLogin("bondline://first");
        Settings.SaveLogin("bondline://second");
        Assert.Equal("bondline://second", Settings.ReadLogin());
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Settings.Folder));
        Assert.Equal(["login"], Directory.GetFiles(Settings.Folder).Select(Path.GetFileName)); // nothing temporary stays
    }

    [Fact]
    public void A_login_that_is_empty_is_not_taken_for_none()
    {
        var file = Settings.SaveLogin("bondline://relay");
        File.WriteAllText(file, "\n");
        Assert.Contains("is empty", Assert.Throws<IOException>(() => Settings.ReadLogin()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tunnel_name_is_made_once_per_port_and_kept()
    {
        var name = Settings.TunnelName("3000");
        Assert.Matches("^[a-z]+-[a-z]+$", name);
        Assert.Equal(name, Settings.TunnelName("3000"));
        Assert.NotEqual(Settings.TunnelName("service.lan:80"), Settings.TunnelName("other.lan:80"));
    }

    [Fact]
    public async Task Processes_that_make_a_name_at_the_same_time_get_the_same_one()
    {
        using var together = new Barrier(8);
        var names = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(
            () =>
            {
                var settings = Settings;
                together.SignalAndWait(TestContext.Current.CancellationToken);
                return settings.TunnelName("4000");
            },
            TestContext.Current.CancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)));
        Assert.Single(names.Distinct());
    }

    [Fact]
    public void An_empty_name_file_is_replaced()
    {
        Directory.CreateDirectory(Path.Combine(Settings.Folder, "names"));
        File.WriteAllText(Path.Combine(Settings.Folder, "names", "3000"), "");
        Assert.Matches("^[a-z]+-[a-z]+$", Settings.TunnelName("3000"));
    }

    [Fact]
    public void The_same_purpose_started_again_is_the_same_instance_and_a_second_one_is_another()
    {
        Guid first, second;
        using (var one = Settings.LockInstance("relay tcp:22"))
        {
            using var two = Settings.LockInstance("relay tcp:22");
            (first, second) = (one.Id, two.Id);
            Assert.NotEqual(first, second);
        }
        using var again = Settings.LockInstance("relay tcp:22");
        using var other = Settings.LockInstance("relay http:3000");
        Assert.Equal(first, again.Id);
        Assert.NotEqual(first, other.Id);
        Assert.NotEqual(second, other.Id);
    }

    [Fact]
    public void A_damaged_instance_file_is_made_anew()
    {
        using (Settings.LockInstance("p")) { }
        var file = Directory.GetFiles(Path.Combine(Settings.Folder, "instances")).Single();
        File.WriteAllText(file, "not an id, and longer than one would ever be in this file");
        Guid made;
        using (var one = Settings.LockInstance("p")) made = one.Id;
        using var again = Settings.LockInstance("p");
        Assert.Equal(made, again.Id);
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_an_IO_error()
    {
        File.WriteAllText(Path.Combine(_root, "bondline"), "a file where the folder should be");
        Assert.ThrowsAny<IOException>(() => Settings.LockInstance("p"));
        Assert.ThrowsAny<IOException>(() => Settings.SaveLogin("bondline://x"));
    }

    [Theory]
    [InlineData("/config", "/home/u", "/config/bondline")]
    [InlineData("relative", "/home/u", "/home/u/.config/bondline")]
    [InlineData(null, "/home/u", "/home/u/.config/bondline")]
    public void The_default_folder_follows_the_XDG_specification(string? config, string home, string expected) =>
        Assert.Equal(expected, AgentSettings.DefaultFolder(name => name == "XDG_CONFIG_HOME" ? config : home));
}

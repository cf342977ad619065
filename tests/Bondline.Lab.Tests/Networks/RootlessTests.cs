using System.Text.Json;
using Bondline.Linux;
using Xunit;

namespace Bondline.Lab.Tests;

/// <summary><c>bondline lab up</c> by a user without any right, in a user namespace of its own.</summary>
public sealed class RootlessTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly string[] AsNobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--bounding-set=-all"];

    // A /dev/net/tun with the rights we say, whatever this machine's has.
    private const string WithTun = """
        mount -t tmpfs tmpfs "$1" && mknod "$1/tun" c 10 200 && chmod "$2" "$1/tun" && mount --bind "$1/tun" /dev/net/tun || exit
        shift 2
        exec setpriv "$@"
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-rootless-");

    public RootlessTests() => File.SetUnixFileMode(_folder.FullName, (UnixFileMode)0b111_101_101);

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("666")] // as desktops have it
    [InlineData("600")] // as servers and containers have it: packet sockets on veth devices
    public async Task An_ordinary_user_has_a_lab(string tunMode)
    {
        var program = await CopyProgramAsync();
        await using var lab = LabProcess.Start(null, "unshare",
            ["--mount", "--", "sh", "-c", WithTun, "sh", _folder.CreateSubdirectory("dev").FullName, tunMode, .. AsNobody, program, "lab", "up", "--link", "eth0:50:20", "--link", "wlan0:30:40"]);
        var laptop = Command(await lab.WaitForLineAsync("laptop:", Limit));
        var relay = Command(await lab.WaitForLineAsync("relay:", Limit));
        await lab.WaitForLineAsync("wlan0", Limit);
        Assert.Contains("Uid:\t65534", await File.ReadAllTextAsync($"/proc/{lab.Id}/status", TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.DoesNotContain(NetworkNamespace.List(), space => laptop.Contains(space.Name)); // nobody else sees it

        foreach (var address in new[] { "10.77.100.1", "fd77:100::1" })
        {
            Assert.InRange(await PingAsync(laptop, "eth0", address) ?? TimeSpan.Zero, TimeSpan.FromMilliseconds(19), TimeSpan.FromMilliseconds(39));
            Assert.InRange(await PingAsync(laptop, "wlan0", address) ?? TimeSpan.Zero, TimeSpan.FromMilliseconds(39), TimeSpan.FromMilliseconds(79));
        }

        await using var sender = Start([.. relay, program, "lab", "traffic", "SendBulk", "--listen", "10.77.100.1:7000", "--bytes", "4000000"]);
        await sender.WaitForLineAsync("listening", Limit);
        await using var receiver = Start([.. laptop, program, "lab", "traffic", "ReceiveBulk", "--connect", "10.77.100.1:7000"]);
        Assert.Equal(Sha256(await sender.WaitForLineAsync("finished", Limit)), Sha256(await receiver.WaitForLineAsync("finished", Limit)));

        await OrderAsync(lab, "silence eth0");
        Assert.Null(await PingAsync(laptop, "eth0", "10.77.100.1"));
        await OrderAsync(lab, "heal eth0");
        Assert.NotNull(await PingAsync(laptop, "eth0", "10.77.100.1"));
        await OrderAsync(lab, "carrier wlan0 down");
        Assert.Contains("NO-CARRIER", (await RunAsync([.. laptop, "ip", "-o", "link", "show", "wlan0"])).Output, StringComparison.Ordinal);
        Assert.Null(await PingAsync(laptop, "wlan0", "10.77.100.1"));
        await OrderAsync(lab, "carrier wlan0 up");
        Assert.NotNull(await PingAsync(laptop, "wlan0", "10.77.100.1"));

        lab.CloseInput();
        Assert.Equal(0, (await lab.WaitAsync(TestContext.Current.CancellationToken)).ExitCode);
    }

    [Fact]
    public async Task Where_there_are_no_user_namespaces_it_says_so_and_what_to_type()
    {
        const string Forbid = """
            echo 0 >/proc/sys/user/max_user_namespaces || exit
            exec setpriv --no-new-privs --bounding-set=-all "$@"
            """;
        var refused = await LabProcess.RunAsync(null, "unshare", ["--user", "--map-root-user", "--", "sh", "-c", Forbid, "sh", await CopyProgramAsync(), "lab", "up"]);
        Assert.Equal(1, refused.ExitCode);
        Assert.Equal("", refused.Output);
        Assert.Equal(
            "error: The lab needs root, or a user namespace, which this system refuses: user.max_user_namespaces is 0; "
            + "\"sudo sysctl user.max_user_namespaces=15000\" allows it until the next boot. Or start it with sudo.\n",
            refused.Error);
    }

    /// <summary>A copy anybody may run: the clone may lie in a folder that only its owner may enter.</summary>
    private async Task<string> CopyProgramAsync()
    {
        var program = Environment.GetEnvironmentVariable("BONDLINE_PROGRAM") ?? Path.Combine(AppContext.BaseDirectory, "bondline");
        var copy = Path.Combine(_folder.FullName, "program");
        (await LabProcess.RunAsync(null, "cp", ["-rL", Path.GetDirectoryName(Path.GetFullPath(program))! + "/.", copy])).ThrowIfFailed("cp");
        (await LabProcess.RunAsync(null, "chmod", ["-R", "a+rX", copy])).ThrowIfFailed("chmod");
        return Path.Combine(copy, "bondline");
    }

    private static string[] Command(string line) => line[(line.IndexOf(':') + 1)..line.IndexOf(" ...", StringComparison.Ordinal)].Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static LabProcess Start(string[] command) => LabProcess.Start(null, "setpriv", [.. AsNobody, .. command]);

    private static Task<ProcessResult> RunAsync(string[] command) => LabProcess.RunAsync(null, "setpriv", [.. AsNobody, .. command]);

    /// <returns>The shortest round trip of three; null if none came back.</returns>
    private static async Task<TimeSpan?> PingAsync(string[] laptop, string device, string address)
    {
        var pinged = await RunAsync([.. laptop, "ping", "-n", "-q", "-i", "0.1", "-c", "3", "-W", "0.3", "-I", device, address]);
        Assert.Contains("3 packets transmitted", pinged.Output, StringComparison.Ordinal);
        if (pinged.ExitCode != 0) return null;
        var shortest = pinged.Output[(pinged.Output.IndexOf(" = ", StringComparison.Ordinal) + 3)..].Split('/')[0];
        return TimeSpan.FromMilliseconds(double.Parse(shortest, System.Globalization.CultureInfo.InvariantCulture));
    }

    private static async Task OrderAsync(LabProcess lab, string order)
    {
        await lab.WriteLineAsync(order);
        Assert.Equal("ok", await lab.ReadLineAsync(TestContext.Current.CancellationToken));
    }

    private static string Sha256(string finished)
    {
        using var json = JsonDocument.Parse(finished);
        return json.RootElement.GetProperty("sha256").GetString()!;
    }
}

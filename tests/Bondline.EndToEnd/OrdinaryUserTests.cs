using System.Net;
using System.Text.Json;
using Bondline.Lab;
using Bondline.Linux;

namespace Bondline.EndToEnd;

/// <summary>Relay, agent and tunnel run by a user without any right, over IPv4 and over IPv6, bonded over two links of which one falls silent.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "normal")]
public sealed class OrdinaryUserTests : IDisposable
{
    private const string Nobody = "65534";
    private const long Bytes = 6 << 20;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-nobody-");

    public OrdinaryUserTests() => File.SetUnixFileMode(_folder.FullName, (UnixFileMode)0b111_111_111);

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("10.77.100.1")]
    [InlineData("fd77:100::1")]
    public async Task Everything_works_without_rights(string address)
    {
        var relayAt = new IPEndPoint(IPAddress.Parse(address), 8443);
        await using var network = await LabNetwork.StartAsync(new() { Links = [.. LabOptions.StandardLinks.Take(2)] });
        var program = await CopyProgramAsync(network);
        await using var relay = Start(network.Relay, program, [], "relay", "--listen", address, "--https-port", "8443", "--http-port", "8000", "--tcp-ports", "7000-7099", "--json");
        await relay.WaitForLineAsync("\"listening\"", Limit);
        AssertWithoutRights(relay);
        await using var creating = Start(network.Relay, program, [], "relay", "token", "create", "laptop", "--host", $"{relayAt}");
        var created = (await creating.WaitAsync(TestContext.Current.CancellationToken)).ThrowIfFailed("bondline relay token create");
        Assert.Contains($"at the relay that uses {Path.Combine(_folder.FullName, "state", "bondline")}", created.Error, StringComparison.Ordinal);

        await using var agent = Start(
            network.Laptop, program, new() { ["BONDLINE_RELAY"] = created.Output.Trim() }, "tcp", "9100", "--paths", string.Join(',', network.Links.Select(link => link.Name)), "--json");
        var url = await ReadyAsync(agent, "127.0.0.1:9100", network.Links.Select(link => link.Name));
        AssertWithoutRights(agent);
        Assert.Equal(address, url.Host.Trim('[', ']'));

        await using var sender = await LabTraffic.StartAsync(network.Program, network.Laptop, new(TrafficRole.SendBulk) { Listen = new(IPAddress.Loopback, 9100), Bytes = Bytes });
        await using var receiver = await LabTraffic.StartAsync(network.Program, network.Relay, new(TrafficRole.ReceiveBulk) { Connect = new(relayAt.Address, url.Port) });
        await receiver.ReportAsync(atLeast: Bytes / 4);
        await network.Links[0].SilenceAsync();
        var received = await receiver.WaitForAsync("finished", Limit);
        Assert.Equal((await sender.WaitForAsync("finished", Limit)).Sha256, received.Sha256);
        Assert.Equal(Bytes, received.Bytes);
    }

    [Fact]
    public async Task A_token_is_not_made_where_the_running_relay_would_never_see_it()
    {
        await using var network = await LabNetwork.StartAsync(new() { Links = [LabOptions.StandardLinks[0]] });
        var program = await CopyProgramAsync(network);
        await using var relay = Start(network.Relay, program, [], "relay", "--listen", $"{LabNetwork.Address}", "--https-port", "8443", "--http-port", "8000", "--json");
        await relay.WaitForLineAsync("\"listening\"", Limit);

        // Another user's own folder: that no relay has it is said, and nothing is made.
        var elsewhere = Path.Combine(_folder.FullName, "elsewhere");
        await using var other = Start(network.Relay, program, new() { ["XDG_STATE_HOME"] = elsewhere }, "relay", "token", "create", "laptop");
        var refused = await other.WaitAsync(TestContext.Current.CancellationToken);
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Equal("", refused.Output);
        Assert.Contains("a relay is running", refused.Error, StringComparison.Ordinal);
        Assert.Contains("--data", refused.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(elsewhere, "bondline", "relay.db")));

        // A folder that is not ours to read, as root's is for everybody else.
        var locked = Directory.CreateDirectory(Path.Combine(_folder.FullName, "locked"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await using var stranger = Start(network.Relay, program, [], "relay", "token", "create", "laptop", "--data", locked.FullName);
        refused = await stranger.WaitAsync(TestContext.Current.CancellationToken);
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains(locked.FullName, refused.Error, StringComparison.Ordinal);
        Assert.Contains("the relay's own user", refused.Error, StringComparison.Ordinal);
    }

    /// <summary>A copy anybody may run: the clone may lie in a folder that only its owner may enter.</summary>
    private async Task<string> CopyProgramAsync(LabNetwork network)
    {
        var copy = Path.Combine(_folder.FullName, "program");
        var from = Path.GetDirectoryName(Path.GetFullPath(network.Program))!;
        (await LabProcess.RunAsync(null, "cp", ["-rL", from + "/.", copy])).ThrowIfFailed("cp");
        (await LabProcess.RunAsync(null, "chmod", ["-R", "a+rX", copy])).ThrowIfFailed("chmod");
        return Path.Combine(copy, "bondline");
    }

    private LabProcess Start(NetworkNamespace inside, string program, Dictionary<string, string> environment, params string[] arguments)
    {
        environment.TryAdd("HOME", _folder.FullName);
        environment.TryAdd("XDG_STATE_HOME", Path.Combine(_folder.FullName, "state"));
        environment.TryAdd("XDG_CONFIG_HOME", Path.Combine(_folder.FullName, "config"));
        return LabProcess.Start(inside, "setpriv", [$"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups", "--no-new-privs", "--bounding-set=-all", program, .. arguments], environment);
    }

    private static void AssertWithoutRights(LabProcess process)
    {
        var status = File.ReadAllLines($"/proc/{process.Id}/status");
        Assert.Contains(status, line => line.StartsWith($"Uid:\t{Nobody}", StringComparison.Ordinal));
        Assert.Contains("CapEff:\t0000000000000000", status);
    }

    /// <summary>The URL of the tunnel to <paramref name="local"/>, once it is ready and every path is active.</summary>
    private static async Task<Uri> ReadyAsync(LabProcess agent, string local, IEnumerable<string> paths)
    {
        Uri? url = null;
        var waiting = paths.ToHashSet();
        using var late = new CancellationTokenSource(Limit);
        while (url is null || waiting.Count > 0)
        {
            var line = await agent.ReadLineAsync(late.Token) ?? throw new LabException($"The agent ended: {agent.Error}");
            using var json = JsonDocument.Parse(line);
            var root = json.RootElement;
            switch (root.GetProperty("event").GetString())
            {
                case "ready" when root.GetProperty("local").GetString() == local:
                    url = new(root.GetProperty("url").GetString()!);
                    break;
                case "path" when root.GetProperty("state").GetString() == "active":
                    waiting.Remove(root.GetProperty("path").GetString()!);
                    break;
            }
        }
        return url;
    }
}

using System.Globalization;
using System.Text.Json;
using Bondline.Lab;
using Bondline.Linux;

namespace Bondline.EndToEnd;

/// <summary><c>bondline mptcp enable</c>, <c>watch</c> and <c>disable</c> beside a set-up by hand, on three emulated links, used by iperf3 and curl under <c>bondline run</c>.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "normal")]
public class MultipathSetupTests
{
    private const int DownloadedBytes = 40_000_000;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Enable_alone_gives_what_a_set_up_by_hand_gives_and_disable_leaves_no_trace()
    {
        await using var network = await LabNetwork.StartAsync(new());
        await SpoilAsync(network);
        var before = await DumpAsync(network);

        var refused = await network.RunAsync(network.Laptop, "setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", network.Program, "mptcp", "enable"]);
        Assert.Equal((1, true), (refused.ExitCode, refused.Error.Contains("CAP_NET_ADMIN (right-missing)", StringComparison.Ordinal)));
        Assert.Equal("mptcp-off", await CodeOfStatusAsync(network));
        Assert.Equal(before, await DumpAsync(network));

        foreach (var side in (NetworkNamespace[])[network.Laptop, network.Relay]) (await BondlineAsync(network, side, "enable")).ThrowIfFailed("enable");
        Assert.Null(await CodeOfStatusAsync(network));
        var ours = await Measured.BestOfTwoAsync("programs under bondline run after bondline mptcp enable", () => UseAsync(network), use => use is { UpMegabits: >= 90, DownMegabits: >= 85 });
        Assert.All(ours.LinkMegabits, rate => Assert.InRange(rate, 5, 60));
        foreach (var side in (NetworkNamespace[])[network.Laptop, network.Relay]) (await BondlineAsync(network, side, "disable")).ThrowIfFailed("disable");
        Assert.Equal(before, await DumpAsync(network));

        await SetUpByHandAsync(network);
        var byHand = await Measured.BestOfTwoAsync("the same, kernel MPTCP set up by hand", () => UseAsync(network), ours.IsNearly);
        Assert.True(ours.IsNearly(byHand), $"{ours} after bondline mptcp enable, {byHand} by hand");
    }

    [Fact]
    public async Task Watch_takes_a_dead_networks_endpoint_away_and_brings_it_back()
    {
        await using var network = await LabNetwork.StartAsync(new());
        await SpoilAsync(network);
        var before = await DumpAsync(network);
        await using var watch = network.Start(network.Laptop, network.Program, "mptcp", "watch", "--json");
        for (var missing = network.Links.Select(link => Line("added", link.Name, $"{link.LaptopAddress6}")).ToList(); missing.Count > 0;)
        {
            var line = await watch.WaitForLineAsync("\"added\"", Limit);
            missing.RemoveAll(awaited => line.Contains(awaited, StringComparison.Ordinal));
        }
        var wifi = network["wlan0"];

        await wifi.CarrierDownAsync();
        await watch.WaitForLineAsync(Line("deleted", "wlan0", $"{wifi.LaptopAddress}"), Limit);
        Assert.DoesNotContain("wlan0", await EndpointsAsync(network), StringComparison.Ordinal);
        await wifi.CarrierUpAsync();
        await watch.WaitForLineAsync(Line("added", "wlan0", $"{wifi.LaptopAddress6}"), Limit);

        await wifi.RemoveAddressAsync();
        await watch.WaitForLineAsync(Line("deleted", "wlan0", $"{wifi.LaptopAddress6}"), Limit);
        await wifi.RestoreAddressAsync();
        await watch.WaitForLineAsync(Line("added", "wlan0", $"{wifi.LaptopAddress6}"), Limit);
        Assert.Contains($"{wifi.LaptopAddress} ", await EndpointsAsync(network), StringComparison.Ordinal);

        // Killed, it leaves what it had made, written down: disable undoes it all the same.
        await watch.SignalAsync("KILL");
        await watch.WaitAsync(TestContext.Current.CancellationToken);
        (await BondlineAsync(network, network.Laptop, "disable")).ThrowIfFailed("disable");
        Assert.Equal(before, await DumpAsync(network));
    }

    // MPTCP off, filters strict, and a link that only a narrow route leads over.
    internal static async Task SpoilAsync(LabNetwork network)
    {
        foreach (var side in (NetworkNamespace[])[network.Laptop, network.Relay])
            (await network.RunAsync(side, "sysctl", ["-q", "-w", "net.mptcp.enabled=0"])).ThrowIfFailed("sysctl");
        (await network.RunAsync(network.Laptop, "sysctl", ["-q", "-w", "net.ipv4.conf.all.rp_filter=1", .. network.Links.Select(link => $"net.ipv4.conf.{link.Name}.rp_filter=0")])).ThrowIfFailed("sysctl");
        var link = network["usb0"];
        (await network.RunAsync(network.Laptop, "ip", ["route", "del", "default", "dev", link.Name])).ThrowIfFailed("ip route");
        (await network.RunAsync(network.Laptop, "ip", ["route", "add", "10.99.0.0/16", "via", $"{link.RelayAddress}", "dev", link.Name])).ThrowIfFailed("ip route");
    }

    private static async Task SetUpByHandAsync(LabNetwork network)
    {
        var link = network["usb0"];
        List<(NetworkNamespace Side, string Line)> lines =
        [
            (network.Laptop, "sysctl -q -w net.mptcp.enabled=1 net.ipv4.conf.all.rp_filter=2"),
            (network.Relay, "sysctl -q -w net.mptcp.enabled=1"),
            (network.Laptop, $"ip route add default via {link.RelayAddress} dev {link.Name} metric 300"),
            (network.Laptop, "ip mptcp limits set subflows 8 add_addr_accepted 8"),
            (network.Relay, "ip mptcp limits set subflows 8 add_addr_accepted 8"),
            .. network.Links.Select(each => (network.Laptop, $"ip mptcp endpoint add {each.LaptopAddress} dev {each.Name} subflow")),
        ];
        foreach (var (side, line) in lines) (await network.RunAsync(side, line.Split(' ')[0], line.Split(' ')[1..])).ThrowIfFailed(line);
    }

    private static Task<ProcessResult> BondlineAsync(LabNetwork network, NetworkNamespace side, params string[] arguments) =>
        network.RunAsync(side, network.Program, ["mptcp", .. arguments]);

    private static async Task<string?> CodeOfStatusAsync(LabNetwork network)
    {
        var status = await network.RunAsync(network.Laptop, "setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", network.Program, "mptcp", "status", "--json"]);
        using var json = JsonDocument.Parse(status.Output);
        var code = json.RootElement.TryGetProperty("code", out var found) ? found.GetString() : null;
        Assert.Equal(code is null ? 0 : 1, status.ExitCode);
        return code;
    }

    /// <summary>iperf3 up and a download of curl's, each against a server under <c>bondline run</c>, under it themselves, and both over every link.</summary>
    private static async Task<Use> UseAsync(LabNetwork network)
    {
        var address = $"{LabNetwork.Address}";
        await using var iperf = Serve(network, "iperf3", "-s", "-1", "--forceflush");
        await iperf.WaitForLineAsync("Server listening", Limit);
        var before = await network.CountersAsync();
        var sent = await UnderRunAsync(network, subflows: 4, "iperf3", "-c", address, "-t", "3", "-O", "2", "-J"); // it has a control connection too
        var after = await network.CountersAsync();
        using var result = JsonDocument.Parse(sent);

        var folder = Directory.CreateTempSubdirectory("bondline-setup-");
        try
        {
            await File.WriteAllBytesAsync(Path.Combine(folder.FullName, "file"), new byte[DownloadedBytes]);
            await using var web = Serve(network, "/usr/bin/python3", "-u", "-m", "http.server", "--directory", folder.FullName, "--bind", address, "0");
            var port = (await web.WaitForLineAsync("Serving HTTP on", Limit)).Split("port ")[1].Split(' ')[0];
            var received = await UnderRunAsync(network, subflows: 2, "curl", "-s", "-o", "/dev/null", "-w", "%{size_download} %{speed_download}", $"http://{address}:{port}/file");
            Assert.StartsWith($"{DownloadedBytes} ", received, StringComparison.Ordinal);
            return new(
                result.RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bits_per_second").GetDouble() / 1e6,
                double.Parse(received.Split(' ')[1], CultureInfo.InvariantCulture) * 8 / 1e6,
                [.. before.Zip(after, (one, other) => (other.Up.Bytes - one.Up.Bytes) * 8 / 5 / 1e6)]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static LabProcess Serve(LabNetwork network, params string[] program) => LabProcess.Start(network.Relay, network.Program, ["run", "--quiet", "--", .. program]);

    private static async Task<string> UnderRunAsync(LabNetwork network, int subflows, params string[] program)
    {
        var client = await LabProcess.RunAsync(network.Laptop, network.Program, ["run", "--json", "--", .. program]);
        var report = RunWorld.Report(client);
        Assert.Equal((0, subflows), (report.GetProperty("fellBack").GetInt32(), report.GetProperty("subflows").GetInt32())); // two beside the first one of each connection
        return client.ThrowIfFailed(program[0]).Output;
    }

    private sealed record Use(double UpMegabits, double DownMegabits, IReadOnlyList<double> LinkMegabits)
    {
        public bool IsNearly(Use other) => UpMegabits >= 0.95 * other.UpMegabits && DownMegabits >= 0.95 * other.DownMegabits;

        public override string ToString() => string.Create(CultureInfo.InvariantCulture,
            $"iperf3 up {UpMegabits:0.0} Mbit/s (links {string.Join(" + ", LinkMegabits.Select(rate => rate.ToString("0.0", CultureInfo.InvariantCulture)))}), curl down {DownMegabits:0.0}");
    }

    private static string Line(string action, string name, string address) => $$"""{"event":"endpoint","action":"{{action}}","interface":"{{name}}","address":"{{address}}" """.TrimEnd();

    private static async Task<string> EndpointsAsync(LabNetwork network) => (await network.RunAsync(network.Laptop, "ip", ["mptcp", "endpoint"])).ThrowIfFailed("ip mptcp endpoint").Output;

    // All that enabling may change, as other programs show it.
    private static async Task<string> DumpAsync(LabNetwork network)
    {
        var text = new List<string>();
        foreach (var side in (NetworkNamespace[])[network.Laptop, network.Relay])
        {
            foreach (var question in (string[])["mptcp endpoint", "mptcp limits", "-4 route show table all", "-6 route show table all", "-4 rule", "-6 rule"])
                text.AddRange((await network.RunAsync(side, "ip", question.Split(' '))).ThrowIfFailed(question).Output.Split('\n').Order(StringComparer.Ordinal));
            text.AddRange((await network.RunAsync(side, "sysctl", ["-a", "-r", "^net[.](mptcp|ipv4|ipv6)[.]"])).Output.Split('\n').Order(StringComparer.Ordinal));
        }

        foreach (var folder in (string[])["/run/bondline-mptcp", "/var/lib/bondline-mptcp", "/etc/sysctl.d", "/etc/systemd/system"])
            if (Directory.Exists(folder)) text.AddRange(Directory.EnumerateFileSystemEntries(folder).Order(StringComparer.Ordinal));
        return string.Join('\n', text);
    }
}

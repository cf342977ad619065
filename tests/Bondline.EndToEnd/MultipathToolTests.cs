using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using Bondline.Lab;
using Bondline.Linux;

namespace Bondline.EndToEnd;

/// <summary><c>bondline mptcp</c> beside <c>ip mptcp</c>, <c>ss</c>, <c>nstat</c> and mptcpd: what one sets the other shows; and what it says where something is missing.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "normal")]
public sealed partial class MultipathToolTests : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    // Fast, so that a busy machine's own delays are the only ones.
    private static readonly LabOptions ThreeLinks = new() { Links = [.. ((string[])["eth0", "wlan0", "usb0"]).Select(name => LinkOptions.Symmetric(name, 40, 4))] };

    private LabNetwork? _network;

    private LabNetwork Network => _network!;

    public async ValueTask InitializeAsync() => _network = await LabNetwork.StartAsync(ThreeLinks);

    public async ValueTask DisposeAsync()
    {
        if (_network is not null) await _network.DisposeAsync();
    }

    [Fact]
    public async Task Endpoints_and_limits_are_the_same_to_ip_mptcp()
    {
        string first = $"{Network["eth0"].LaptopAddress}", second = $"{Network["usb0"].LaptopAddress}", second6 = $"{Network["usb0"].LaptopAddress6}";
        await MptcpAsync($"endpoint add {first} dev eth0 id 3 subflow backup");
        await MptcpAsync($"endpoint add {second} signal port 4000");
        await MptcpAsync($"endpoint add {second6} dev usb0 fullmesh subflow");
        var shown = await IpAsync("mptcp endpoint show");
        Assert.Contains($"{first} id 3 subflow backup dev eth0", shown, StringComparison.Ordinal);
        Assert.Matches($"{Regex.Escape(second)} port 4000 id [0-9]+ signal", shown);
        Assert.Matches($"{Regex.Escape(second6)} id [0-9]+ subflow fullmesh dev usb0", shown);

        await IpAsync("mptcp endpoint change id 3 nobackup fullmesh");
        await IpAsync("mptcp endpoint add 10.77.2.200 dev wlan0 id 9 signal");
        var listed = Lines(await MptcpAsync("endpoint list --json"));
        Assert.Equal(["subflow", "fullmesh"], Flags(listed, first));
        Assert.Equal(["signal"], Flags(listed, "10.77.2.200"));
        Assert.Equal("wlan0", listed.Single(line => line.GetProperty("id").GetInt32() == 9).GetProperty("interface").GetString());
        Assert.Equal(4000, listed.Single(line => line.GetProperty("address").GetString() == second).GetProperty("port").GetInt32());

        await MptcpAsync($"endpoint change {first} backup nofullmesh");
        await MptcpAsync("endpoint delete 10.77.2.200");
        await IpAsync($"mptcp endpoint delete id {listed.Single(line => line.GetProperty("address").GetString() == second).GetProperty("id").GetInt32()}");
        shown = await IpAsync("mptcp endpoint show");
        Assert.Contains($"{first} id 3 subflow backup dev eth0", shown, StringComparison.Ordinal);
        Assert.DoesNotContain("10.77.2.200", shown, StringComparison.Ordinal);
        Assert.Equal(2, Lines(await MptcpAsync("endpoint list --json")).Count);

        await MptcpAsync("limits set subflows 5");
        await IpAsync("mptcp limits set add_addr_accepted 3");
        Assert.Contains("add_addr_accepted 3 subflows 5", await IpAsync("mptcp limits show"), StringComparison.Ordinal);
        var limits = Assert.Single(Lines(await MptcpAsync("limits --json")));
        Assert.Equal((5, 3), (limits.GetProperty("subflows").GetInt32(), limits.GetProperty("addAddrAccepted").GetInt32()));

        await MptcpAsync("endpoint flush");
        Assert.Empty((await IpAsync("mptcp endpoint show")).Trim());
    }

    [Fact]
    public async Task What_the_kernel_refuses_is_told_apart_and_changes_nothing()
    {
        await MptcpAsync("endpoint add 10.77.9.1 id 1");
        var before = await IpAsync("mptcp endpoint show") + await IpAsync("mptcp limits show");
        await RefusedAsync("endpoint-exists", 2, "endpoint add 10.77.9.1");
        await RefusedAsync("endpoint-exists", 2, "endpoint add 10.77.9.2 id 1");
        await RefusedAsync("endpoint-unknown", 2, "endpoint delete 10.77.9.2");
        await RefusedAsync("endpoint-unknown", 2, "endpoint change id 77 backup");
        await RefusedAsync("kernel-refused", 1, "endpoint add 10.77.9.2 signal fullmesh");
        await RefusedAsync("kernel-refused", 1, "endpoint add 10.77.9.2 subflow port 4000");
        await RefusedAsync("usage", 2, "endpoint add 10.77.9.2 dev eth9");
        await RefusedAsync("right-missing", 1, "endpoint add 10.77.9.2 subflow", hasRights: false);
        await RefusedAsync("right-missing", 1, "endpoint delete id 1", hasRights: false);
        await RefusedAsync("right-missing", 1, "endpoint change id 1 backup", hasRights: false);
        await RefusedAsync("right-missing", 1, "endpoint flush", hasRights: false);
        await RefusedAsync("right-missing", 1, "limits set subflows 3", hasRights: false);
        await RefusedAsync("right-missing", 1, "monitor", hasRights: false);
        Assert.Equal(before, await IpAsync("mptcp endpoint show") + await IpAsync("mptcp limits show"));

        // Looking needs no right.
        foreach (var command in (string[])["endpoint list", "limits", "connections", "stats"]) await MptcpAsync(command, hasRights: false);
        for (var i = 2; i <= MultipathEndpoint.MaxCount; i++) await IpAsync($"mptcp endpoint add 10.77.9.{i}");
        await RefusedAsync("kernel-refused", 1, "endpoint add 10.77.9.9");

        await SysctlAsync("net.mptcp.enabled=0");
        Assert.Contains("MPTCP is switched off", (await RunAsync("limits", hasRights: true)).Error, StringComparison.Ordinal);
        await RefusedAsync("mptcp-off", 1, $"check {LabNetwork.Address}:443");
    }

    [Fact]
    public async Task Connections_and_events_are_the_same_to_ss_and_ip_mptcp()
    {
        await using var monitor = LabProcess.Start(Network.Laptop, Network.Program, ["mptcp", "monitor", "--json"]);
        await monitor.WaitForErrorAsync(text => text.Contains("Waiting", StringComparison.Ordinal), "that it waits", Limit);
        await IpAsync($"mptcp endpoint add {Network["usb0"].LaptopAddress} dev usb0 id 5 subflow");
        using var listener = Listen(7100, isMultipath: true);
        using var plain = Listen(7101, isMultipath: false);
        using var near = Connect(7100);
        using var far = await listener.AcceptAsync();
        using var fallen = Connect(7101);
        await EchoAsync(near, far);
        var joined = await EventAsync(monitor, "subflow-established");
        Assert.Equal("usb0", joined.GetProperty("interface").GetString());
        Assert.Equal(5, joined.GetProperty("localId").GetInt32());

        var connections = Lines(await MptcpAsync("connections --json", hasRights: false));
        var connection = connections.Single(line => line.GetProperty("mode").GetString() == "mptcp");
        Assert.Equal(joined.GetProperty("token").GetString(), connection.GetProperty("token").GetString());
        Assert.Equal("not-agreed", connections.Single(line => line.GetProperty("mode").GetString() == "tcp").GetProperty("fallback").GetString());
        Assert.Equal(
            Tokens().Matches(await InLaptopAsync("ss", "-Mnai")).Select(match => match.Groups[1].Value.PadLeft(8, '0')).Order(),
            connections.Select(line => line.GetProperty("token").GetString()).Order());
        var subflows = connection.GetProperty("subflows").EnumerateArray().ToArray();
        Assert.Equal(2, subflows.Length);
        var shown = await InLaptopAsync("ss", "-tnai");
        Assert.All(subflows, subflow => Assert.Contains(subflow.GetProperty("remote").GetString()!, shown, StringComparison.Ordinal));
        Assert.Contains($"{Network["usb0"].LaptopAddress}%usb0:", shown, StringComparison.Ordinal);
        Assert.Equal("usb0", subflows[1].GetProperty("interface").GetString());
        Assert.False(subflows[1].GetProperty("backup").GetBoolean());

        await IpAsync("mptcp endpoint change id 5 backup");
        // The kernel tells it on the wire only: the peer's side has the event, ours the flag.
        Assert.True(Lines(await MptcpAsync("connections --json"))
            .Single(line => line.GetProperty("mode").GetString() == "mptcp").GetProperty("subflows").EnumerateArray().Last().GetProperty("backup").GetBoolean());
        await MptcpAsync("endpoint delete id 5");
        Assert.Equal(5, (await EventAsync(monitor, "subflow-closed")).GetProperty("localId").GetInt32());
        Assert.DoesNotContain("%usb0:", await InLaptopAsync("ss", "-tna", "state", "established"), StringComparison.Ordinal);

        var counters = Assert.Single(Lines(await MptcpAsync("stats --json"))).GetProperty("counters");
        var nstat = await InLaptopAsync("nstat", "-asz");
        foreach (var name in (string[])["MPCapableSYNTX", "MPCapableSYNACKRX", "MPCapableFallbackSYNACK", "MPJoinSynAckRx", "RmSubflow"])
            Assert.Matches($"MPTcpExt{name} +{counters.GetProperty(name).GetInt64()} ", nstat);
        Assert.Equal(1, counters.GetProperty("RmSubflow").GetInt64());
    }

    [Fact]
    public async Task A_connection_with_as_many_subflows_as_the_kernel_allows_shows_all_of_them()
    {
        (await LabProcess.RunAsync(Network.Relay, "ip", ["mptcp", "limits", "set", "subflows", $"{MultipathLimits.Max}"])).ThrowIfFailed("ip mptcp limits");
        await MptcpAsync($"limits set subflows {MultipathLimits.Max}");
        for (var i = 1; i <= MultipathLimits.Max; i++)
        {
            await IpAsync($"address add 10.77.1.{100 + i}/24 dev eth0");
            await IpAsync($"mptcp endpoint add 10.77.1.{100 + i} dev eth0 subflow");
        }

        using var listener = Listen(7100, isMultipath: true);
        using var near = Connect(7100);
        using var far = await listener.AcceptAsync();
        using var enough = new CancellationTokenSource(Limit);
        var seen = MultipathSocket.Subflows(far);
        for (; seen.Count < 1 + MultipathLimits.Max; seen = MultipathSocket.Subflows(far))
        {
            Assert.False(enough.IsCancellationRequested, $"{seen.Count} subflows are seen of those here: {await InLaptopAsync("ss", "-Htna")}");
            await EchoAsync(near, far);
        }

        Assert.Equal(
            [$"{Network["eth0"].LaptopAddress}", .. Enumerable.Range(101, MultipathLimits.Max).Select(last => $"10.77.1.{last}")],
            seen.Select(subflow => $"{subflow.Remote.Address}").OrderBy(address => address.Length).ThenBy(address => address, StringComparer.Ordinal));
        await IpAsync("address delete 10.77.1.108/24 dev eth0");
        await MptcpAsync("endpoint delete 10.77.1.108");
        while (MultipathSocket.Subflows(far).Any(subflow => subflow.Remote.Address.Equals(IPAddress.Parse("10.77.1.108"))))
        {
            Assert.False(enough.IsCancellationRequested, "a subflow that was closed is seen");
            await EchoAsync(near, far);
        }
    }

    [Fact]
    public async Task Check_tells_apart_what_stands_in_the_way()
    {
        using var speaker = Listen(7100, isMultipath: true);
        using var plain = Listen(7101, isMultipath: false);
        await SysctlAsync("net.mptcp.syn_retrans_before_tcp_fallback=1"); // so that an attempt ends after 1.8 s
        await FilterAsync("iifname r-wlan0 tcp flags syn reset tcp option mptcp; iifname r-usb0 tcp option mptcp exists drop");
        Assert.Equal(["eth0 mptcp", "usb0 blackholed", "wlan0 stripped"], await CheckAsync(7100));
        await FilterAsync("iifname r-usb0 tcp option mptcp exists reject with icmpx type admin-prohibited; iifname r-wlan0 tcp option mptcp exists reject with icmpx type port-unreachable");
        Assert.Equal(["eth0 mptcp", "usb0 blackholed", "wlan0 blackholed"], await CheckAsync(7100));
        await FilterAsync("iifname r-wlan0 tcp dport 7101 drop");
        Assert.Equal(["eth0 fallback", "usb0 fallback", "wlan0 blocked"], await CheckAsync(7101));
        Assert.Equal(["eth0 blocked", "usb0 blocked", "wlan0 blocked"], await CheckAsync(9));
        var counters = Network.Laptop.Run(() => MultipathCounters.Read()!);
        Assert.Equal((0, 0, 0), (counters["Blackhole"], counters["MPCapableSYNTXDrop"], counters["MPCapableSYNTXDisabled"]));

        // A program that goes on until the kernel leaves the option out puts the whole machine into blackhole mode; the check sees that.
        await FilterAsync("iifname r-eth0 tcp option mptcp exists drop");
        using (Connect(7100))
            Assert.Equal(["eth0 not-asked", "usb0 not-asked", "wlan0 not-asked"], await CheckAsync(7100));
        Assert.Equal(1, Network.Laptop.Run(() => MultipathCounters.Read()!["Blackhole"]));
    }

    [Fact]
    public async Task Events_that_came_too_fast_are_told_as_lost_and_later_ones_come()
    {
        using var source = Network.Laptop.Run(MultipathEventSource.Open);
        var connections = 0;
        Network.Laptop.Run(() =>
        {
            using var listener = MultipathSocket.TryCreate(AddressFamily.InterNetwork)!;
            listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listener.Listen();
            for (; connections < 1500; connections++)
            {
                using var near = MultipathSocket.TryCreate(AddressFamily.InterNetwork)!;
                near.Connect(listener.LocalEndPoint!);
                using var far = listener.Accept();
                near.Send([1]);
                far.Receive(new byte[1]);
            }

            return true;
        });
        var events = new List<MultipathEvent>();
        using var enough = new CancellationTokenSource(Limit);
        var next = source.NextAsync(enough.Token).AsTask();
        for (; next.IsCompleted; next = source.NextAsync(enough.Token).AsTask()) events.AddRange(await next); // until all that waited is read, the kernel adds nothing
        Assert.Contains(events, happened => happened.Kind == MultipathEventKind.Lost);
        Assert.InRange(events.Count(happened => happened.Kind == MultipathEventKind.Created), 1, 2 * connections - 1);

        using var listener = Listen(7100, isMultipath: true);
        using var near = Connect(7100);
        var local = (IPEndPoint)near.LocalEndPoint!;
        for (events.Clear(); !events.Exists(happened => local.Equals(happened.Local)); next = source.NextAsync(enough.Token).AsTask()) events.AddRange(await next);
    }

    [Fact]
    public async Task What_mptcpd_sets_we_show_and_what_we_change_stays()
    {
        await using var daemon = LabProcess.Start(
            Network.Laptop, "/usr/libexec/mptcpd", ["--addr-flags=subflow", "--notify-flags=existing,skip_link_local,skip_loopback", "--load-plugins=addr_adv", "--path-manager=addr_adv", "--log=stderr"]);
        var address = $"{Network["eth0"].LaptopAddress}";
        IReadOnlyList<JsonElement> endpoints = [];
        using var enough = new CancellationTokenSource(Limit);
        while (endpoints.All(line => line.GetProperty("address").GetString() != address))
        {
            Assert.False(daemon.HasExited || enough.IsCancellationRequested, $"mptcpd sets no endpoint {address}: {daemon.Error}");
            endpoints = Lines(await MptcpAsync("endpoint list --json"));
        }

        Assert.Equal(["subflow"], Flags(endpoints, address));
        await MptcpAsync($"endpoint change {address} backup");
        Assert.Contains($"{address} id", await IpAsync("mptcp endpoint show"), StringComparison.Ordinal);
        Assert.Equal(["subflow", "backup"], Flags(Lines(await MptcpAsync("endpoint list --json")), address));
        Assert.False(daemon.HasExited);
    }

    [Fact]
    public async Task A_program_under_mptcpize_is_among_the_connections_with_its_name()
    {
        using var listener = Listen(7100, isMultipath: true);
        await using var program = LabProcess.Start(Network.Laptop, "mptcpize", ["run", "curl", "--no-progress-meter", $"http://{LabNetwork.Address}:7100/"]);
        using var far = await listener.AcceptAsync(TestContext.Current.CancellationToken);
        await far.ReceiveAsync(new byte[4096], SocketFlags.None); // its request; it waits for an answer
        var connection = Assert.Single(Lines(await MptcpAsync("connections --json")));
        Assert.Equal("mptcp", connection.GetProperty("mode").GetString());
        Assert.Equal("curl", connection.GetProperty("process").GetString());
        Assert.Equal(program.Id, connection.GetProperty("processId").GetInt32());
    }

    private async Task<string[]> CheckAsync(int port) =>
        [.. Lines(await MptcpAsync($"check {LabNetwork.Address}:{port} --json", hasRights: false)).Select(line => $"{line.GetProperty("interface").GetString()} {line.GetProperty("verdict").GetString()}").Order()];

    private Socket Listen(int port, bool isMultipath) => Network.Relay.Run(() =>
    {
        var socket = isMultipath ? MultipathSocket.TryCreate(AddressFamily.InterNetwork)! : new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(LabNetwork.Address, port));
        socket.Listen(); // the kernel completes connections by itself
        return socket;
    });

    private Socket Connect(int port) => Network.Laptop.Run(() =>
    {
        var socket = MultipathSocket.TryCreate(AddressFamily.InterNetwork)!;
        socket.Connect(new IPEndPoint(LabNetwork.Address, port));
        return socket;
    });

    // Further subflows open once data went both ways.
    private static async Task EchoAsync(Socket near, Socket far)
    {
        var buffer = new byte[16];
        await near.SendAsync(new byte[16]);
        await far.SendAsync(buffer.AsMemory(0, await far.ReceiveAsync(buffer)));
        await near.ReceiveAsync(buffer);
    }

    private static async Task<JsonElement> EventAsync(LabProcess monitor, string name)
    {
        using var line = JsonDocument.Parse(await monitor.WaitForLineAsync($"\"event\":\"{name}\"", Limit));
        return line.RootElement.Clone();
    }

    private async Task FilterAsync(string rules)
    {
        var script = $"table inet check {{}}\ndelete table inet check\ntable inet check {{ chain in {{ type filter hook prerouting priority raw\n{rules.Replace(';', '\n')}\n}}\n}}\n";
        (await LabProcess.RunAsync(Network.Relay, "nft", ["-f", "-"], script)).ThrowIfFailed("nft");
    }

    private async Task SysctlAsync(string setting) => await InLaptopAsync("sysctl", "-qw", setting);

    private Task<string> IpAsync(string arguments) => InLaptopAsync("ip", arguments.Split(' '));

    private async Task<string> InLaptopAsync(string file, params string[] arguments) =>
        (await LabProcess.RunAsync(Network.Laptop, file, arguments)).ThrowIfFailed($"{file} {string.Join(' ', arguments)}").Output;

    private async Task<string> MptcpAsync(string arguments, bool hasRights = true) => (await RunAsync(arguments, hasRights)).ThrowIfFailed($"bondline mptcp {arguments}").Output;

    private async Task RefusedAsync(string code, int exit, string arguments, bool hasRights = true)
    {
        var refused = await RunAsync(arguments, hasRights);
        Assert.True(refused.ExitCode == exit && refused.Error.Contains($"({code})", StringComparison.Ordinal), $"bondline mptcp {arguments}: {refused}");
        Assert.Empty(refused.Output);
    }

    // Root without any capability may what everybody may, and nothing of the clone must be readable for others.
    private Task<ProcessResult> RunAsync(string arguments, bool hasRights) => hasRights
        ? LabProcess.RunAsync(Network.Laptop, Network.Program, ["mptcp", .. arguments.Split(' ')])
        : LabProcess.RunAsync(Network.Laptop, "setpriv", ["--bounding-set=-all", "--inh-caps=-all", Network.Program, "mptcp", .. arguments.Split(' ')]);

    private static List<JsonElement> Lines(string output) =>
        [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement.Clone())];

    private static string?[] Flags(IReadOnlyList<JsonElement> endpoints, string address) =>
        [.. endpoints.Single(line => line.GetProperty("address").GetString() == address).GetProperty("flags").EnumerateArray().Select(flag => flag.GetString())];

    [GeneratedRegex(" token:([0-9a-f]+) ")]
    private static partial Regex Tokens();
}

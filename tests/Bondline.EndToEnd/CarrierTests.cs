using System.Net;
using Bondline.Lab;
using Bondline.Linux;

namespace Bondline.EndToEnd;

/// <summary>The bond on kernel MPTCP: what it leads over, what becomes of streams when that fails, and when <c>auto</c> takes it.</summary>
[Trait("Mode", "normal")]
public class CarrierTests
{
    private const int Bytes = 30_000_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);
    private static readonly IPEndPoint Service = new(IPAddress.Loopback, 9100);
    private static readonly LabOptions Multipath = new() { UseMultipathTcp = true };

    [Fact]
    public async Task Asked_for_the_kernel_spreads_one_subflow_over_every_link_and_no_byte_is_lost_when_the_busiest_goes_silent()
    {
        await using var lab = await BondedLab.StartAsync(carrier: "mptcp"); // nobody has set the kernel up: the agent may, and does
        await lab.StartAgentAsync(Service.Port);
        await using var sender = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.SendBulk) { Listen = Service, Bytes = Bytes });
        await using var receiver = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.ReceiveBulk) { Connect = lab.Visit(Service.Port) });
        await lab.WaitForAllPathsAsync();
        Assert.Contains(lab.AgentEvents, line => line.Contains("\"event\":\"carrier\",\"carrier\":\"mptcp\"", StringComparison.Ordinal));
        Assert.Contains(lab.AgentEvents, line => line.Contains("\"event\":\"ready\"", StringComparison.Ordinal) && line.Contains("\"carrier\":\"mptcp\"", StringComparison.Ordinal));
        Assert.DoesNotContain(lab.AgentEvents, line => line.Contains("\"path\":\"eth0\"", StringComparison.Ordinal) && !line.Contains("\"state\":\"left-out\"", StringComparison.Ordinal));

        await lab.Network["eth0"].SilenceAsync();
        var received = await receiver.WaitForAsync("finished", Patience);
        var sent = await sender.WaitForAsync("finished", Patience);
        Assert.Equal((Bytes, sent.Sha256), (received.Bytes, received.Sha256));
        await lab.Network["eth0"].HealAsync();

        Assert.Equal(["eth0", "usb0", "wlan0"], await EndpointsAsync());
        await lab.Network["wlan0"].CarrierDownAsync();
        await lab.WaitForAgentAsync(line => line.Contains("kernel MPTCP leaves wlan0", StringComparison.Ordinal), "that wlan0 is left");
        Assert.Equal(["eth0", "usb0"], await EndpointsAsync());
        await lab.Network["wlan0"].CarrierUpAsync();
        await lab.WaitForAgentAsync(line => line.Contains("kernel MPTCP may use wlan0", StringComparison.Ordinal), "that wlan0 is used again");

        await lab.Agent.SignalAsync("TERM");
        await lab.Agent.WaitAsync();
        Assert.Empty(await EndpointsAsync()); // as it was before

        async Task<IEnumerable<string>> EndpointsAsync() =>
            (await LabProcess.RunAsync(lab.Network.Laptop, "ip", ["mptcp", "endpoint", "show"])).ThrowIfFailed("ip mptcp endpoint show").Output
                .Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line.StartsWith("10.", StringComparison.Ordinal)).Select(line => line.Trim().Split(' ')[^1]).Order();
    }

    [Fact]
    public async Task A_lost_connection_is_had_again_though_the_network_of_the_default_route_is_silent()
    {
        await using var lab = await BondedLab.StartAsync(Multipath, carrier: "mptcp");
        await lab.StartAgentAsync(Service.Port);
        await lab.WaitForAllPathsAsync();
        await lab.Network["eth0"].SilenceAsync();
        await lab.Relay.DisposeAsync();
        await lab.StartRelayAsync();
        await lab.WaitForAgentAsync(line => line.Contains("\"path\":\"mptcp\",\"state\":\"active\"", StringComparison.Ordinal), "that it carries again");
        await using var sender = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.SendBulk) { Listen = Service, Bytes = Bytes });
        await using var receiver = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.ReceiveBulk) { Connect = lab.Visit(Service.Port) });
        Assert.Equal(Bytes, (await receiver.WaitForAsync("finished", Patience)).Bytes);
        var carried = await lab.Network.CountersAsync();
        Assert.All(lab.Network.Links.Zip(carried).Where(each => each.First.Name != "eth0"), each => Assert.True(each.Second.Up.Bytes > Bytes / 10, $"{each.First.Name} carried {each.Second.Up.Bytes} bytes"));
    }

    [Fact]
    public async Task A_connection_that_fell_back_to_TCP_says_so_and_carries_on()
    {
        await using var lab = await BondedLab.StartAsync(Multipath, carrier: "mptcp");
        lab.Network.Relay.Run(() =>
        {
            File.WriteAllText("/proc/sys/net/mptcp/enabled", "0"); // what the relay accepts from now on, as one without MPTCP would
            return true;
        });
        await lab.Relay.DisposeAsync();
        await lab.StartRelayAsync();
        await lab.StartAgentAsync(Service.Port);
        await using var sender = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.SendBulk) { Listen = Service, Bytes = 1_000_000 });
        await using var receiver = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.ReceiveBulk) { Connect = lab.Visit(Service.Port) });
        Assert.Equal(1_000_000, (await receiver.WaitForAsync("finished", Patience)).Bytes);
        if (!lab.AgentEvents.Any(IsFallback)) await lab.WaitForAgentAsync(IsFallback, "that MPTCP fell back");

        static bool IsFallback(string line) => line.Contains("\"path\":\"mptcp\",\"state\":\"active\",\"reason\":\"fallback\"", StringComparison.Ordinal);
    }

    /// <summary>A desk behind two routers, with one cable to both: the bond has one path there, the kernel can have two. Then it loses the second one.</summary>
    [Fact]
    public async Task Auto_takes_the_kernel_where_that_reaches_more_networks_and_the_bond_where_it_does_not()
    {
        await using var lab = await BondedLab.StartAsync(new() { Links = [LinkOptions.Symmetric("eth0", 40, 10), LinkOptions.Symmetric("wlan0", 40, 30)] });
        var (routers, relay) = (lab.Network.Laptop, lab.Network.Relay);
        var desk = NetworkNamespace.Create(routers.Name.Replace("-laptop", "-desk", StringComparison.Ordinal));
        try
        {
            await IpAsync(desk, "link add lan0 type veth peer name lan0 netns " + routers.Name,
                "link set lo up", "link set lan0 up", "addr add 10.88.1.2/24 dev lan0", "addr add 10.88.2.2/24 dev lan0");
            await IpAsync(routers, "link set lan0 up", "addr add 10.88.1.1/24 dev lan0", "addr add 10.88.2.1/24 dev lan0",
                "rule add from 10.88.1.0/24 iif lan0 table 201", "route add default via 10.77.1.1 dev eth0 table 201",
                "rule add from 10.88.2.0/24 iif lan0 table 202", "route add default via 10.77.2.1 dev wlan0 table 202");
            routers.Run(() =>
            {
                File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "1");
                return true;
            });
            await IpAsync(relay, "route add 10.88.1.0/24 via 10.77.1.2 dev r-eth0", "route add 10.88.2.0/24 via 10.77.2.2 dev r-wlan0", "mptcp limits set subflows 4 add_addr_accepted 0");
            await IpAsync(desk, "route add default via 10.88.1.1", "rule add from 10.88.2.2 table 102", "route add default via 10.88.2.1 dev lan0 table 102",
                "mptcp limits set subflows 4 add_addr_accepted 0", "mptcp endpoint add 10.88.2.2 dev lan0 subflow");

            await using var agent = LabProcess.Start(desk, lab.Network.Program, ["tcp", $"{Service.Port}", "--paths", "lan0", "--carrier", "auto", "--json"], lab.AgentEnvironment);
            await agent.WaitForLineAsync("\"event\":\"carrier\",\"carrier\":\"bond\"", Patience);
            var ready = await agent.WaitForLineAsync("\"event\":\"ready\"", Patience);
            await agent.WaitForLineAsync("\"event\":\"carrier\",\"carrier\":\"mptcp\",\"reason\":\"kernel MPTCP reaches 2 of 2 networks, the bond 1\"", Patience);

            var visit = new IPEndPoint(LabNetwork.Address, new Uri(ReadyUrl(ready)).Port);
            await using var sender = await LabTraffic.StartAsync(lab.Network.Program, desk, new(TrafficRole.SendBulk) { Listen = Service, Bytes = Bytes });
            await using var receiver = await LabTraffic.StartAsync(lab.Network.Program, relay, new(TrafficRole.ReceiveBulk) { Connect = visit });
            Assert.Equal(Bytes, (await receiver.WaitForAsync("finished", Patience)).Bytes);
            var carried = await lab.Network.CountersAsync();
            Assert.All(carried, link => Assert.True(link.Up.Bytes > Bytes / 4, $"a link carried {link.Up.Bytes} of {Bytes} bytes"));

            await IpAsync(desk, "mptcp endpoint flush");
            await agent.WaitForLineAsync("\"event\":\"carrier\",\"carrier\":\"bond\"", Patience);
        }
        finally
        {
            desk.Delete();
        }
    }

    private static string ReadyUrl(string line)
    {
        using var json = System.Text.Json.JsonDocument.Parse(line);
        return json.RootElement.GetProperty("url").GetString()!;
    }

    private static async Task IpAsync(NetworkNamespace inside, params string[] lines)
    {
        foreach (var line in lines) (await LabProcess.RunAsync(inside, "ip", line.Split(' '))).ThrowIfFailed($"ip {line}");
    }
}

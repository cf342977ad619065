using System.Net;
using System.Text.Json;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>What <c>--paths</c> says holds, and a path that cannot work says why.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "normal")]
public class PathTests
{
    private static readonly IPEndPoint Service = new(IPAddress.Loopback, 9100);

    private static LabOptions TwoLinks => new() { Links = [LinkOptions.Symmetric("eth0", 40, 10), LinkOptions.Symmetric("usb0", 20, 40)] };

    [Theory]
    [InlineData("backup")]
    [InlineData("metered")]
    public async Task A_path_kept_back_carries_next_to_nothing_until_the_other_one_fails(string policy)
    {
        await using var lab = await BondedLab.StartAsync(TwoLinks, $"eth0,usb0:{policy}");
        await lab.OpenAsync(Service.Port);
        await using var sender = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.SendBulk) { Listen = Service });
        await using var receiver = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.ReceiveBulk) { Connect = lab.Visit(Service.Port) });
        await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(1));
        var (eth0, usb0) = (await lab.Network["eth0"].CountersAsync(), await lab.Network["usb0"].CountersAsync());
        await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(2));
        var normal = (await lab.Network["eth0"].CountersAsync()).Up.Bytes - eth0.Up.Bytes;
        var now = await lab.Network["usb0"].CountersAsync();
        var kept = now.Up.Bytes - usb0.Up.Bytes + now.Down.Bytes - usb0.Down.Bytes;
        Assert.True(normal > 2_000_000 && kept < (policy == "metered" ? 10_000 : normal / 50), $"eth0 carried {normal} bytes, usb0 {kept}");

        await lab.Network["eth0"].SilenceAsync();
        await receiver.ReportAsync(); // what comes from now on
        var first = (await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(2))).Bulk!; // it has to find its rate first, and sends again what the other one had
        var later = (await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(2))).Bulk!;
        Assert.True(first.LongestGap.Length < 1_000_000 && later.MegabitsPerSecond > 15, $"longest gap {first.LongestGap.Length / 1000} ms, then {first.MegabitsPerSecond:0.0} and {later.MegabitsPerSecond:0.0} Mbit/s of 20");
    }

    [Fact]
    public async Task A_network_that_is_plugged_in_joins_and_leaves_when_pulled_out()
    {
        await using var lab = await BondedLab.StartAsync(TwoLinks, "eth0,usb0,phone0");
        await lab.OpenAsync(Service.Port);
        await using var sender = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.SendBulk) { Listen = Service });
        await using var receiver = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.ReceiveBulk) { Connect = lab.Visit(Service.Port) });

        await IpAsync(lab.Network.Laptop, $"link add phone0 type veth peer name r-phone0 netns {lab.Network.Relay.Name}");
        await IpAsync(lab.Network.Relay, "addr add 10.77.9.1/24 dev r-phone0");
        await IpAsync(lab.Network.Relay, "link set r-phone0 up");
        await IpAsync(lab.Network.Laptop, "addr add 10.77.9.2/24 dev phone0");
        await IpAsync(lab.Network.Laptop, "link set phone0 up");
        await IpAsync(lab.Network.Laptop, "route add default via 10.77.9.1 dev phone0 metric 900");
        await WaitForAsync("active");
        await receiver.ReportAsync();
        var together = (await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(1))).Bulk!.MegabitsPerSecond;
        Assert.True(together > 65, $"{together:0.0} Mbit/s, and 60 were there before it"); // a veth has no limit

        await IpAsync(lab.Network.Laptop, "link del phone0");
        await WaitForAsync("closed");
        var after = (await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(1))).Bulk!; // from before it was pulled out
        Assert.True(after.LongestGap.Length < 1_000_000, $"{after.LongestGap.Length / 1000} ms without a byte");
        var without = (await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(1))).Bulk!.MegabitsPerSecond;
        Assert.True(without > 50, $"{without:0.0} Mbit/s of 60");

        Task WaitForAsync(string state) =>
            lab.WaitForAgentAsync(line => line.Contains("\"path\":\"phone0\"", StringComparison.Ordinal) && line.Contains($"\"state\":\"{state}\"", StringComparison.Ordinal), $"phone0 {state}");

        static async Task IpAsync(Linux.NetworkNamespace inside, string arguments) => (await LabProcess.RunAsync(inside, "ip", arguments.Split(' '))).ThrowIfFailed($"ip {arguments}");
    }

    [Fact]
    public async Task A_strict_filter_that_drops_a_paths_replies_is_explained_once()
    {
        await using var lab = await BondedLab.StartAsync(TwoLinks);
        lab.Network.Laptop.Run(() =>
        {
            // The larger of the two holds; eth0 keeps the loose one of the lab, and has the better route.
            File.WriteAllText("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
            File.WriteAllText("/proc/sys/net/ipv4/conf/usb0/rp_filter", "1");
            return true;
        });
        await lab.StartAgentAsync(Service.Port);
        var seen = lab.AgentEvents.ToList();
        var seconds = 0; // since it was explained
        await lab.WaitForAgentAsync(
            line =>
            {
                seen.Add(line);
                return seen.Exists(IsExplained) && (seconds += line.Contains("\"stats\"", StringComparison.Ordinal) ? 1 : 0) >= 3;
            },
            "why usb0 cannot work");
        using var line = JsonDocument.Parse(Assert.Single(seen, IsExplained));
        Assert.Equal(("usb0", "connecting", "timeout"), (Text("path"), Text("state"), Text("reason")));
        Assert.Contains("sysctl net.ipv4.conf.all.rp_filter=2", Text("detail"));

        string? Text(string name) => line.RootElement.GetProperty(name).GetString();

        static bool IsExplained(string line) => line.Contains("rp_filter", StringComparison.Ordinal);
    }
}

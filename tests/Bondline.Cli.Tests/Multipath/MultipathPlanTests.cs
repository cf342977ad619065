using System.Net;
using Bondline.Cli.Multipath;
using Bondline.Linux;
using Xunit;

namespace Bondline.Cli.Tests.Multipath;

public sealed class MultipathPlanTests
{
    [Fact]
    public void Two_networks_get_an_endpoint_each_and_nothing_is_announced()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2), FakeInterface.Uplink("wlan0", 3, 600));
        Assert.Equal(
            ["sysctl -w net.mptcp.enabled=1", "ip mptcp endpoint add 10.2.0.2 dev eth0 subflow", "ip mptcp endpoint add 10.3.0.2 dev wlan0 subflow"],
            Commands(machine));
    }

    [Fact]
    public void What_is_set_up_already_is_left_as_it_is()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2), FakeInterface.Uplink("wlan0", 3, 600));
        machine.Set("net.mptcp.enabled", "1");
        machine.SetEndpoint(new(0, IPAddress.Parse("10.2.0.2"), 0, MultipathEndpointFlags.Subflow | MultipathEndpointFlags.Backup, 2));
        machine.SetEndpoint(new(0, IPAddress.Parse("10.3.0.2"), 0, MultipathEndpointFlags.Subflow | MultipathEndpointFlags.FullMesh, 0));
        var plan = Plan(machine);
        Assert.Empty(plan.Changes);
        Assert.Empty(plan.Notes);
        Assert.Equal(2, plan.Places.Count);
    }

    [Fact]
    public void Limits_grow_with_the_networks_never_shrink_and_end_at_eight()
    {
        FakeInterface[] four = [.. Enumerable.Range(2, 4).Select(index => FakeInterface.Uplink($"eth{index}", index, (uint)index))];
        Assert.Contains("ip mptcp limits set subflows 4", Commands(new(four)));
        var generous = new FakeMachine(four);
        generous.SetLimits(new(8, 4));
        Assert.DoesNotContain(Commands(generous), command => command.Contains("limits", StringComparison.Ordinal));
        FakeInterface[] many = [.. Enumerable.Range(2, 12).Select(index => FakeInterface.Uplink($"eth{index}", index, (uint)index))];
        var plan = Plan(new(many));
        Assert.Equal(8, plan.Changes.OfType<LimitsChange>().Single().Subflows); // eight endpoints, any of which may have to come back
        Assert.Equal(MultipathEndpoint.MaxCount, plan.Changes.OfType<EndpointChange>().Count());
        Assert.Equal(4, plan.Notes.Count);
        Assert.Equal(MultipathEndpoint.MaxCount, plan.Places.Count);
    }

    [Fact]
    public void Strict_filters_are_relaxed_where_packets_arrive_whose_way_back_is_another()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0.5", 2), FakeInterface.Uplink("wlan0", 3, 600));
        machine.Set("net.ipv4.conf.all.rp_filter", "1");
        machine.Set("net.ipv4.conf.wlan0.rp_filter", "2");
        Assert.Contains("sysctl -w net.ipv4.conf.eth0/5.rp_filter=2", Commands(machine));
        Assert.DoesNotContain("sysctl -w net.ipv4.conf.wlan0.rp_filter=2", Commands(machine));
        Assert.DoesNotContain(Commands(machine), command => command.Contains(".all.", StringComparison.Ordinal));
        var alone = new FakeMachine(FakeInterface.Uplink("eth0", 2));
        alone.Set("net.ipv4.conf.all.rp_filter", "1");
        Assert.DoesNotContain(Commands(alone), command => command.Contains("rp_filter", StringComparison.Ordinal));
    }

    [Fact]
    public void The_kernels_own_path_manager_is_chosen_by_the_name_the_kernel_has_for_it()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2));
        machine.Set("net.mptcp.path_manager", "userspace");
        machine.Set("net.mptcp.pm_type", "1");
        Assert.Contains("sysctl -w net.mptcp.path_manager=kernel", Commands(machine));
        var facts = machine.ReadFacts(machine.Picture());
        facts = facts with { Settings = facts.Settings.Where(setting => setting.Key != "path_manager").ToDictionary() };
        Assert.Contains("sysctl -w net.mptcp.pm_type=0", MultipathPlan.Make(facts, [], []).Changes.Select(change => change.Command));
    }

    [Fact]
    public void A_missing_default_route_goes_over_the_gateway_of_another_route_behind_all_others()
    {
        var machine = new FakeMachine(
            FakeInterface.Uplink("eth0", 2, 2000),
            new FakeInterface("eth1", 3, "10.3.0.2") { NarrowGateway = "10.3.0.9" },
            new FakeInterface("eth2", 4, "10.4.0.2") { Leased = [IPAddress.Parse("10.4.0.1")] },
            new FakeInterface("ppp0", 5, "10.5.0.2") { Kind = "ppp", IsPointToPoint = true });
        Assert.Equal(
            [
                "ip route add default via 10.3.0.9 dev eth1 metric 2100 proto static",
                "ip route add default via 10.4.0.1 dev eth2 metric 2200 proto static",
                "ip route add default dev ppp0 metric 2300 proto static",
            ],
            Plan(machine).Changes.OfType<RouteChange>().Select(change => change.Command));
        Assert.Equal(4, Plan(machine).Places.Count);
    }

    [Fact]
    public void Where_nothing_names_a_router_the_command_that_would_mend_it_is_said()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2), new FakeInterface("eth1", 3, "10.3.0.2"));
        var plan = Plan(machine);
        Assert.Equal("ip route add default via ROUTER dev eth1 metric 1100", plan.Interfaces.Single(verdict => verdict.Name == "eth1").LeftOut?.Command);
        Assert.Equal(["eth0"], plan.Used.Select(verdict => verdict.Name));
    }

    [Fact]
    public void A_machine_that_is_not_meant_to_leave_its_network_gets_no_default_route_unless_named()
    {
        var machine = new FakeMachine(new FakeInterface("eth0", 2, "10.2.0.2") { NarrowGateway = "10.2.0.1" }, new FakeInterface("eth1", 3, "10.3.0.2") { NarrowGateway = "10.3.0.1" });
        Assert.Empty(Plan(machine).Changes.OfType<RouteChange>());
        Assert.Equal(2, Plan(machine).Changes.OfType<EndpointChange>().Count());
        Assert.Single(Plan(machine, "eth1").Changes.OfType<RouteChange>());
    }

    [Fact]
    public void IPv6_is_used_from_the_address_the_kernel_prefers_and_not_from_link_local_ones()
    {
        var machine = new FakeMachine(
            new FakeInterface("eth0", 2, "10.2.0.2", "fe80::1", "2001:db8::aaaa", "2001:db8::1") { Defaults = [("10.2.0.1", 100), ("fe80::9", 100)] },
            new FakeInterface("wlan0", 3, "2001:db8:1::1") { Defaults = [("fe80::8", 600)] });
        Assert.Equal(["10.2.0.2", "2001:db8::aaaa", "2001:db8:1::1"], Plan(machine).Changes.OfType<EndpointChange>().Select(change => change.Address.ToString()));
    }

    [Fact]
    public void Virtual_interfaces_and_tunnels_count_only_if_named()
    {
        FakeInterface[] all = [FakeInterface.Uplink("eth0", 2), FakeInterface.Uplink("docker0", 3, 900, "bridge"), FakeInterface.Uplink("veth1", 4, 901, "veth"), FakeInterface.Uplink("wg0", 5, 902, "wireguard"), new("virbr0-nic", 6) { Kind = "tun" }];
        var plan = Plan(new(all));
        Assert.Equal(["eth0"], plan.Used.Select(verdict => verdict.Name));
        Assert.Equal(["virtual", "virtual", "vpn"], plan.Interfaces.Select(verdict => verdict.LeftOut?.Reason).OfType<string>());
        Assert.Equal(["eth0", "wg0"], Plan(new(all), "wg0", "eth0").Used.Select(verdict => verdict.Name));
        Assert.Equal("policy", Plan(new(all), "wg0").Interfaces[0].LeftOut?.Reason);
    }

    [Fact]
    public void Nobody_is_led_past_a_VPN()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("wg0", 5, 1, "wireguard"), FakeInterface.Uplink("eth0", 2), FakeInterface.Uplink("wlan0", 3, 600));
        Assert.Equal(["wg0"], Plan(machine).Used.Select(verdict => verdict.Name));
        Assert.Equal("vpn", Plan(machine).Interfaces[1].LeftOut?.Reason);
        Assert.Equal(["eth0", "wlan0"], Plan(machine, "eth0", "wlan0").Used.Select(verdict => verdict.Name));
        var container = new FakeMachine(FakeInterface.Uplink("wg0", 5, 1, "wireguard"), FakeInterface.Uplink("eth0", 2, 100, "veth"));
        Assert.Equal(["wg0"], Plan(container).Used.Select(verdict => verdict.Name));
    }

    [Theory]
    [InlineData("veth")]
    [InlineData("bridge")]
    [InlineData("tun")]
    public void Where_there_is_no_network_card_what_there_is_counts(string kind)
    {
        var machine = new FakeMachine(new FakeInterface("lo", 1, "127.0.0.1"), FakeInterface.Uplink("eth0", 2, 100, kind), FakeInterface.Uplink("eth1", 3, 200, kind));
        Assert.Equal(["eth0", "eth1"], Plan(machine).Used.Select(verdict => verdict.Name));
        machine.Plug(new("br-containers", 9, "172.17.0.1") { Kind = "bridge" });
        Assert.Equal(["eth0", "eth1"], Plan(machine).Used.Select(verdict => verdict.Name));
    }

    [Fact]
    public void What_has_no_link_or_no_address_gets_nothing()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2), FakeInterface.Uplink("eth1", 3), FakeInterface.Uplink("eth2", 4), new FakeInterface("eth3", 5, "169.254.1.1"));
        machine["eth1"].HasCarrier = false;
        machine["eth2"].IsUp = false;
        var plan = Plan(machine);
        Assert.Equal([null, "carrier", "carrier", "address"], plan.Interfaces.Select(verdict => verdict.LeftOut?.Reason));
        Assert.Equal("ip link set eth2 up", plan.Interfaces[2].LeftOut?.Command);
    }

    [Fact]
    public void An_endpoint_that_only_announces_is_said_to_open_nothing()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2));
        machine.SetEndpoint(new(0, IPAddress.Parse("10.2.0.2"), 0, MultipathEndpointFlags.Signal, 2));
        var plan = Plan(machine);
        Assert.Empty(plan.Changes.OfType<EndpointChange>());
        Assert.Contains("ip mptcp endpoint delete id 1", Assert.Single(plan.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void What_another_manager_keeps_gets_everything_but_the_endpoint()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2), new FakeInterface("eth1", 3, "10.3.0.2") { NarrowGateway = "10.3.0.1" });
        var facts = machine.ReadFacts(machine.Picture());
        var plan = MultipathPlan.Make(facts, [], ["eth1"]);
        Assert.Equal([new(IPAddress.Parse("10.2.0.2"), 2)], plan.Places);
        Assert.Single(plan.Changes.OfType<RouteChange>());
        Assert.Single(plan.Changes.OfType<EndpointChange>());
    }

    private static MultipathPlan Plan(FakeMachine machine, params string[] names) => MultipathPlan.Make(machine.ReadFacts(machine.Picture()), names, []);

    private static List<string> Commands(FakeMachine machine) => [.. Plan(machine).Changes.Select(change => change.Command)];
}

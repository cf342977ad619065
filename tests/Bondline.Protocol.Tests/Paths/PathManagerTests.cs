using System.Net;
using Xunit;

namespace Bondline.Protocol.Tests.Paths;

public sealed class PathManagerTests
{
    private static readonly IPEndPoint Relay = PathWorld.Relay;
    private static readonly InterfaceView Ethernet = PathWorld.Ethernet, Wifi = PathWorld.Wifi, Loopback = PathWorld.Loopback;

    [Fact]
    public void Every_interface_with_a_route_is_dialled_at_once()
    {
        var world = new PathWorld([], [Ethernet, Wifi]);
        Assert.Equal(["eth0", "wlan0"], world.Take<PathCommand.Dial>().Select(dial => dial.Path).Order());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_silent_path_is_dialled_so_often_that_one_dial_is_always_young(ulong seed)
    {
        var world = new PathWorld([], [Ethernet], seed);
        world.Join(world.InFlight.Single(), subflow: 1);
        world.Handle(new PathObservation.SubflowChanged(new(1), SubflowState.Dead, SubflowReason.Silence));
        var last = world.Now;
        while (world.Now < new Instant(50_000_000))
        {
            world.Advance();
            if (world.Take<PathCommand.Dial>().Count == 0) continue;
            Assert.InRange((world.Now - last).TotalMilliseconds, 0, 500); // a dial that starts after the path healed has half a second to join
            last = world.Now;
            Assert.InRange(world.InFlight.Count, 1, PathManager.MaxDials);
        }
    }

    [Fact]
    public void After_a_minute_it_is_dialled_every_few_seconds_for_ever()
    {
        var world = new PathWorld([], [Ethernet]);
        while (world.Now < new Instant(3600_000_000)) world.Advance();
        world.Take<PathCommand.Dial>();
        var start = world.Now;
        while (world.Now < start + TimeSpan.FromMinutes(1)) world.Advance();
        Assert.InRange(world.Take<PathCommand.Dial>().Count, 8, 20);
    }

    [Fact]
    public void The_first_dial_that_joins_wins_and_the_others_are_abandoned()
    {
        var world = new PathWorld([], [Ethernet]);
        while (world.InFlight.Count < PathManager.MaxDials) world.Advance();
        var dials = world.InFlight.ToList();
        world.Join(dials[1], subflow: 1);
        Assert.Equal([dials[0], dials[2]], world.Take<PathCommand.Abandon>().Select(abandoned => abandoned.Id).Order());
        world.Take<PathCommand.Dial>();
        world.AdvanceTo(world.Now + TimeSpan.FromMinutes(1));
        Assert.Empty(world.Take<PathCommand.Dial>());

        world.Join(dials[0], subflow: 2); // it joined before it heard
        Assert.Equal(new SubflowId(2), Assert.Single(world.Take<PathCommand.Close>()).Subflow);
    }

    [Fact]
    public void A_dial_whose_connection_stands_is_given_time()
    {
        var world = new PathWorld([], [Ethernet]);
        var dial = world.InFlight.Single();
        world.Handle(new PathObservation.DialConnected(dial));
        world.Take<PathCommand.Dial>();
        world.AdvanceTo(world.Now + TimeSpan.FromMilliseconds(1400));
        Assert.Empty(world.Take<PathCommand.Dial>());
        Assert.Empty(world.Take<PathCommand.Abandon>());
    }

    [Fact]
    public void A_dead_subflow_is_closed_only_when_its_replacement_has_joined()
    {
        var world = new PathWorld([], [Ethernet]);
        world.Join(world.InFlight.Single(), subflow: 1);
        world.Take<PathCommand.Dial>();
        world.Handle(new PathObservation.SubflowChanged(new(1), SubflowState.Suspect, SubflowReason.Silence));
        Assert.Empty(world.Take<PathCommand.Dial>());
        world.Handle(new PathObservation.SubflowChanged(new(1), SubflowState.Dead, SubflowReason.Silence));
        Assert.Single(world.Take<PathCommand.Dial>());
        Assert.Empty(world.Take<PathCommand.Close>());
        world.Join(world.InFlight.Single(), subflow: 2);
        Assert.Equal(new SubflowId(1), Assert.Single(world.Take<PathCommand.Close>()).Subflow);
    }

    [Fact]
    public void A_dead_subflow_that_recovers_first_stays_and_its_replacement_goes()
    {
        var world = new PathWorld([], [Ethernet]);
        world.Join(world.InFlight.Single(), subflow: 1);
        world.Handle(new PathObservation.SubflowChanged(new(1), SubflowState.Dead, SubflowReason.Silence));
        var dial = world.InFlight.Last();
        world.Handle(new PathObservation.SubflowChanged(new(1), SubflowState.Active, SubflowReason.None));
        Assert.Contains(world.Take<PathCommand.Abandon>(), abandoned => abandoned.Id == dial);
        world.Join(dial, subflow: 2);
        Assert.Equal(new SubflowId(2), Assert.Single(world.Take<PathCommand.Close>()).Subflow);
    }

    [Fact]
    public void Carrier_loss_is_told_at_once_and_the_link_tried_again_when_it_returns()
    {
        var world = new PathWorld([], [Ethernet, Wifi]);
        world.Join(world.DialOf("eth0"), subflow: 1);
        world.Join(world.DialOf("wlan0"), subflow: 2);
        world.Take<PathCommand>();
        world.See([Ethernet, Wifi with { HasCarrier = false }]);
        Assert.Equal(new PathCommand.LinkLost(new(2), SubflowReason.Carrier), Assert.Single(world.Take<PathCommand.LinkLost>()));
        Assert.Contains(world.Take<PathCommand.Report>(), report => report is { Path: "wlan0", Situation: PathSituation.Closed, Reason: "carrier" });
        world.AdvanceTo(world.Now + TimeSpan.FromSeconds(30));
        Assert.Empty(world.Take<PathCommand.Dial>());
        world.See([Ethernet, Wifi]);
        Assert.Equal(new SubflowId(2), Assert.Single(world.Take<PathCommand.LinkRestored>()).Subflow);
    }

    [Fact]
    public void A_subflow_whose_address_is_gone_is_lost_and_replaced_from_the_new_one()
    {
        var world = new PathWorld([], [Ethernet]);
        world.Join(world.InFlight.Single(), subflow: 1);
        world.Take<PathCommand>();
        world.See([Ethernet with { Addresses = [IPAddress.Parse("10.0.2.99")] }]);
        Assert.Equal(new PathCommand.LinkLost(new(1), SubflowReason.Address), Assert.Single(world.Take<PathCommand.LinkLost>()));
        Assert.Single(world.Take<PathCommand.Dial>());
    }

    [Fact]
    public void An_interface_that_appears_is_dialled_and_one_that_goes_is_lost()
    {
        var world = new PathWorld([], [Ethernet]);
        world.Join(world.InFlight.Single(), subflow: 1);
        world.Take<PathCommand>();
        world.See([Ethernet, Wifi]);
        Assert.Equal("wlan0", Assert.Single(world.Take<PathCommand.Dial>()).Path);
        world.See([Wifi]);
        Assert.Equal(new SubflowId(1), Assert.Single(world.Take<PathCommand.LinkLost>()).Subflow);
        world.Handle(new PathObservation.SubflowClosed(new(1), "reset"));
        world.See([Ethernet with { Index = 9 }, Wifi]);
        Assert.Contains(world.Take<PathCommand.Dial>(), dial => dial.Path == "eth0");
    }

    [Fact]
    public void Virtual_interfaces_count_only_if_named()
    {
        InterfaceView[] all = [Ethernet, PathWorld.Interface("docker0", 5, InterfaceKind.Bridge), PathWorld.Interface("veth1", 6, InterfaceKind.Container), PathWorld.Interface("tun0", 7, InterfaceKind.Tunnel), Loopback];
        Assert.Equal(["eth0"], new PathWorld([], all).DialledPaths);
        Assert.Equal(["tun0", "veth1"], new PathWorld([new("tun0"), new("veth1", SubflowPolicy.Backup)], all).DialledPaths);
        Assert.Equal(["eth0", "tun0"], new PathWorld([new("tun0")], all, isExclusive: false).DialledPaths);
        var reports = new PathWorld([], all).Take<PathCommand.Report>().Where(report => report.Situation == PathSituation.LeftOut).ToList();
        Assert.Equal(["docker0", "lo", "tun0", "veth1"], reports.Select(report => report.Path).Order());
        Assert.All(reports, report => Assert.NotNull(report.Detail));
    }

    [Fact]
    public void Nothing_is_led_past_a_vpn_that_is_the_route_to_the_relay()
    {
        InterfaceView[] all = [Ethernet, PathWorld.Interface("wg0", 7, InterfaceKind.Tunnel)];
        Assert.Equal(["wg0"], new PathWorld([], all, systemInterface: 7).DialledPaths);
        Assert.Equal(["eth0", "wg0"], new PathWorld([new("eth0"), new("wg0")], all, systemInterface: 7).DialledPaths);

        var world = new PathWorld([], all);
        world.Join(world.DialOf("eth0"), subflow: 1);
        world.Take<PathCommand>();
        world.Handle(new PathObservation.Relay([new(Relay, 7, false)])); // the VPN comes up
        Assert.Equal(new SubflowId(1), Assert.Single(world.Take<PathCommand.Close>()).Subflow);
    }

    [Fact]
    public void A_relay_on_this_machine_is_reached_over_loopback_alone()
    {
        var world = new PathWorld([], [Loopback, Ethernet], relay: [new(new IPEndPoint(IPAddress.Loopback, 8443), 1, true)]);
        var dial = Assert.Single(world.Take<PathCommand.Dial>());
        Assert.Equal("lo", dial.Path);
        Assert.Null(dial.Interface);
    }

    [Fact]
    public void Addresses_of_both_families_are_tried_in_turn()
    {
        var six = new IPEndPoint(IPAddress.Parse("2001:db8::9"), 443);
        var both = Ethernet with { Addresses = [IPAddress.Parse("10.0.2.5"), IPAddress.Parse("2001:db8:1::5")], Routes = [IPNetwork.Parse("0.0.0.0/0"), IPNetwork.Parse("::/0")] };
        var world = new PathWorld([], [both, Wifi], relay: [new(six, 0, false), new(Relay, 0, false)]);
        world.Advance();
        world.Advance();
        Assert.Equal([six, Relay], world.Take<PathCommand.Dial>().Where(dial => dial.Path == "eth0").Take(2).Select(dial => dial.Remote));
        Assert.All(world.Dialled.Where(dial => dial.Path == "wlan0"), dial => Assert.Equal(Relay, dial.Remote));
    }

    [Fact]
    public void A_network_without_IPv4_is_led_through_its_NAT64_once_that_is_known()
    {
        var six = Ethernet with { Addresses = [IPAddress.Parse("2001:db8:1::5")], Routes = [IPNetwork.Parse("::/0")] };
        var world = new PathWorld([], [six]);
        Assert.Empty(world.Take<PathCommand.Dial>());
        Assert.Contains(world.Take<PathCommand.Report>(), report => report is { Reason: "no-route" } && report.Detail!.Contains("IPv6 only", StringComparison.Ordinal));
        Assert.True(Nat64Prefix.TryFind(IPAddress.Parse("64:ff9b::192.0.0.170"), out var prefix));
        world.See([six with { Nat64 = prefix }]);
        var dial = Assert.Single(world.Take<PathCommand.Dial>());
        Assert.Equal(new IPEndPoint(IPAddress.Parse("64:ff9b::203.0.113.9"), 443), dial.Remote);
        Assert.Equal(Relay, dial.Relay.Original);

        // With IPv4 of its own it needs none.
        var both = six with { Addresses = [.. six.Addresses, IPAddress.Parse("10.0.2.5")], Routes = [IPNetwork.Parse("::/0"), IPNetwork.Parse("0.0.0.0/0")], Nat64 = prefix };
        Assert.Equal(Relay, Assert.Single(new PathWorld([], [both]).Take<PathCommand.Dial>()).Remote);
    }

    [Fact]
    public void A_wrong_key_is_final_only_if_no_path_finds_the_relay()
    {
        var world = new PathWorld([], [Ethernet, Wifi]);
        world.Handle(new PathObservation.DialFailed(world.DialOf("wlan0"), DialFailure.WrongKey, "another key"));
        Assert.Empty(world.Take<PathCommand.Fail>());
        world.Join(world.DialOf("eth0"), subflow: 1);
        world.Handle(new PathObservation.DialFailed(world.DialOf("wlan0"), DialFailure.WrongKey, "another key"));
        Assert.Empty(world.Take<PathCommand.Fail>());
        Assert.Contains(world.Take<PathCommand.Report>(), report => report is { Path: "wlan0", Reason: "intercepted" });

        var alone = new PathWorld([], [Ethernet]);
        alone.Handle(new PathObservation.DialFailed(alone.InFlight.Single(), DialFailure.WrongKey, "another key"));
        Assert.Empty(alone.Take<PathCommand.Fail>()); // it may be a portal's
        Assert.Equal("eth0", Assert.Single(alone.Take<PathCommand.Probe>()).Path);
        alone.Handle(new PathObservation.Probed("eth0", null));
        Assert.Single(alone.Take<PathCommand.Fail>());
    }

    [Fact]
    public void A_network_that_wants_a_sign_in_is_said_to_and_used_when_it_lets_us_through()
    {
        var world = new PathWorld([], [Ethernet]);
        world.Handle(new PathObservation.DialFailed(world.InFlight.Single(), DialFailure.WrongKey, "another key"));
        Assert.Equal(Relay, Assert.Single(world.Take<PathCommand.Probe>()).Relay.EndPoint);
        world.AdvanceTo(world.Now + TimeSpan.FromSeconds(15));
        Assert.Empty(world.Take<PathCommand.Probe>()); // one at a time
        world.Take<PathCommand.Report>();
        world.Handle(new PathObservation.Probed("eth0", "portal.example"));
        Assert.Contains("at portal.example", Assert.Single(world.Take<PathCommand.Report>(), report => report.Reason == "captive").Detail);
        Assert.Empty(world.Take<PathCommand.Fail>());
        world.AdvanceTo(world.Now + TimeSpan.FromSeconds(11));
        Assert.Single(world.Take<PathCommand.Probe>());
        world.Handle(new PathObservation.Probed("eth0", "portal.example"));
        world.Join(world.InFlight.Last(), subflow: 1);
        Assert.Contains(world.Take<PathCommand.Report>(), report => report is { Situation: PathSituation.Active, Reason: null });
        world.AdvanceTo(world.Now + TimeSpan.FromMinutes(1));
        Assert.Empty(world.Take<PathCommand.Probe>());
    }

    [Theory]
    [InlineData(DialFailure.Unreachable, false)]
    [InlineData(DialFailure.Declined, false)]
    [InlineData(DialFailure.TimedOut, true)]
    [InlineData(DialFailure.Closed, true)]
    public void A_portal_is_looked_for_where_one_would_fail_like_that(DialFailure failure, bool isLookedFor)
    {
        var world = new PathWorld([], [Ethernet]);
        world.Handle(new PathObservation.DialFailed(world.InFlight.Single(), failure, "why"));
        Assert.Equal(isLookedFor ? 1 : 0, world.Take<PathCommand.Probe>().Count);
    }

    [Fact]
    public void A_relay_that_was_reached_and_now_refuses_is_stopped_and_not_behind_a_portal()
    {
        var world = new PathWorld([], [Ethernet]);
        world.Join(world.InFlight.Last(), subflow: 1);
        world.Handle(new PathObservation.SubflowClosed(new(1), "reset"));
        world.Handle(new PathObservation.DialFailed(world.InFlight.Last(), DialFailure.Refused, "nothing listens"));
        Assert.Empty(world.Take<PathCommand.Probe>());

        world.See([Ethernet with { HasCarrier = false }]);
        world.See([Ethernet]); // perhaps another network
        world.Handle(new PathObservation.DialFailed(world.InFlight.Last(), DialFailure.Refused, "nothing listens"));
        Assert.Single(world.Take<PathCommand.Probe>());
    }

    [Fact]
    public void A_proxy_that_wants_other_credentials_is_asked_once_a_minute_until_the_network_changes()
    {
        var world = new PathWorld([], [Ethernet], relay: [new(Relay, 0, false, IsProxy: true)]);
        world.Handle(new PathObservation.DialFailed(world.InFlight.Single(), DialFailure.ProxyDenied, "407"));
        Assert.Contains(world.Take<PathCommand.Report>(), report => report is { Reason: "proxy", Detail: "407" });
        world.Take<PathCommand.Dial>();
        world.AdvanceTo(world.Now + TimeSpan.FromSeconds(59));
        world.Handle(new PathObservation.Relay([new(Relay, 0, false, IsProxy: true)]));
        Assert.Empty(world.Take<PathCommand.Dial>());
        world.AdvanceTo(world.Now + TimeSpan.FromSeconds(1));
        Assert.Single(world.Take<PathCommand.Dial>());
        world.Handle(new PathObservation.DialFailed(world.InFlight.Single(), DialFailure.ProxyDenied, "407"));
        world.See([Ethernet with { HasCarrier = false }]);
        world.See([Ethernet]);
        Assert.Single(world.Take<PathCommand.Dial>());
        world.Join(world.InFlight.Single(), subflow: 1);
        Assert.Contains(world.Take<PathCommand.Report>(), report => report is { Situation: PathSituation.Active, Detail: "through the proxy 203.0.113.9:443" });
    }

    [Fact]
    public void Where_large_packets_vanish_the_path_is_dialled_for_small_ones_until_its_network_changes()
    {
        var world = new PathWorld([], [Ethernet]);
        world.Join(world.InFlight.Single(), subflow: 1);
        Assert.False(Assert.Single(world.Take<PathCommand.Dial>()).IsNarrow);

        // Lost by chance, and back in time: nothing happens.
        world.Handle(new PathObservation.SubflowChanged(new(1), SubflowState.Suspect, SubflowReason.Mtu));
        world.AdvanceTo(world.Now + TimeSpan.FromMilliseconds(200));
        world.Handle(new PathObservation.SubflowChanged(new(1), SubflowState.Active, SubflowReason.None));
        world.AdvanceTo(world.Now + TimeSpan.FromSeconds(5));
        Assert.Empty(world.Take<PathCommand.Dial>());

        world.Handle(new PathObservation.SubflowChanged(new(1), SubflowState.Suspect, SubflowReason.Mtu));
        world.AdvanceTo(world.Now + TimeSpan.FromMilliseconds(400));
        Assert.True(Assert.Single(world.Take<PathCommand.Dial>()).IsNarrow);
        world.Join(world.InFlight.Single(), subflow: 2);
        Assert.Contains(world.Take<PathCommand.Close>(), close => close.Subflow == new SubflowId(1));
        Assert.Contains(world.Take<PathCommand.Report>(), report => report is { Situation: PathSituation.Active, Reason: "mtu" });
        world.Handle(new PathObservation.SubflowChanged(new(2), SubflowState.Dead, SubflowReason.Silence));
        Assert.True(Assert.Single(world.Take<PathCommand.Dial>()).IsNarrow);

        world.See([Ethernet with { HasCarrier = false }]);
        world.See([Ethernet]);
        Assert.False(Assert.Single(world.Take<PathCommand.Dial>()).IsNarrow);
    }

    [Fact]
    public void A_subflow_that_brings_no_answers_works_on_until_another_has_joined()
    {
        var world = new PathWorld([], [Ethernet]);
        world.Join(world.InFlight.Single(), subflow: 1);
        world.Take<PathCommand>();
        world.Handle(new PathObservation.SubflowChanged(new(1), SubflowState.Active, SubflowReason.Unheard));
        Assert.Single(world.Take<PathCommand.Dial>());
        world.Join(world.InFlight.First(), subflow: 2);
        Assert.Equal(new SubflowId(1), Assert.Single(world.Take<PathCommand.Close>()).Subflow);
        Assert.Empty(world.Take<PathCommand.Report>());
    }

    [Fact]
    public void After_a_suspend_every_path_is_dialled_beside_its_subflow()
    {
        var world = new PathWorld([], [Ethernet]);
        world.Join(world.InFlight.Single(), subflow: 1);
        world.Take<PathCommand>();
        world.Handle(new PathObservation.Resumed());
        Assert.Single(world.Take<PathCommand.Dial>());
        world.AdvanceTo(world.Now + TimeSpan.FromSeconds(10));
        Assert.Empty(world.Take<PathCommand.Dial>());
    }

    [Fact]
    public void A_worn_subflow_works_on_until_another_has_joined_on_its_path()
    {
        var world = new PathWorld([], [Ethernet, Wifi]);
        world.Join(world.DialOf("eth0"), subflow: 1);
        world.Join(world.DialOf("wlan0"), subflow: 2);
        world.Take<PathCommand>();
        world.Handle(new PathObservation.SubflowWorn(new(1)));
        world.Handle(new PathObservation.DialFailed(world.InFlight.Single(), DialFailure.Refused, "x"));
        Assert.Equal("eth0", Assert.Single(world.Take<PathCommand.Dial>()).Path);
        world.Advance();
        Assert.Equal("eth0", Assert.Single(world.Take<PathCommand.Dial>()).Path);
        var dial = Assert.Single(world.InFlight);
        world.Handle(new PathObservation.SubflowChanged(new(1), SubflowState.Active, SubflowReason.None)); // no reason to keep it
        Assert.Empty(world.Take<PathCommand.Close>());
        world.Join(dial, subflow: 3);
        Assert.Equal(new SubflowId(1), Assert.Single(world.Take<PathCommand.Close>()).Subflow);
        world.AdvanceTo(world.Now + TimeSpan.FromMinutes(1));
        Assert.Empty(world.Take<PathCommand.Dial>());
    }

    [Fact]
    public void When_the_bond_ends_the_next_dials_start_at_once()
    {
        var world = new PathWorld([], [Ethernet]);
        world.Join(world.InFlight.Single(), subflow: 1);
        world.Take<PathCommand>();
        world.Handle(new PathObservation.BondEnded());
        Assert.Single(world.Take<PathCommand.Dial>());
    }

    /// <summary>Random observations in any order: commands name only what exists, and dials stay bounded.</summary>
    [Fact]
    public void Any_order_of_observations_keeps_its_bounds()
    {
        for (ulong seed = 1; seed <= 300; seed++)
        {
            var random = new Random((int)seed);
            var world = new PathWorld([], [Ethernet, Wifi], seed);
            var subflow = 0UL;
            for (var step = 0; step < 300; step++)
            {
                var dial = world.InFlight.Count > 0 ? world.InFlight[random.Next(world.InFlight.Count)] : random.Next(1, 50);
                switch (random.Next(10))
                {
                    case 0: world.Join(dial, ++subflow); break;
                    case 1: world.Handle(new PathObservation.DialFailed(dial, (DialFailure)random.Next(9), "x")); break;
                    case 2: world.Handle(new PathObservation.DialConnected(dial)); break;
                    case 3: world.Handle(new PathObservation.SubflowChanged(new((ulong)random.Next(1, (int)subflow + 2)), (SubflowState)random.Next(4), SubflowReason.Silence)); break;
                    case 4: world.Handle(new PathObservation.SubflowClosed(new((ulong)random.Next(1, (int)subflow + 2)), "x")); break;
                    case 5: world.See([.. new[] { Ethernet, Wifi with { HasCarrier = random.Next(2) == 0 } }.Where(_ => random.Next(4) > 0)]); break;
                    case 6: world.Handle(new PathObservation.Resumed()); break;
                    case 7: world.Handle(new PathObservation.SubflowWorn(new((ulong)random.Next(1, (int)subflow + 2)))); break;
                    default: world.Advance(); break;
                }

                Assert.True(world.InFlight.Count <= 2 * PathManager.MaxDials, $"seed {seed}: {world.InFlight.Count} dials in flight");
            }
        }
    }

    [Fact]
    public void A_path_switched_off_is_closed_and_one_switched_on_is_dialled()
    {
        var world = new PathWorld([], [Ethernet, Wifi]);
        world.Join(world.DialOf("eth0"), subflow: 1);
        world.Join(world.DialOf("wlan0"), subflow: 2);
        world.Take<PathCommand.Dial>();
        world.Handle(new PathObservation.PolicyChanged("wlan0", SubflowPolicy.Off));
        Assert.Equal(new SubflowId(2), Assert.Single(world.Take<PathCommand.Close>()).Subflow);
        world.Handle(new PathObservation.SubflowClosed(new(2), "closed"));
        world.AdvanceTo(world.Now + TimeSpan.FromMinutes(1));
        Assert.Empty(world.Take<PathCommand.Dial>());
        Assert.Contains(world.Take<PathCommand.Report>(), report => report is { Path: "wlan0", Situation: PathSituation.LeftOut, Reason: "policy" });
        world.Handle(new PathObservation.PolicyChanged("wlan0", SubflowPolicy.Backup));
        Assert.Equal(("wlan0", SubflowPolicy.Backup), Assert.Single(world.Take<PathCommand.Dial>()) is var dial ? (dial.Path, dial.Policy) : default);
    }

    [Fact]
    public void Another_policy_reaches_the_subflow_and_the_one_that_is_being_dialled()
    {
        var world = new PathWorld([], [Ethernet, Wifi]);
        world.Join(world.DialOf("eth0"), subflow: 1);
        world.Handle(new PathObservation.SubflowChanged(new(1), SubflowState.Active, SubflowReason.None));
        world.Handle(new PathObservation.PolicyChanged("eth0", SubflowPolicy.Metered));
        Assert.Equal(new(new(1), SubflowPolicy.Metered), Assert.Single(world.Take<PathCommand.ChangePolicy>()));
        var dial = world.DialOf("wlan0");
        world.Handle(new PathObservation.PolicyChanged("wlan0", SubflowPolicy.Backup));
        world.Join(dial, subflow: 2);
        Assert.Equal(new(new(2), SubflowPolicy.Backup), Assert.Single(world.Take<PathCommand.ChangePolicy>()));
        Assert.Contains(world.Take<PathCommand.Report>(), report => report is { Path: "eth0", Policy: SubflowPolicy.Metered });
        Assert.Empty(world.Take<PathCommand.Close>());
    }

    [Fact]
    public void A_policy_given_later_leaves_out_no_other_interface()
    {
        var world = new PathWorld([], [Ethernet, Wifi]);
        world.Handle(new PathObservation.PolicyChanged("eth0", SubflowPolicy.Prefer));
        Assert.DoesNotContain(world.Take<PathCommand.Report>(), report => report.Situation == PathSituation.LeftOut);
    }

    [Fact]
    public void An_interface_nobody_named_is_used_when_it_gets_a_policy()
    {
        var world = new PathWorld([new("eth0")], [Ethernet, Wifi]);
        Assert.Equal(["eth0"], world.DialledPaths);
        world.Handle(new PathObservation.PolicyChanged("wlan0", SubflowPolicy.Normal));
        Assert.Equal(["eth0", "wlan0"], world.DialledPaths);
    }

    [Fact]
    public void A_metered_path_that_is_held_back_is_closed_until_it_may_be_used_again_or_is_given_another_policy()
    {
        var world = new PathWorld([new("eth0"), new("wlan0", SubflowPolicy.Metered)], [Ethernet, Wifi]);
        world.Join(world.DialOf("eth0"), subflow: 1);
        world.Handle(new PathObservation.SubflowChanged(new(1), SubflowState.Active, SubflowReason.None));
        world.Join(world.DialOf("wlan0"), subflow: 2);
        world.Take<PathCommand.Dial>();
        world.Handle(new PathObservation.HeldBack("wlan0", "used up"));
        Assert.Equal(new SubflowId(2), Assert.Single(world.Take<PathCommand.Close>()).Subflow);
        Assert.Contains(world.Take<PathCommand.Report>(), report => report is { Path: "wlan0", Situation: PathSituation.LeftOut, Reason: "budget", Detail: "used up" });
        world.Handle(new PathObservation.HeldBack("wlan0", null));
        Assert.Equal("wlan0", Assert.Single(world.Take<PathCommand.Dial>()).Path);
        world.Handle(new PathObservation.HeldBack("wlan0", "used up"));
        world.Handle(new PathObservation.PolicyChanged("wlan0", SubflowPolicy.Normal));
        Assert.Equal(("wlan0", SubflowPolicy.Normal), Assert.Single(world.Take<PathCommand.Dial>()) is var dial ? (dial.Path, dial.Policy) : default);
    }
}

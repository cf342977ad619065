using System.Net;
using Xunit;

namespace Bondline.Protocol.Tests.Paths;

public sealed class CarrierTests
{
    private const string Kernel = PathManager.MultipathName;

    private static readonly IPAddress OverEthernet = PathWorld.Ethernet.Addresses[0], OverWifi = PathWorld.Wifi.Addresses[0];

    [Fact]
    public void The_bond_is_told_to_carry_and_the_kernel_never_dialled_while_it_reaches_every_network()
    {
        var world = Auto();
        world.Join(world.DialOf("eth0"), subflow: 1);
        world.Join(world.DialOf("wlan0"), subflow: 2);
        world.AdvanceTo(world.Now + TimeSpan.FromHours(1));
        Assert.DoesNotContain(Kernel, world.DialledPaths);
        Assert.DoesNotContain(world.Take<PathCommand.Report>(), report => report.Path == Kernel); // nobody asked for it
        Assert.Equal([(Carrier.Bond, false), (Carrier.Bond, true)], world.Take<PathCommand.Carry>().Select(carry => (carry.Carrier, carry.HasChoice))); // before and after the kernel's endpoints are known
    }

    [Fact]
    public void An_outage_of_a_network_that_was_reached_is_no_reason_to_try_the_kernel()
    {
        var world = Auto();
        world.Join(world.DialOf("eth0"), subflow: 1);
        world.Join(world.DialOf("wlan0"), subflow: 2);
        world.Handle(new PathObservation.SubflowChanged(new(2), SubflowState.Dead, SubflowReason.Silence));
        world.AdvanceTo(world.Now + TimeSpan.FromHours(1));
        Assert.DoesNotContain(Kernel, world.DialledPaths);
    }

    [Fact]
    public void Where_the_bond_never_reaches_a_network_and_the_kernel_does_the_kernel_carries_and_the_bonds_subflows_are_closed_after_that()
    {
        var world = Lone();
        Assert.Contains(Kernel, world.DialledPaths);
        Assert.True(world.Dialled.Last(dial => dial.Path == Kernel) is { IsMultipath: true, Interface: null });
        world.Join(world.DialOf(Kernel), subflow: 2);
        world.Handle(new PathObservation.MultipathSeen(new(2), true, [OverEthernet, OverWifi]));
        Assert.Empty(world.Take<PathCommand.Close>());
        world.AdvanceTo(world.Now + CarrierPolicy.Settle);
        Assert.Equal(new SubflowId(1), Assert.Single(world.Take<PathCommand.Close>()).Subflow);
        var carry = world.Take<PathCommand.Carry>()[^1];
        Assert.Equal((Carrier.Multipath, "kernel MPTCP reaches 2 of 2 networks, the bond 1"), (carry.Carrier, carry.Reason));
        Assert.Contains(world.Take<PathCommand.Report>(), report => report is { Path: Kernel, Situation: PathSituation.Active, Detail: "over eth0, wlan0" });
        world.Take<PathCommand.Dial>();
        world.AdvanceTo(world.Now + TimeSpan.FromHours(1));
        Assert.Empty(world.Take<PathCommand.Dial>());
    }

    [Fact]
    public void Where_the_kernel_reaches_no_more_it_is_left_and_not_tried_again_for_minutes()
    {
        var world = Lone();
        world.Join(world.DialOf(Kernel), subflow: 2);
        world.Handle(new PathObservation.MultipathSeen(new(2), true, [OverEthernet]));
        world.AdvanceTo(world.Now + CarrierPolicy.Settle);
        Assert.Equal(new SubflowId(2), Assert.Single(world.Take<PathCommand.Close>()).Subflow);
        Assert.Equal(Carrier.Bond, world.Take<PathCommand.Carry>()[^1].Carrier);
        world.Dialled.Clear();
        world.AdvanceTo(world.Now + CarrierPolicy.Again - TimeSpan.FromSeconds(1));
        Assert.DoesNotContain(Kernel, world.DialledPaths);
        world.AdvanceTo(world.Now + TimeSpan.FromSeconds(2));
        Assert.Contains(Kernel, world.DialledPaths);
    }

    [Fact]
    public void Where_the_bond_reaches_nothing_one_network_of_the_kernels_carries_and_the_bonds_own_are_tried_on()
    {
        var world = Auto();
        world.AdvanceTo(world.Now + CarrierPolicy.Settle);
        Assert.Contains(Kernel, world.DialledPaths);
        world.Join(world.DialOf(Kernel), subflow: 2);
        world.Handle(new PathObservation.MultipathSeen(new(2), true, [OverEthernet]));
        world.AdvanceTo(world.Now + CarrierPolicy.Settle);
        Assert.Equal(Carrier.Multipath, Assert.Single(world.Take<PathCommand.Carry>()[2..]).Carrier);
        world.Dialled.Clear();
        world.AdvanceTo(world.Now + TimeSpan.FromMinutes(1));
        Assert.Equal(["eth0", "wlan0"], world.DialledPaths);
        Assert.Empty(world.Take<PathCommand.Carry>());
        world.Join(world.DialOf("wlan0"), subflow: 3);
        world.AdvanceTo(world.Now + CarrierPolicy.Settle);
        Assert.Equal(new SubflowId(2), Assert.Single(world.Take<PathCommand.Close>()).Subflow);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_kernel_that_falls_back_or_keeps_one_network_is_left_once_the_bond_has_joined_again(bool isFallback)
    {
        var world = Carried();
        world.Handle(new PathObservation.MultipathSeen(new(2), !isFallback, isFallback ? [] : [OverEthernet]));
        world.AdvanceTo(world.Now + CarrierPolicy.Settle);
        Assert.Empty(world.Take<PathCommand.Close>()); // nothing else carries yet
        Assert.Contains(world.Take<PathCommand.Report>(), report => report.Path == Kernel && (isFallback ? report.Reason == "fallback" : report.Detail == "over eth0 alone"));
        world.Join(world.DialOf("eth0"), subflow: 3);
        world.AdvanceTo(world.Now + CarrierPolicy.Settle);
        Assert.Equal(new SubflowId(2), Assert.Single(world.Take<PathCommand.Close>()).Subflow);
        Assert.Equal(Carrier.Bond, world.Take<PathCommand.Carry>()[^1].Carrier);
    }

    [Fact]
    public void Other_networks_are_compared_anew()
    {
        var world = Carried();
        world.Dialled.Clear();
        world.See([PathWorld.Ethernet, PathWorld.Wifi, PathWorld.Interface("usb0", 4)]); // no endpoint of the kernel's
        Assert.Equal(["eth0", "usb0", "wlan0"], world.DialledPaths);
        foreach (var (path, subflow) in new[] { ("eth0", 3u), ("usb0", 4u), ("wlan0", 5u) }) world.Join(world.DialOf(path), subflow);
        Assert.Equal(Carrier.Bond, world.Take<PathCommand.Carry>()[^1].Carrier);
        Assert.Contains(world.Take<PathCommand.Close>(), close => close.Subflow == new SubflowId(2));
    }

    [Theory]
    [InlineData(SubflowPolicy.Off)]
    [InlineData(SubflowPolicy.Backup)]
    [InlineData(SubflowPolicy.Metered)]
    [InlineData(SubflowPolicy.Prefer)]
    public void A_network_that_is_not_to_be_used_like_any_other_is_never_the_kernels(SubflowPolicy policy)
    {
        var world = new PathWorld([new("eth0"), new("wlan0", policy)], [PathWorld.Ethernet, PathWorld.Wifi], systemInterface: 2, carrier: CarrierMode.Auto, hasMultipath: true);
        world.Handle(new PathObservation.KernelEndpoints([OverEthernet, OverWifi]));
        world.AdvanceTo(world.Now + TimeSpan.FromHours(1));
        Assert.DoesNotContain(Kernel, world.DialledPaths);

        var later = Carried();
        later.Handle(new PathObservation.PolicyChanged("wlan0", policy));
        var carry = later.Take<PathCommand.Carry>()[^1];
        Assert.Equal((Carrier.Bond, "kernel MPTCP would use networks that are not to be used so"), (carry.Carrier, carry.Reason));
        Assert.Contains(later.Take<PathCommand.Close>(), close => close.Subflow == new SubflowId(2));
    }

    [Fact]
    public void Endpoints_that_vanish_are_not_said_to_be_unwanted_and_the_reason_ends_when_they_are_back()
    {
        var world = Carried();
        world.Handle(new PathObservation.KernelEndpoints([]));
        var carry = world.Take<PathCommand.Carry>()[^1];
        Assert.Equal((Carrier.Bond, "kernel MPTCP has no endpoint on a working network any more"), (carry.Carrier, carry.Reason));
        foreach (var (path, subflow) in new[] { ("eth0", 3u), ("wlan0", 4u) }) world.Join(world.DialOf(path), subflow);
        world.Handle(new PathObservation.KernelEndpoints([OverEthernet, OverWifi]));
        carry = world.Take<PathCommand.Carry>()[^1];
        Assert.Equal(Carrier.Bond, carry.Carrier);
        Assert.StartsWith("it loses nothing and waits for nothing", carry.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Links_that_are_all_down_are_not_said_to_be_unwanted()
    {
        var world = Carried();
        world.See([PathWorld.Ethernet with { HasCarrier = false }, PathWorld.Wifi with { HasCarrier = false }]);
        Assert.Equal("kernel MPTCP has no endpoint on a working network any more", world.Take<PathCommand.Carry>()[^1].Reason);
    }

    [Fact]
    public void A_network_that_is_wanted_again_is_not_said_to_be_unwanted()
    {
        var world = Carried();
        world.Handle(new PathObservation.PolicyChanged("wlan0", SubflowPolicy.Backup));
        foreach (var (path, subflow) in new[] { ("eth0", 3u), ("wlan0", 4u) }) world.Join(world.DialOf(path), subflow);
        world.Handle(new PathObservation.PolicyChanged("wlan0", SubflowPolicy.Normal));
        Assert.StartsWith("it loses nothing and waits for nothing", world.Take<PathCommand.Carry>()[^1].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_network_that_lost_its_link_is_no_reason_to_leave_the_kernel_at_once()
    {
        var world = Carried();
        world.See([PathWorld.Ethernet, PathWorld.Wifi with { HasCarrier = false }]);
        Assert.Empty(world.Take<PathCommand.Close>());
        Assert.Empty(world.Take<PathCommand.Carry>());
    }

    [Fact]
    public void Nobody_is_led_past_a_VPN_by_the_kernel()
    {
        var vpn = PathWorld.Interface("wg0", 7, InterfaceKind.Tunnel);
        var world = new PathWorld([], [PathWorld.Ethernet, PathWorld.Wifi, vpn], systemInterface: 7, carrier: CarrierMode.Auto, hasMultipath: true);
        world.Handle(new PathObservation.KernelEndpoints([OverEthernet, OverWifi]));
        world.AdvanceTo(world.Now + TimeSpan.FromHours(1));
        Assert.Equal(["wg0"], world.DialledPaths);
    }

    [Fact]
    public void Where_the_kernels_endpoints_cannot_be_seen_or_there_are_none_the_bond_stays()
    {
        foreach (var endpoints in (IPAddress[]?[])[null, []])
        {
            var world = new PathWorld([], [PathWorld.Ethernet, PathWorld.Wifi], systemInterface: 2, carrier: CarrierMode.Auto, hasMultipath: true);
            world.Handle(new PathObservation.KernelEndpoints(endpoints));
            world.AdvanceTo(world.Now + TimeSpan.FromHours(1));
            Assert.DoesNotContain(Kernel, world.DialledPaths);
            Assert.False(Assert.Single(world.Take<PathCommand.Carry>()).HasChoice);
        }
    }

    [Fact]
    public void Two_uplinks_behind_one_interface_are_the_kernels_to_use()
    {
        var second = IPAddress.Parse("10.9.9.5");
        var lan = PathWorld.Ethernet with { Addresses = [OverEthernet, second] };
        var world = new PathWorld([new("eth0")], [lan], systemInterface: 2, carrier: CarrierMode.Auto, hasMultipath: true);
        world.Handle(new PathObservation.KernelEndpoints([second]));
        world.Join(world.DialOf("eth0"), subflow: 1);
        world.AdvanceTo(world.Now + CarrierPolicy.Settle);
        world.Join(world.DialOf(Kernel), subflow: 2);
        world.Handle(new PathObservation.MultipathSeen(new(2), true, [OverEthernet, second]));
        world.AdvanceTo(world.Now + CarrierPolicy.Settle);
        Assert.Equal("kernel MPTCP reaches 2 of 2 networks, the bond 1", world.Take<PathCommand.Carry>()[^1].Reason);
        Assert.Contains(world.Take<PathCommand.Report>(), report => report is { Path: Kernel, Detail: "over eth0 (10.0.2.5), eth0 (10.9.9.5)" });
    }

    [Fact]
    public void Asked_for_the_kernel_carries_alone_and_is_dialled_again_when_it_is_lost()
    {
        var world = new PathWorld([], [PathWorld.Ethernet, PathWorld.Wifi], carrier: CarrierMode.Multipath, hasMultipath: true);
        Assert.Equal([Kernel], world.DialledPaths);
        Assert.Equal(Carrier.Multipath, world.Take<PathCommand.Carry>()[^1].Carrier);
        world.Join(world.DialOf(Kernel), subflow: 1);
        world.Handle(new PathObservation.MultipathSeen(new(1), false, []));
        world.Take<PathCommand.Dial>();
        world.AdvanceTo(world.Now + TimeSpan.FromHours(1));
        Assert.Empty(world.Take<PathCommand.Dial>());
        world.Handle(new PathObservation.SubflowClosed(new(1), "reset"));
        Assert.Equal(Kernel, Assert.Single(world.Take<PathCommand.Dial>()).Path);
    }

    [Fact]
    public void What_the_kernel_lost_is_dialled_where_the_system_leads_and_then_through_each_network_in_turn()
    {
        var usb = PathWorld.Interface("usb0", 4);
        var world = new PathWorld([], [PathWorld.Ethernet, PathWorld.Wifi, usb], carrier: CarrierMode.Multipath, hasMultipath: true); // and no endpoint for wlan0
        world.Handle(new PathObservation.KernelEndpoints([OverEthernet, usb.Addresses[0]]));
        world.Join(world.DialOf(Kernel), subflow: 1);
        for (var subflow = 1u; subflow <= 2; subflow++)
        {
            world.Dialled.Clear();
            world.Handle(new PathObservation.SubflowChanged(new(subflow), SubflowState.Dead, SubflowReason.Silence));
            world.AdvanceTo(world.Now + TimeSpan.FromSeconds(20));
            Assert.Equal([null, "eth0", "usb0", null, "eth0"], world.Dialled.Take(5).Select(dial => dial.Interface));
            world.Join(world.DialOf(Kernel), subflow + 1);
        }
    }

    [Fact]
    public void A_system_without_MPTCP_has_the_bond_whatever_happens()
    {
        var world = new PathWorld([], [PathWorld.Ethernet, PathWorld.Wifi], carrier: CarrierMode.Auto);
        world.AdvanceTo(world.Now + TimeSpan.FromHours(1));
        Assert.Equal(["eth0", "wlan0"], world.DialledPaths);
        Assert.Equal("this system has no kernel MPTCP", Assert.Single(world.Take<PathCommand.Carry>()).Reason);
    }

    private static PathWorld Auto()
    {
        var world = new PathWorld([], [PathWorld.Ethernet, PathWorld.Wifi], systemInterface: 2, carrier: CarrierMode.Auto, hasMultipath: true);
        world.Handle(new PathObservation.KernelEndpoints([OverEthernet, OverWifi]));
        return world;
    }

    /// <summary>The bond has one of two networks for so long that the kernel is tried beside it.</summary>
    private static PathWorld Lone()
    {
        var world = Auto();
        world.Join(world.DialOf("eth0"), subflow: 1);
        world.AdvanceTo(world.Now + CarrierPolicy.Settle - TimeSpan.FromMilliseconds(1));
        Assert.DoesNotContain(Kernel, world.DialledPaths);
        world.AdvanceTo(world.Now + TimeSpan.FromMilliseconds(1));
        return world;
    }

    /// <summary>The kernel carries over both.</summary>
    private static PathWorld Carried()
    {
        var world = Lone();
        world.Join(world.DialOf(Kernel), subflow: 2);
        world.Handle(new PathObservation.MultipathSeen(new(2), true, [OverEthernet, OverWifi]));
        world.AdvanceTo(world.Now + CarrierPolicy.Settle);
        world.Take<PathCommand.Close>();
        Assert.Equal(Carrier.Multipath, world.Take<PathCommand.Carry>()[^1].Carrier);
        return world;
    }
}

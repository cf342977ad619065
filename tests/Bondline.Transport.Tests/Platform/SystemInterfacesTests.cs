using System.Net;
using System.Net.NetworkInformation;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Transport.Tests.Platform;

/// <summary>The part of macOS's and Windows' code that is .NET's own, which runs here too.</summary>
public sealed class SystemInterfacesTests
{
    [Theory]
    [InlineData("en0", "en0", NetworkInterfaceType.Ethernet, InterfaceKind.Hardware)]
    [InlineData("en7", "en7", NetworkInterfaceType.Unknown, InterfaceKind.Hardware)]
    [InlineData("utun3", "utun3", NetworkInterfaceType.Ethernet, InterfaceKind.Tunnel)]
    [InlineData("ipsec0", "ipsec0", NetworkInterfaceType.Unknown, InterfaceKind.Tunnel)]
    [InlineData("bridge100", "bridge100", NetworkInterfaceType.Ethernet, InterfaceKind.Bridge)]
    [InlineData("vmenet0", "vmenet0", NetworkInterfaceType.Ethernet, InterfaceKind.Container)]
    [InlineData("lo0", "lo0", NetworkInterfaceType.Loopback, InterfaceKind.Loopback)]
    [InlineData("anpi0", "anpi0", NetworkInterfaceType.Unknown, InterfaceKind.Tunnel)]
    [InlineData("Wi-Fi", "Intel(R) Wi-Fi 6 AX201 160MHz", NetworkInterfaceType.Wireless80211, InterfaceKind.Hardware)]
    [InlineData("Ethernet 2", "Remote NDIS based Internet Sharing Device", NetworkInterfaceType.Ethernet, InterfaceKind.Hardware)]
    [InlineData("Cellular", "Generic Mobile Broadband Adapter", NetworkInterfaceType.Wwanpp, InterfaceKind.Hardware)]
    [InlineData("vEthernet (WSL)", "Hyper-V Virtual Ethernet Adapter", NetworkInterfaceType.Ethernet, InterfaceKind.Container)]
    [InlineData("Tailscale", "Tailscale Tunnel", (NetworkInterfaceType)53, InterfaceKind.Tunnel)]
    [InlineData("Local Area Connection", "TAP-Windows Adapter V9", NetworkInterfaceType.Ethernet, InterfaceKind.Tunnel)]
    public void Kinds_are_told_apart(string name, string description, NetworkInterfaceType type, InterfaceKind kind) =>
        Assert.Equal(kind, SystemInterfaces.Kind(name, description, type));

    [Fact]
    public void An_interface_leads_to_its_subnets_and_with_a_gateway_everywhere()
    {
        (IPAddress, int)[] addresses = [(IPAddress.Parse("192.168.1.77"), 23), (IPAddress.Parse("2001:db8:1:2::7"), 64)];
        Assert.Equal(
            [IPNetwork.Parse("0.0.0.0/0"), IPNetwork.Parse("192.168.0.0/23"), IPNetwork.Parse("2001:db8:1:2::/64")],
            SystemInterfaces.Routes(InterfaceKind.Hardware, addresses, [IPAddress.Parse("192.168.0.1")]));
        Assert.Contains(IPNetwork.Parse("::/0"), SystemInterfaces.Routes(InterfaceKind.Tunnel, addresses, [])); // no gateway is not no way
    }

    [Fact]
    public async Task The_first_picture_comes_at_once_and_has_loopback()
    {
        using var watch = new SystemNetworkWatch();
        var seen = await watch.NextAsync(TestContext.Current.CancellationToken);
        var loopback = Assert.Single(seen, found => found.Kind == InterfaceKind.Loopback);
        Assert.Contains(IPAddress.Loopback, loopback.Addresses);
        Assert.True(loopback.HasCarrier);
        Assert.True(SystemNetworkWatch.IsSame(seen, SystemInterfaces.List()));
        Assert.False(SystemNetworkWatch.IsSame(seen, [.. seen.Select(found => found with { Addresses = [] })]));
        Assert.False(SystemNetworkWatch.IsSame(seen, [.. seen.Select(found => found with { Index = found.Index + 1 })]));
    }

    [Fact]
    public void The_route_to_this_machine_is_loopback()
    {
        Assert.True(SystemInterfaces.TryFindRoute(IPAddress.Loopback, out var index, out var isLocal));
        Assert.True(isLocal);
        Assert.Equal(NetworkInterface.LoopbackInterfaceIndex, index);
    }
}

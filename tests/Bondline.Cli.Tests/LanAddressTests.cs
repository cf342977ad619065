using System.Net;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Cli.Tests;

public sealed class LanAddressTests
{
    [Theory]
    [InlineData("192.168.1.20", "lo", "docker0", "tun0", "eth0", "wlan0+")] // the way out decides
    [InlineData("192.168.1.10", "eth0", "tun0+")] // a VPN is no local network
    [InlineData("172.18.0.2", "lo", "veth0+", "docker0")] // in a container
    [InlineData("10.8.0.2", "lo", "tun0+")]
    [InlineData("fd00::7", "six0+")]
    [InlineData(null, "lo", "down0+")]
    public void The_address_is_the_one_of_the_local_network(string? address, params string[] interfaces) =>
        Assert.Equal(address is null ? null : IPAddress.Parse(address), LanAddress.Choose([.. interfaces.Select(Interface)]));

    private static InterfaceView Interface(string text)
    {
        var (kind, address) = text.TrimEnd('+') switch
        {
            "lo" => (InterfaceKind.Loopback, "127.0.0.1"),
            "docker0" => (InterfaceKind.Bridge, "172.17.0.1"),
            "veth0" => (InterfaceKind.Container, "172.18.0.2"),
            "tun0" => (InterfaceKind.Tunnel, "10.8.0.2"),
            "wlan0" => (InterfaceKind.Hardware, "192.168.1.20"),
            "six0" => (InterfaceKind.Hardware, "fd00::7"),
            _ => (InterfaceKind.Hardware, "192.168.1.10"),
        };
        return new(text, 1, kind, IsUp: !text.StartsWith("down", StringComparison.Ordinal), HasCarrier: true, [IPAddress.Parse(address)], text.EndsWith('+') ? [new(IPAddress.Any, 0)] : []);
    }
}

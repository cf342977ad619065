using System.Net;
using Bondline.Linux;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Interfaces as rtnetlink tells them, in the path manager's words.</summary>
public static class LinuxInterface
{
    /// <summary>What an interface is to the path manager.</summary>
    public static InterfaceView View(NetworkInterfaceState state) => new(
        state.Link.Name,
        state.Link.Index,
        Kind(state.Link),
        state.Link.IsUp,
        state.Link.HasCarrier,
        [.. state.Addresses.Where(address => address.IsUsable && !address.IsLinkLocal).Select(address => address.Address)],
        [.. state.Routes.Where(route => route.Type == RouteType.Unicast).Select(route => new IPNetwork(route.Destination, route.PrefixLength)).Distinct()]);

    private static InterfaceKind Kind(LinkMessage link) => link switch
    {
        { IsLoopback: true } => InterfaceKind.Loopback,
        { Kind: "bridge" or "openvswitch" } => InterfaceKind.Bridge,
        { Kind: "veth" or "dummy" or "ifb" or "ipvlan" or "macvlan" or "netkit" or "vcan" or "nlmon" } => InterfaceKind.Container,
        { Kind: "vlan" or "bond" or "team" or "hsr" or "wwan" or "rmnet" or "virt_wifi" or "ppp" or null } and not { HardwareType: 65534 } => InterfaceKind.Hardware,
        _ => InterfaceKind.Tunnel, // tun, wireguard, gre, ipip, vti, xfrm, vxlan ... and whatever comes: a VPN until named
    };
}

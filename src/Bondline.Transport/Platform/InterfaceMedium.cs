using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>What an interface is to a person.</summary>
public enum InterfaceMedium
{
    Other,
    Ethernet,
    WiFi,
    Phone,
    Mobile,
    Vpn,
    Virtual,
    Loopback,
}

internal static class InterfaceMediums
{
    public static InterfaceMedium MediumOf(this INetworkPlatform platform, InterfaceView seen) => seen.Kind switch
    {
        InterfaceKind.Loopback => InterfaceMedium.Loopback,
        InterfaceKind.Bridge or InterfaceKind.Container => InterfaceMedium.Virtual,
        InterfaceKind.Tunnel => InterfaceMedium.Vpn,
        _ => platform.HardwareMedium(seen.Name, seen.Index),
    };
}

using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>The machine's interfaces as .NET tells them, for the systems whose own interfaces to that we do not use.</summary>
internal static class SystemInterfaces
{
    // What the descriptions of adapters that are no network of their own have in common: virtual machines' and VPNs'.
    private static readonly string[] VirtualWords = ["Hyper-V", "VirtualBox", "VMware", "vEthernet", "Parallels"];
    private static readonly string[] TunnelWords = ["TAP-", "Wintun", "WireGuard", "OpenVPN", "Tailscale", "ZeroTier", "VPN"];

    public static IReadOnlyList<InterfaceView> List() => [.. NetworkInterface.GetAllNetworkInterfaces().Select(View)];

    /// <summary>The interface called <paramref name="name"/>; null if it is gone.</summary>
    public static NetworkInterface? Find(string name) => NetworkInterface.GetAllNetworkInterfaces().FirstOrDefault(found => found.Name == name);

    public static int IndexOf(NetworkInterface found)
    {
        var properties = found.GetIPProperties();
        try
        {
            return found.Supports(NetworkInterfaceComponent.IPv4) ? properties.GetIPv4Properties().Index : properties.GetIPv6Properties().Index;
        }
        catch (NetworkInformationException)
        {
            return 0; // it speaks neither
        }
    }

    public static IEnumerable<IPAddress> UsableAddresses(NetworkInterface found) =>
        found.GetIPProperties().UnicastAddresses.Where(IsUsable).Select(address => WithoutScope(address.Address));

    /// <summary>The interface the system would send through to <paramref name="remote"/>: the one whose address it gives a UDP socket that is connected there. Nothing is sent.</summary>
    public static bool TryFindRoute(IPAddress remote, out int interfaceIndex, out bool isLocal)
    {
        (interfaceIndex, isLocal) = (0, false);
        try
        {
            using var probe = new Socket(remote.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            probe.Connect(remote, 9); // the discard port; any will do
            var source = WithoutScope(((IPEndPoint)probe.LocalEndPoint!).Address);
            isLocal = IPAddress.IsLoopback(remote) || source.Equals(WithoutScope(remote));
            foreach (var found in NetworkInterface.GetAllNetworkInterfaces())
            {
                if (!found.GetIPProperties().UnicastAddresses.Any(address => WithoutScope(address.Address).Equals(source))) continue;
                interfaceIndex = IndexOf(found);
                return true;
            }
        }
        catch (Exception refused) when (refused is SocketException or NetworkInformationException)
        {
            // no route there
        }
        return false;
    }

    public static InterfaceMedium Medium(NetworkInterfaceType type) => type switch
    {
        NetworkInterfaceType.Wireless80211 => InterfaceMedium.WiFi,
        NetworkInterfaceType.Wman or NetworkInterfaceType.Wwanpp or NetworkInterfaceType.Wwanpp2 => InterfaceMedium.Mobile,
        NetworkInterfaceType.Ethernet or NetworkInterfaceType.GigabitEthernet or NetworkInterfaceType.FastEthernetT => InterfaceMedium.Ethernet,
        _ => InterfaceMedium.Other,
    };

    /// <summary>What an interface is, by the system's type of it and, as both systems call VPNs Ethernet, by its name (macOS) and description (Windows).</summary>
    public static InterfaceKind Kind(string name, string description, NetworkInterfaceType type)
    {
        if (type == NetworkInterfaceType.Loopback) return InterfaceKind.Loopback;
        if (type is NetworkInterfaceType.Tunnel or NetworkInterfaceType.Ppp || StartsWith("utun", "tun", "tap", "ipsec", "ppp", "gif", "stf") || Says(TunnelWords)) return InterfaceKind.Tunnel;
        if (StartsWith("bridge")) return InterfaceKind.Bridge;
        if (StartsWith("vmnet", "vmenet", "feth") || Says(VirtualWords)) return InterfaceKind.Container;
        return Medium(type) != InterfaceMedium.Other || StartsWith("en", "pdp_ip") ? InterfaceKind.Hardware : InterfaceKind.Tunnel; // unknown: a VPN until named

        bool StartsWith(params ReadOnlySpan<string> prefixes)
        {
            foreach (var prefix in prefixes)
                if (name.StartsWith(prefix, StringComparison.Ordinal) && name.Length > prefix.Length && char.IsAsciiDigit(name[prefix.Length])) return true;
            return false;
        }

        bool Says(string[] words) => words.Any(word => description.Contains(word, StringComparison.OrdinalIgnoreCase) || name.Contains(word, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>The networks an interface leads to: its own subnets, and everything where it has a gateway. A tunnel has none, and may lead anywhere.</summary>
    public static IReadOnlyList<IPNetwork> Routes(InterfaceKind kind, IEnumerable<(IPAddress Address, int PrefixLength)> addresses, IReadOnlyCollection<IPAddress> gateways)
    {
        var routes = new List<IPNetwork>();
        foreach (var (address, length) in addresses)
        {
            var everywhere = address.AddressFamily == AddressFamily.InterNetwork ? new IPNetwork(IPAddress.Any, 0) : new IPNetwork(IPAddress.IPv6Any, 0);
            if (kind == InterfaceKind.Tunnel || gateways.Any(gateway => gateway.AddressFamily == address.AddressFamily)) routes.Add(everywhere);
            routes.Add(Subnet(address, length));
        }
        return [.. routes.Distinct()];
    }

    private static InterfaceView View(NetworkInterface found)
    {
        var kind = Kind(found.Name, found.Description, found.NetworkInterfaceType);
        var properties = found.GetIPProperties();
        var addresses = properties.UnicastAddresses.Where(IsUsable).Select(address => (WithoutScope(address.Address), address.PrefixLength)).ToList();
        var gateways = properties.GatewayAddresses.Select(gateway => gateway.Address).Where(gateway => !gateway.Equals(IPAddress.Any) && !gateway.Equals(IPAddress.IPv6Any)).ToList();
        var isUp = found.OperationalStatus is OperationalStatus.Up or OperationalStatus.Unknown; // Unknown: what has no carrier to lose
        return new(found.Name, IndexOf(found), kind, IsUp: true, HasCarrier: isUp, [.. addresses.Select(address => address.Item1)], Routes(kind, addresses, gateways));
    }

    private static bool IsUsable(UnicastIPAddressInformation address) =>
        !address.Address.IsIPv6LinkLocal
        && !(address.Address.AddressFamily == AddressFamily.InterNetwork && address.Address.GetAddressBytes() is [169, 254, ..])
        && (!OperatingSystem.IsWindows() || address.DuplicateAddressDetectionState == DuplicateAddressDetectionState.Preferred);

    private static IPNetwork Subnet(IPAddress address, int length)
    {
        var bytes = address.GetAddressBytes();
        for (var bit = length; bit < bytes.Length * 8; bit++) bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        return new(new IPAddress(bytes), length);
    }

    private static IPAddress WithoutScope(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6 ? new(address.GetAddressBytes()) : address;
}

using System.Net;

namespace Bondline.Protocol;

/// <summary>What an interface is; all but <see cref="Hardware"/> count only if named.</summary>
public enum InterfaceKind
{
    /// <summary>A network card, a modem, a tethered phone, or a VLAN or bonding device over them.</summary>
    Hardware,
    Loopback,
    Bridge,
    Container,
    Tunnel,
}

/// <summary>One network interface as the path manager sees it.</summary>
/// <param name="Name">The system's name for it.</param>
/// <param name="Index">The system's number; another one means another interface of the same name.</param>
/// <param name="Kind">What it is.</param>
/// <param name="IsUp">It is switched on.</param>
/// <param name="HasCarrier">It can send.</param>
/// <param name="Addresses">Its addresses that are not link-local.</param>
/// <param name="Routes">The networks it leads to.</param>
public sealed record InterfaceView(
    string Name,
    int Index,
    InterfaceKind Kind,
    bool IsUp,
    bool HasCarrier,
    IReadOnlyList<IPAddress> Addresses,
    IReadOnlyList<IPNetwork> Routes)
{
    /// <summary>How IPv4 addresses are reached over it where it has only IPv6; null if they are not, or it is not known yet.</summary>
    public Nat64Prefix? Nat64 { get; init; }

    /// <summary>Whether a subflow to <paramref name="remote"/> could leave here: an address of its family and a route, default or narrower.</summary>
    public bool CanReach(IPAddress remote)
    {
        ArgumentNullException.ThrowIfNull(remote);
        return Addresses.Any(address => address.AddressFamily == remote.AddressFamily) && Routes.Any(route => route.Contains(remote));
    }
}

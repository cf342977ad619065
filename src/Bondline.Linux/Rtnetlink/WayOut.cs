using System.ComponentModel;
using System.Net;
using System.Net.Sockets;

namespace Bondline.Linux;

/// <summary>Whether a connection that starts at an address of an interface, bound to it, finds a route to the rest of the world.</summary>
/// <param name="Address">Usable and not link-local.</param>
/// <param name="Exists">There is a route.</param>
/// <param name="IsPreferred">The one of its family that a socket bound to the interface would get by itself.</param>
public readonly record struct WayOut(IPAddress Address, bool Exists, bool IsPreferred)
{
    /// <summary>Stand for the rest of the world in questions to the kernel about routes (a.root-servers.net); nothing is ever sent there.</summary>
    private static readonly IPAddress World = new([198, 41, 0, 4]), World6 = IPAddress.Parse("2001:503:ba3e::2:30");

    public static IPAddress WorldOf(AddressFamily family) => family == AddressFamily.InterNetwork ? World : World6;

    /// <summary>Those of one interface, one for each address.</summary>
    /// <exception cref="Win32Exception">There is no rtnetlink for us.</exception>
    public static IReadOnlyList<WayOut> Of(NetworkInterfaceState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        var ways = new List<WayOut>();
        var usable = state.Addresses.Where(address => address.IsUsable && !address.IsLinkLocal).Select(address => address.Address).Distinct();
        foreach (var family in usable.GroupBy(address => address.AddressFamily))
        {
            var world = WorldOf(family.Key);
            var preferred = RouteQuery.Find(world, state.Link.Index)?.PreferredSource is { } own && family.Contains(own) ? own : family.First();
            ways.AddRange(family.Select(address => new WayOut(address, Exist(world, state.Link.Index, address), address.Equals(preferred))));
        }

        return ways;
    }

    // Without the source too: with one, IPv6 is not strict about the interface and answers with a better route of another one.
    private static bool Exist(IPAddress world, int index, IPAddress source) => LeadsThere(world, index, null) || LeadsThere(world, index, source);

    private static bool LeadsThere(IPAddress world, int index, IPAddress? source) =>
        RouteQuery.Find(world, index, source, isConfigured: true) is { Type: RouteType.Unicast } route && route.Interfaces.Contains(index);
}

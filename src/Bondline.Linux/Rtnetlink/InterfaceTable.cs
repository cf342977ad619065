using System.Net;
using System.Net.Sockets;

namespace Bondline.Linux;

/// <summary>One network interface with everything that leads through it.</summary>
public sealed record NetworkInterfaceState(LinkMessage Link, IReadOnlyList<AddressMessage> Addresses, IReadOnlyList<RouteMessage> Routes);

/// <summary>The kernel's links, addresses and routes as rtnetlink told them so far. Bytes in, state out; not thread safe.</summary>
public sealed class InterfaceTable
{
    // A machine with a full routing table must not cost us its memory; a relay's route is a default or narrow one of few.
    private const int MaxRoutes = 4096;
    private const ushort ReplaceFlag = 0x100;

    private readonly Dictionary<int, LinkMessage> _links = [];
    private readonly Dictionary<(int Interface, IPAddress Address, int PrefixLength), AddressMessage> _addresses = [];
    private readonly List<RouteMessage> _routes = [];

    /// <summary>Forgets everything, before a new dump.</summary>
    public void Clear()
    {
        _links.Clear();
        _addresses.Clear();
        _routes.Clear();
    }

    /// <summary>Forgets the routes, before a new dump of them.</summary>
    public void ClearRoutes() => _routes.Clear();

    /// <summary>Takes in one message of a dump or an event.</summary>
    /// <returns>What changed.</returns>
    /// <exception cref="NetlinkFormatException">The message is shorter than it says.</exception>
    public TableChange Apply(in NetlinkMessage message)
    {
        switch (message.Type)
        {
            case NetlinkType.NewLink when LinkMessage.Read(message.Payload) is { } link:
                if (_links.TryGetValue(link.Index, out var known) && known == link) return TableChange.None;
                _links[link.Index] = link;
                return TableChange.Link;

            case NetlinkType.DeleteLink when LinkMessage.Read(message.Payload) is { } link:
                return _links.Remove(link.Index) ? TableChange.Link : TableChange.None;

            case NetlinkType.NewAddress when AddressMessage.Read(message.Payload) is { } address:
                var key = (address.InterfaceIndex, address.Address, address.PrefixLength);
                if (_addresses.TryGetValue(key, out var old) && old == address) return TableChange.None;
                _addresses[key] = address;
                return TableChange.Address;

            case NetlinkType.DeleteAddress when AddressMessage.Read(message.Payload) is { } address:
                return _addresses.Remove((address.InterfaceIndex, address.Address, address.PrefixLength)) ? TableChange.Address : TableChange.None;

            case NetlinkType.NewRoute when RouteMessage.Read(message.Payload) is { IsCloned: false } route:
                var isReplacing = (message.Flags & ReplaceFlag) != 0;
                if (!message.IsPartOfAnswer && IsIPv6(route) && (isReplacing || route.NextHops.Count > 1)) return TableChange.UnclearRoute;
                if (isReplacing)
                {
                    // It took the place of one.
                    if (_routes.RemoveAll(other => IsSamePlace(other, route)) > 1) return TableChange.UnclearRoute;
                }
                else if (_routes.Exists(other => IsSame(other, route))) return TableChange.None;
                if (_routes.Count < MaxRoutes) _routes.Add(route);
                return TableChange.Route;

            case NetlinkType.DeleteRoute when RouteMessage.Read(message.Payload) is { IsCloned: false } route:
                if (_routes.RemoveAll(other => IsSame(other, route)) > 0) return TableChange.Route;
                return IsIPv6(route) ? TableChange.UnclearRoute : TableChange.None;

            default:
                return TableChange.None;
        }
    }

    /// <summary>Every interface, by index.</summary>
    public IReadOnlyList<NetworkInterfaceState> Snapshot() =>
    [
        .. _links.Values.OrderBy(link => link.Index).Select(link => new NetworkInterfaceState(
            link,
            [.. _addresses.Values.Where(address => address.InterfaceIndex == link.Index)],
            [.. _routes.Where(route => route.Interfaces.Contains(link.Index))])),
    ];

    private static bool IsIPv6(RouteMessage route) => route.Destination.AddressFamily == AddressFamily.InterNetworkV6;

    private static bool IsSamePlace(RouteMessage a, RouteMessage b) =>
        a.PrefixLength == b.PrefixLength && a.Table == b.Table && a.Metric == b.Metric && a.Destination.Equals(b.Destination);

    private static bool IsSame(RouteMessage a, RouteMessage b) => IsSamePlace(a, b) && a.Type == b.Type && a.NextHops.SequenceEqual(b.NextHops);
}

/// <summary>What a message changed in an <see cref="InterfaceTable"/>.</summary>
public enum TableChange
{
    None,
    Link,
    Address,
    Route,

    /// <summary>Routes changed, and the message does not tell which are left: they are to be asked for. The table is as it was, or lacks some.</summary>
    /// <remarks>
    /// IPv6 makes one route of those to one place with gateways and one metric. The event of a further one has all the gateways, that of a deletion one
    /// alone, and what another one replaces depends on what it has.
    /// </remarks>
    UnclearRoute,
}

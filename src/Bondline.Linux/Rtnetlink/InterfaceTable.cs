using System.Net;

namespace Bondline.Linux;

/// <summary>One network interface with everything that leads through it.</summary>
/// <param name="Link">The interface itself.</param>
/// <param name="Addresses">All of its addresses.</param>
/// <param name="Routes">All default routes, and of other unicast ones as many as there was room for.</param>
public sealed record NetworkInterfaceState(LinkMessage Link, IReadOnlyList<AddressMessage> Addresses, IReadOnlyList<RouteMessage> Routes);

/// <summary>The kernel's links, addresses and routes as rtnetlink told them so far. Bytes in, state out; not thread safe.</summary>
public sealed class InterfaceTable
{
    private const ushort ReplaceFlag = 0x100;

    private readonly Dictionary<int, LinkMessage> _links = [];
    private readonly Dictionary<(int Interface, IPAddress Address, int PrefixLength), AddressMessage> _addresses = [];
    private readonly KnownRoutes _routes = new();

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
                return _routes.Add(route, isNews: !message.IsPartOfAnswer, isReplacing: (message.Flags & ReplaceFlag) != 0);

            case NetlinkType.DeleteRoute when RouteMessage.Read(message.Payload) is { IsCloned: false } route:
                return _routes.Remove(route);

            default:
                return TableChange.None;
        }
    }

    /// <summary>Every interface, by index.</summary>
    public IReadOnlyList<NetworkInterfaceState> Snapshot()
    {
        var addresses = _addresses.Values.ToLookup(address => address.InterfaceIndex);
        var routes = _routes.ByInterface();
        return [.. _links.Values.OrderBy(link => link.Index).Select(link => new NetworkInterfaceState(link, [.. addresses[link.Index]], [.. routes[link.Index]]))];
    }
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

using System.Net;
using System.Net.Sockets;

namespace Bondline.Linux;

/// <summary>The unicast routes as rtnetlink told them so far: every default one, and of the others as many as there is room for. Not thread safe.</summary>
/// <remarks>Others, among them the kernel's three for each address of the machine, lead nowhere a connection could go.</remarks>
internal sealed class KnownRoutes
{
    /// <summary>Routes that are not default ones. A machine with a full routing table must not cost us its memory; what leads to a relay is a default route or a narrow one of few.</summary>
    public const int MaxNarrow = 4096;

    private readonly Dictionary<Place, List<RouteMessage>> _places = [];
    private int _narrow;
    private bool _lacksSome;

    public void Clear()
    {
        _places.Clear();
        (_narrow, _lacksSome) = (0, false);
    }

    /// <summary>Takes in an RTM_NEWROUTE.</summary>
    /// <param name="route">What it says.</param>
    /// <param name="isNews">It is an event, not a part of a dump.</param>
    /// <param name="isReplacing">NLM_F_REPLACE: it took the place of another one.</param>
    public TableChange Add(RouteMessage route, bool isNews, bool isReplacing)
    {
        var place = Place.Of(route);
        var there = _places.GetValueOrDefault(place);
        if (route.Type != RouteType.Unicast && (there is null || !isReplacing)) return TableChange.None;
        if (isNews && IsIPv6(route) && (isReplacing || route.NextHops.Count > 1) && IsWorthAsking(route)) return TableChange.UnclearRoute;

        var replaced = isReplacing ? Remove(place, static (_, _) => true, route) : 0;
        if (replaced > 1) return TableChange.UnclearRoute; // it took the place of one
        var isStored = route.Type == RouteType.Unicast && TryStore(place, route);
        return isStored || replaced > 0 ? TableChange.Route : TableChange.None;
    }

    /// <summary>Takes in an RTM_DELROUTE.</summary>
    public TableChange Remove(RouteMessage route)
    {
        if (route.Type != RouteType.Unicast) return TableChange.None;
        if (Remove(Place.Of(route), LeadTheSameWays, route) > 0) return TableChange.Route;
        return IsIPv6(route) && IsWorthAsking(route) ? TableChange.UnclearRoute : TableChange.None;
    }

    /// <summary>Each route under every interface that it leads out of.</summary>
    public ILookup<int, RouteMessage> ByInterface() =>
        _places.Values.SelectMany(there => there).SelectMany(route => route.Interfaces.Distinct(), (route, index) => (route, index)).ToLookup(each => each.index, each => each.route);

    private bool TryStore(Place place, RouteMessage route)
    {
        var there = _places.GetValueOrDefault(place);
        if (there is not null && there.Exists(other => LeadTheSameWays(other, route))) return false;
        if (place.PrefixLength > 0)
        {
            if (_narrow == MaxNarrow)
            {
                _lacksSome = true;
                return false;
            }

            _narrow++;
        }

        if (there is null) _places[place] = [route];
        else there.Add(route);
        return true;
    }

    private int Remove(Place place, Func<RouteMessage, RouteMessage, bool> isMeant, RouteMessage route)
    {
        if (!_places.TryGetValue(place, out var there)) return 0;
        var removed = there.RemoveAll(other => isMeant(other, route));
        if (there.Count == 0) _places.Remove(place);
        if (place.PrefixLength > 0) _narrow -= removed;
        return removed;
    }

    // Where not all narrow routes are known their events are not worth reading all of a full routing table, which never rests.
    private bool IsWorthAsking(RouteMessage route) => route.PrefixLength == 0 || !_lacksSome;

    private static bool IsIPv6(RouteMessage route) => route.Destination.AddressFamily == AddressFamily.InterNetworkV6;

    private static bool LeadTheSameWays(RouteMessage a, RouteMessage b) => a.NextHops.SequenceEqual(b.NextHops);

    private readonly record struct Place(IPAddress Destination, int PrefixLength, uint Table, uint Metric)
    {
        public static Place Of(RouteMessage route) => new(route.Destination, route.PrefixLength, route.Table, route.Metric);
    }
}

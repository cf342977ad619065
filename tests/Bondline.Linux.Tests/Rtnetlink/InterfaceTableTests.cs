using System.Buffers.Binary;
using System.Net;
using Xunit;

namespace Bondline.Linux.Tests.Rtnetlink;

/// <summary>What the table makes of events as Linux 6.18 sent them on a little-endian machine.</summary>
public sealed class InterfaceTableTests
{
    private const string Default = "0a000000fe0300010000000008000f00fe000000080006006400000014000500" + First; // of table main, metric 100
    private const string First = "20010db8000100000000000000000001", Second = "20010db8000200000000000000000001";
    private const string Rest = "24000c0000000000000000000000000000000000000000000000000000000000000000000500140000000000"; // RTA_CACHEINFO, RTA_PREF

    // ip -6 route add default via 2001:db8:1::1 dev 3 metric 100
    private const string Added = "7400000018000006e6710c6b3c000000" + Default + "0800040003000000" + Rest;

    // ip -6 route append default via 2001:db8:2::1 dev 5 metric 100
    private const string Appended =
        "940000001800000ce6710c6b3e0000000a000000fe0300010000000008000f00fe00000008000600640000003c0009001c0000000500000014000500" + Second
        + "1c0000000300000014000500" + First + Rest;

    // Of these two: ip -6 route del default via 2001:db8:1::1 dev 3 metric 100
    private const string OneDeleted = "7400000019000000e7710c6b42000000" + Default + "0800040003000000" + Rest;

    // Of the two: ip -6 route replace default via 2001:db8:1::9 dev 3 metric 100
    private const string Replaced =
        "7400000018000001e8710c6b500000000a000000fe0300010000000008000f00fe000000080006006400000014000500" + "20010db8000100000000000000000009" + "0800040003000000" + Rest;

    // NLM_F_CREATE | NLM_F_EXCL; NLM_F_REPLACE
    private static readonly (NetlinkType, int) NewRoute = (NetlinkType.NewRoute, 0x600), ReplacingRoute = (NetlinkType.NewRoute, 0x100), DeleteRoute = (NetlinkType.DeleteRoute, 0);

    private readonly InterfaceTable _table = new();

    public InterfaceTableTests()
    {
        foreach (var index in (ReadOnlySpan<byte>)[3, 5]) Assert.Equal(TableChange.Link, Apply($"2000000010000000000000000000000000000100{index:x2}0000004310010000000000"));
    }

    [Fact]
    public void A_route_is_news_once()
    {
        Assert.Equal(TableChange.Route, Apply(Added));
        Assert.Equal(TableChange.None, Apply(Added));
        Assert.Equal([3], InterfacesWithDefault());
    }

    [Fact]
    public void An_IPv6_route_that_leads_a_further_way_is_unclear() // a further route, or the one that is known with a further gateway
    {
        Assert.Equal(TableChange.Route, Apply(Added));
        Assert.Equal(TableChange.UnclearRoute, Apply(Appended));
    }

    [Theory]
    [InlineData(OneDeleted)]
    [InlineData(Replaced)]
    public void What_is_left_of_an_IPv6_route_that_leads_two_ways_is_unclear(string hex)
    {
        Assert.Equal(TableChange.Route, Apply(Answer(Appended)));
        Assert.Equal([3, 5], InterfacesWithDefault());
        Assert.Equal(TableChange.UnclearRoute, Apply(hex));
    }

    [Fact]
    public void A_default_route_is_known_however_many_others_there_are()
    {
        foreach (var number in Enumerable.Range(0, KnownRoutes.MaxNarrow)) Assert.Equal(TableChange.Route, Apply(NewRoute, Narrow(number)));
        Assert.Equal(TableChange.None, Apply(NewRoute, Narrow(KnownRoutes.MaxNarrow))); // no room
        Assert.Equal(TableChange.Route, Apply(NewRoute, new(IPAddress.Any, 0, RouteMessage.MainTable, RouteType.Unicast, [new(5, null)], 0, IsCloned: false)));
        Assert.Equal([5], InterfacesWithDefault());
        Assert.Equal(KnownRoutes.MaxNarrow, RoutesOf(3).Count);

        Assert.Equal(TableChange.None, Apply(DeleteRoute, Narrow(KnownRoutes.MaxNarrow)));
        Assert.Equal(TableChange.Route, Apply(DeleteRoute, Narrow(0)));
        Assert.Equal(TableChange.Route, Apply(NewRoute, Narrow(KnownRoutes.MaxNarrow)));
    }

    [Theory]
    [InlineData(RouteType.Local)]
    [InlineData(RouteType.Broadcast)]
    [InlineData(RouteType.Multicast)]
    public void A_route_that_leads_to_no_other_machine_takes_no_room(RouteType type) => Assert.Equal(TableChange.None, Apply(NewRoute, Narrow(0) with { Type = type }));

    [Fact]
    public void A_route_takes_the_place_of_another_one()
    {
        Assert.Equal(TableChange.Route, Apply(NewRoute, Narrow(1)));
        Assert.Equal(TableChange.Route, Apply(ReplacingRoute, new(Narrow(1).Destination, 32, 100, RouteType.Unicast, [new(5, null)], 0, IsCloned: false)));
        Assert.Empty(RoutesOf(3));
        Assert.Single(RoutesOf(5));
        Assert.Equal(TableChange.Route, Apply(ReplacingRoute, Narrow(1) with { Type = RouteType.Local }));
        Assert.Empty(RoutesOf(5));
    }

    // In a table of somebody's rules, which the kernel lists before the main one.
    private static RouteMessage Narrow(int number) => new(new IPAddress([10, 0, (byte)(number >> 8), (byte)number]), 32, 100, RouteType.Unicast, [new(3, null)], 0, IsCloned: false);

    private IReadOnlyList<RouteMessage> RoutesOf(int index) => _table.Snapshot().Single(state => state.Link.Index == index).Routes;

    private IEnumerable<int> InterfacesWithDefault() => _table.Snapshot().Where(state => state.Routes.Any(route => route.IsDefault)).Select(state => state.Link.Index);

    /// <summary>The same as a part of a dump.</summary>
    private static string Answer(string hex) => hex[..12] + "0200" + hex[16..];

    /// <summary>As the kernel tells of a route: its request to the kernel has the same parts.</summary>
    private TableChange Apply((NetlinkType Type, int Flags) kind, RouteMessage route)
    {
        var buffer = new byte[128];
        var length = route.WriteChange(buffer, sequence: 0, isDeletion: kind.Type == NetlinkType.DeleteRoute);
        BinaryPrimitives.WriteUInt16LittleEndian(buffer.AsSpan(6), (ushort)kind.Flags);
        return Apply(Convert.ToHexString(buffer.AsSpan(0, length)));
    }

    private TableChange Apply(string hex)
    {
        ReadOnlySpan<byte> datagram = Convert.FromHexString(hex);
        Assert.True(NetlinkMessage.TryRead(ref datagram, out var message));
        return _table.Apply(message);
    }
}

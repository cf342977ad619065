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

    private IEnumerable<int> InterfacesWithDefault() => _table.Snapshot().Where(state => state.Routes.Any(route => route.IsDefault)).Select(state => state.Link.Index);

    /// <summary>The same as a part of a dump.</summary>
    private static string Answer(string hex) => hex[..12] + "0200" + hex[16..];

    private TableChange Apply(string hex)
    {
        ReadOnlySpan<byte> datagram = Convert.FromHexString(hex);
        Assert.True(NetlinkMessage.TryRead(ref datagram, out var message));
        return _table.Apply(message);
    }
}

using System.Net;
using Xunit;

namespace Bondline.Linux.Tests.Rtnetlink;

/// <summary>RTM_NEWROUTE as Linux 6.18 sent it on a little-endian machine.</summary>
public sealed class RouteMessageTests
{
    // default via 10.1.0.1 dev 3 proto static src 10.1.0.2 metric 100
    private const string Gateway =
        "4400000018000200010000001700000002000000fe0400010000000008000f00fe0000000800060064000000080007000a010002080005000a0100010800040003000000";

    // 10.8.0.0/16 via inet6 2001:db8:1::1 dev 3
    private const string Via =
        "4c00000018000200010000001700000002100000fe0300010000000008000f00fe000000080001000a080000160012000a0020010db800010000000000000000000100000800040003000000";

    // 10.9.0.0/16 nexthop via 10.1.0.1 dev 3 nexthop via 10.2.0.1 dev 5
    private const string Multipath =
        "5000000018000200010000001700000002100000fe0300010000000008000f00fe000000080001000a090000240009001000000003000000080005000a0100011000000005000000080005000a020001";

    // default via 2001:db8:1::1 dev 3 metric 100
    private const string Gateway6 =
        "740000001800020001000000170000000a000000fe0300010000000008000f00fe00000008000600640000001400050020010db8000100000000000000000001080004000300000024000c00"
        + "00000000000000000000000000000000000000000000000000000000000000000500140000000000";

    [Fact]
    public void A_gateway_is_read_with_the_address_to_leave_from_and_who_made_the_route()
    {
        var route = Read(Gateway);
        Assert.True(route.IsDefault);
        Assert.Equal([new(3, IPAddress.Parse("10.1.0.1"))], route.NextHops);
        Assert.Equal(IPAddress.Parse("10.1.0.2"), route.PreferredSource);
        Assert.Equal((100u, RouteMessage.MainTable, (byte)4), (route.Metric, route.Table, route.Protocol));
    }

    [Fact]
    public void A_gateway_of_the_other_family_is_read()
    {
        var route = Read(Via);
        Assert.False(route.IsDefault);
        Assert.Equal((IPAddress.Parse("10.8.0.0"), 16), (route.Destination, route.PrefixLength));
        Assert.Equal([new(3, IPAddress.Parse("2001:db8:1::1"))], route.NextHops);
    }

    [Fact]
    public void Each_way_of_a_route_has_its_gateway()
    {
        var route = Read(Multipath);
        Assert.Equal([new(3, IPAddress.Parse("10.1.0.1")), new(5, IPAddress.Parse("10.2.0.1"))], route.NextHops);
        Assert.Equal([3, 5], route.Interfaces);
        Assert.Null(route.PreferredSource);
    }

    [Fact]
    public void An_IPv6_gateway_is_read()
    {
        var route = Read(Gateway6);
        Assert.True(route.IsDefault);
        Assert.Equal([new(3, IPAddress.Parse("2001:db8:1::1"))], route.NextHops);
    }

    [Theory]
    [InlineData(Gateway)]
    [InlineData(Via)]
    [InlineData(Multipath)]
    [InlineData(Gateway6)]
    public void Every_truncation_and_every_false_length_is_refused_or_harmless(string hex)
    {
        var payload = Convert.FromHexString(hex)[NetlinkMessage.HeaderLength..];
        for (var length = 0; length < payload.Length; length++) TryRead(payload[..length]);
        for (var position = 0; position < payload.Length; position++)
        {
            foreach (var value in new byte[] { 0, 1, 3, 0x7F, 0xFF })
            {
                var bent = (byte[])payload.Clone();
                bent[position] = value;
                TryRead(bent);
            }
        }

        static void TryRead(byte[] bytes)
        {
            try
            {
                RouteMessage.Read(bytes);
            }
            catch (NetlinkFormatException)
            {
                // refused
            }
        }
    }

    [Fact]
    public void A_query_for_a_bound_socket_is_written_as_the_kernel_reads_it()
    {
        var buffer = new byte[128];
        var length = RouteMessage.WriteQuery(buffer, IPAddress.Parse("198.41.0.4"), sequence: 7, output: 3, IPAddress.Parse("10.1.0.2"), isConfigured: true);
        Assert.Equal("340000001A000100070000000000000002202000000000000020000008000100C6290004080002000A0100020800040003000000", Convert.ToHexString(buffer.AsSpan(0, length)));
    }

    [Theory]
    [InlineData("0.0.0.0", "10.1.0.1", false, "3C00000018000506090000000000000002000000FE04000100000000080005000A0100010800040003000000080006004C04000008000F00FE000000")]
    [InlineData("0.0.0.0", null, false, "3400000018000506090000000000000002000000FE04FD01000000000800040003000000080006004C04000008000F00FE000000")]
    [InlineData("::", "2001:db8:1::1", true, "480000001900050009000000000000000A000000FE040001000000001400050020010DB80001000000000000000000010800040003000000080006004C04000008000F00FE000000")]
    public void A_default_route_is_written_as_the_kernel_reads_it(string destination, string? gateway, bool isDeletion, string expected)
    {
        var route = new RouteMessage(IPAddress.Parse(destination), 0, RouteMessage.MainTable, RouteType.Unicast, [new(3, gateway is null ? null : IPAddress.Parse(gateway))], 1100, IsCloned: false) { Protocol = 4 };
        var buffer = new byte[128];
        var length = route.WriteChange(buffer, sequence: 9, isDeletion);
        Assert.Equal(expected, Convert.ToHexString(buffer.AsSpan(0, length)));
        var read = RouteMessage.Read(buffer.AsSpan(NetlinkMessage.HeaderLength, length - NetlinkMessage.HeaderLength))!;
        Assert.Equal(route.NextHops, read.NextHops);
        Assert.Equal((route.Destination, route.Metric, route.Protocol), (read.Destination, read.Metric, read.Protocol));
    }

    [Fact]
    public void What_leads_several_ways_is_not_written()
    {
        Assert.Throws<InvalidOperationException>(() => Read(Multipath).WriteChange(new byte[128], 1, isDeletion: false));
        Assert.Throws<InvalidOperationException>(() => Read(Via).WriteChange(new byte[128], 1, isDeletion: false));
    }

    [Fact]
    public void The_kernel_knows_of_no_way_into_the_world_over_loopback()
    {
        Assert.Null(RouteQuery.Find(WayOut.WorldOf(System.Net.Sockets.AddressFamily.InterNetwork), output: 1, IPAddress.Loopback, isConfigured: true));
        Assert.NotNull(RouteQuery.Find(IPAddress.Loopback));
    }

    private static RouteMessage Read(string hex) => RouteMessage.Read(Convert.FromHexString(hex).AsSpan(NetlinkMessage.HeaderLength))!;
}

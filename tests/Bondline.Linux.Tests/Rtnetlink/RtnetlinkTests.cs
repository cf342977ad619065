using System.Net;
using Xunit;

namespace Bondline.Linux.Tests.Rtnetlink;

/// <summary>Bytes as Linux 6.18 sent them on a little-endian machine.</summary>
public sealed class RtnetlinkTests
{
    // RTM_NEWADDR: fd00::2/64 of interface 4, permanent.
    private const string Address = "4800000014000200010000007b6900000a4082000400000014000100fd00000000000000000000000000000214000600ffffffffffffffff15000000150000000800080082000000";

    // RTM_NEWROUTE: default in table main through interface 4.
    private const string Route = "3400000018000200010000007b69000002000000fe0300010000000008000f00fe00000008000500c00002010800040004000000";

    // RTM_NEWLINK, cut down to name, master and kind: a veth that is a port of a bridge.
    private const string Link = "44000000100000000000000000000000000001000500000043100100000000000a000300766574683100000008000a000300000010001200090001007665746800000000";

    // The same of AF_BRIDGE, as the port joined (cut down to name and master) and as it left.
    private const string PortJoined = "34000000100000000000000000000000070001000500000043100100000000000a000300766574683100000008000a0003000000";
    private const string PortLeft = "58000000110000000000000000000000070001000500000043100100000000000a000300766574683100000008000a000300000008000400dc05000005001000060000000a000100aad39cba0d3100000800050002000000";

    [Fact]
    public void An_address_is_read_from_the_kernels_bytes()
    {
        var address = AddressMessage.Read(Message(Address, NetlinkType.NewAddress))!.Value;
        Assert.Equal(4, address.InterfaceIndex);
        Assert.Equal(IPAddress.Parse("fd00::2"), address.Address);
        Assert.Equal(64, address.PrefixLength);
        Assert.True(address.IsUsable);
    }

    [Fact]
    public void A_route_is_read_from_the_kernels_bytes()
    {
        var route = RouteMessage.Read(Message(Route, NetlinkType.NewRoute))!;
        Assert.Equal(IPAddress.Any, route.Destination);
        Assert.Equal(0, route.PrefixLength);
        Assert.Equal(254u, route.Table);
        Assert.Equal(RouteType.Unicast, route.Type);
        Assert.Equal([4], route.Interfaces);
        Assert.True(route.Covers(IPAddress.Parse("203.0.113.9")));
        Assert.False(route.Covers(IPAddress.IPv6Loopback));
    }

    [Fact]
    public void A_link_is_read_with_its_kind()
    {
        var link = LinkMessage.Read(Message(Link, NetlinkType.NewLink))!.Value;
        Assert.Equal(5, link.Index);
        Assert.Equal("veth1", link.Name);
        Assert.Equal("veth", link.Kind);
        Assert.True(link.IsUp);
        Assert.True(link.HasCarrier);
    }

    [Theory]
    [InlineData(PortJoined)]
    [InlineData(PortLeft)]
    public void What_a_bridge_says_of_a_port_changes_no_link(string hex)
    {
        var table = new InterfaceTable();
        Assert.Equal(TableChange.Link, Apply(table, Link));
        Assert.Equal(TableChange.None, Apply(table, hex));
        Assert.Equal("veth", Assert.Single(table.Snapshot()).Link.Kind);
    }

    [Theory]
    [InlineData(Address)]
    [InlineData(Route)]
    [InlineData(Link)]
    public void Every_truncation_and_every_false_length_is_refused_or_harmless(string hex)
    {
        var whole = Convert.FromHexString(hex);
        for (var length = 0; length < whole.Length; length++) Read(whole[..length]);
        for (var position = 0; position < whole.Length; position++)
        {
            foreach (var value in new byte[] { 0, 1, 3, 0x7F, 0xFF })
            {
                var bent = (byte[])whole.Clone();
                bent[position] = value;
                Read(bent);
            }
        }

        static void Read(byte[] bytes)
        {
            var table = new InterfaceTable();
            ReadOnlySpan<byte> datagram = bytes;
            try
            {
                while (NetlinkMessage.TryRead(ref datagram, out var message)) table.Apply(message);
                table.Snapshot();
            }
            catch (NetlinkFormatException)
            {
                // refused
            }
        }
    }

    [Fact]
    public void A_route_query_is_written_as_the_kernel_reads_it()
    {
        var buffer = new byte[64];
        var length = RouteMessage.WriteQuery(buffer, IPAddress.Parse("192.0.2.1"), sequence: 7);
        Assert.Equal("240000001A000100070000000000000002200000000000000000000008000100C0000201", Convert.ToHexString(buffer.AsSpan(0, length)));
    }

    [Fact]
    public void A_query_for_an_interface_is_written_as_the_kernel_reads_it()
    {
        var buffer = new byte[64];
        var length = LinkMessage.WriteQuery(buffer, sequence: 7, index: 3);
        Assert.Equal("2000000012000500070000000000000000000000030000000000000000000000", Convert.ToHexString(buffer.AsSpan(0, length)));
    }

    [Theory]
    [InlineData(1, "lo")] // the first in every network namespace
    [InlineData(0, null)]
    [InlineData(-1, null)]
    [InlineData(int.MaxValue, null)]
    public void An_interface_is_found_by_its_number(int index, string? name) => Assert.Equal(name, InterfaceQuery.FindName(index));

    [Theory]
    [InlineData("10.1.0.0", 16, "10.1.255.255", true)]
    [InlineData("10.1.0.0", 16, "10.2.0.0", false)]
    [InlineData("10.1.128.0", 17, "10.1.127.1", false)]
    [InlineData("10.1.128.0", 17, "10.1.128.1", true)]
    [InlineData("2001:db8::", 32, "2001:db8:ffff::1", true)]
    [InlineData("2001:db8::", 32, "10.0.0.1", false)]
    public void A_route_covers_its_prefix(string destination, int prefix, string address, bool covers)
    {
        var route = new RouteMessage(IPAddress.Parse(destination), prefix, 254, RouteType.Unicast, [new(1, null)], 0, IsCloned: false);
        Assert.Equal(covers, route.Covers(IPAddress.Parse(address)));
    }

    [Fact]
    public async Task The_monitor_begins_with_everything_loopback_included()
    {
        using var monitor = new InterfaceMonitor();
        var interfaces = await monitor.NextAsync(CancellationToken.None).AsTask().WaitAsync(TimeSpan.FromSeconds(10));
        var loopback = Assert.Single(interfaces, found => found.Link.IsLoopback);
        Assert.Equal("lo", loopback.Link.Name);
        Assert.Equal(interfaces.Count, interfaces.Select(found => found.Link.Index).Distinct().Count());
    }

    [Fact]
    public void The_system_says_that_a_loopback_address_is_local()
    {
        var route = RouteQuery.Find(IPAddress.Loopback)!;
        Assert.Equal(RouteType.Local, route.Type);
        Assert.NotEmpty(route.Interfaces);
    }

    private static TableChange Apply(InterfaceTable table, string hex)
    {
        ReadOnlySpan<byte> datagram = Convert.FromHexString(hex);
        Assert.True(NetlinkMessage.TryRead(ref datagram, out var message));
        return table.Apply(message);
    }

    private static byte[] Message(string hex, NetlinkType type)
    {
        ReadOnlySpan<byte> datagram = Convert.FromHexString(hex);
        Assert.True(NetlinkMessage.TryRead(ref datagram, out var message));
        Assert.Equal(type, message.Type);
        Assert.True(datagram.IsEmpty);
        return message.Payload.ToArray();
    }
}

using System.Net;
using Xunit;

namespace Bondline.Linux.Tests.Multipath;

/// <summary>Events as Linux 6.18 sent them on a little-endian machine.</summary>
public sealed class MultipathEventTests
{
    private const int Family = 28;

    private const string Listener = "2c0000001c00000000000000000000000f01000006000200020000000600090015b30000080005007f000004";
    private const string CreatedByServer = "640000001c000000000000000000000001010000080001003ec2fa02050012000100000006000d00020000000600020002000000080005007f000001080007007f000001060009001770000006000a00e184000005000300000000000500040000000000";
    private const string Announced = "340000001c0000000000000000000000060100000800010071341d27050004000200000006000a0015b30000080007007f000004";
    private const string Removed = "240000001c000000000000000000000007010000080001003ec2fa020500040001000000";
    private const string SubflowEstablished = "640000001c00000000000000000000000a0100000800010071341d270600020002000000080005007f000003080007007f00000106000900aa45000006000a00177000000500030001000000050004000000000005000b000000000008000f0001000000";
    private const string SubflowRefused = "6c0000001c00000000000000000000000b010000080001003ec2fa020600020002000000080005007f000005080007007f00000106000900ce4f000006000a00e18400000500030004000000050004000000000005000b000000000008000f000100000005000c006f000000";
    private const string Closed = "1c0000001c0000000000000000000000030100000800010071341d27";

    [Fact]
    public void A_subflow_is_read_from_the_kernels_bytes() => Assert.Equal(
        new()
        {
            Kind = MultipathEventKind.SubflowEstablished,
            Token = 0x271D3471,
            Local = IPEndPoint.Parse("127.0.0.3:43589"),
            Remote = IPEndPoint.Parse("127.0.0.1:6000"),
            LocalId = 1,
            RemoteId = 0,
            IsBackup = false,
            InterfaceIndex = 1,
        },
        Single(SubflowEstablished));

    [Fact]
    public void A_subflow_that_could_not_be_opened_says_why()
    {
        var closed = Single(SubflowRefused);
        Assert.Equal(MultipathEventKind.SubflowClosed, closed.Kind);
        Assert.Equal(111, closed.Error);
    }

    [Fact]
    public void A_connection_says_who_called()
    {
        var created = Single(CreatedByServer);
        Assert.Equal(MultipathEventKind.Created, created.Kind);
        Assert.True(created.IsServerSide);
        Assert.Equal(MultipathEventFlags.ServerSide, created.Flags);
        Assert.Equal(6000, created.Local!.Port);
    }

    [Fact]
    public void The_short_events_have_what_they_have()
    {
        Assert.Equal(new() { Kind = MultipathEventKind.Announced, Token = 0x271D3471, RemoteId = 2, Remote = IPEndPoint.Parse("127.0.0.4:5555") }, Single(Announced));
        Assert.Equal(new() { Kind = MultipathEventKind.Removed, Token = 0x02FAC23E, RemoteId = 1 }, Single(Removed));
        Assert.Equal(new() { Kind = MultipathEventKind.Closed, Token = 0x271D3471 }, Single(Closed));
        Assert.Equal(new() { Kind = MultipathEventKind.ListenerCreated, Local = IPEndPoint.Parse("127.0.0.4:5555") }, Single(Listener));
    }

    [Fact]
    public void A_reset_by_the_peer_has_its_reason()
    {
        // A subflow closed with MPTCP_ATTR_RESET_REASON 6 (a middlebox) and MPTCP_ATTR_RESET_FLAGS 1 (transient), and attribute 99.
        var closed = MultipathEvent.Read(Convert.FromHexString("0b010000" + "080001003ec2fa02" + "0800100006000000" + "0800110001000000" + "0800630001020304"));
        Assert.Equal(6, closed.ResetReason);
        Assert.Equal(1, closed.ResetFlags);
    }

    [Fact]
    public void Several_events_in_a_datagram_are_read_in_order_and_other_families_passed_over()
    {
        var events = Read(Convert.FromHexString(Announced + Closed.Replace("1c0000001c00", "1c0000001d00", StringComparison.Ordinal) + Removed));
        Assert.Equal([MultipathEventKind.Announced, MultipathEventKind.Removed], events.Select(one => one.Kind));
    }

    [Fact]
    public void What_is_cut_short_is_told_as_lost()
    {
        var events = Read(Convert.FromHexString(Announced + Removed)[..60]);
        Assert.Equal([MultipathEventKind.Announced, MultipathEventKind.Lost], events.Select(one => one.Kind));
        Assert.Equal([MultipathEventKind.Lost], Read(Convert.FromHexString("10000000040000000000000000000000")).Select(one => one.Kind)); // NLMSG_OVERRUN
    }

    [Theory]
    [InlineData(Listener)]
    [InlineData(CreatedByServer)]
    [InlineData(SubflowRefused)]
    public void Every_truncation_and_every_false_length_is_told_or_harmless(string hex)
    {
        var whole = Convert.FromHexString(hex);
        for (var length = 1; length < whole.Length; length++) Assert.Equal(MultipathEventKind.Lost, Assert.Single(Read(whole[..length])).Kind);
        for (var position = 0; position < whole.Length; position++)
        {
            foreach (var value in new byte[] { 0, 1, 3, 0x7F, 0xFF })
            {
                var bent = (byte[])whole.Clone();
                bent[position] = value;
                Read(bent);
            }
        }
    }

    private static MultipathEvent Single(string hex) => Assert.Single(Read(Convert.FromHexString(hex)));

    private static List<MultipathEvent> Read(byte[] datagram)
    {
        var events = new List<MultipathEvent>();
        MultipathEvent.ReadAll(datagram, Family, events);
        return events;
    }
}

using System.Net;
using Xunit;

namespace Bondline.Linux.Tests.SocketDiagnostics;

/// <summary>Messages of sock_diag as Linux 6.18 sent them on a little-endian machine, without the netlink header.</summary>
public sealed class InetSocketTests
{
    // A client's MPTCP connection with one further subflow, which is a backup; asked for as root.
    private const string Connection = "02010000e18417707f0000010000000000000000000000007f0000010000000000000000000000000000000058000000000000000000000000000000000000000000000064b50000050008000000000008000f0000000000"
        + "0c001500010000000000000006001600520000006400020001000004000400000200000071341d27d5de412eca6b620fd5de412eca6b620fb27095fbc839834b01010000000000000000000000000000f401000000000000"
        + "f401000000000000f4010000000000000200000028040000280400002c010000";
    private const string First = "02010000e18417707f0000010000000000000000000000007f000001000000000000000000000000000000005f000000000000000000000000000000000000000000000064b50000050008000000000008000f0000000000"
        + "0c001500010000000000000006001600520000001c010200010000000007aa00e01c0300409c0000008000001802000000000000000000000000000000000000000000002c040000000000002c04000010020000ffff0000"
        + "d7ff0000310000001d000000080000000a000000cbff00000300000000000000d7ff00000000000041201d8a00000000fffffffffffffffff501000000000000f401000000000000100000000a000000000000000e000000"
        + "050000000500000076604e1c000000000000000000000000000000000000000000000000000000000600000000000000f4010000000000000000000000000000000000000000000000000000000001000000010000000000"
        + "00000000000000000000000000000000000000000000000000000000000000000000000000000000680013000a0001006d707463700000005800030008000100000000000800020071341d2708000800c300000005000900"
        + "0000000005000a000000000008000300f50100000c0004004e7095fbc839834b080005009101000008000600fcae13c20600070064000000";
    private const string Further = "02010000e4c917707f0000050000000000000000000000007f0000010000000000000000000000000100000067000000000000000000000000000000000000000000000064b50000050008000000000008000f0000000000"
        + "0c001500010000000000000006001600520000001c010200010000000007aa01e01c0300000000000080000018020000000000000000000000000000000000000000000030010000000000003001000030010000ffff0000"
        + "d7ff00002300000011000000ffffff7f0a000000cbff00000300000000000000d7ff000000000000c415783906000000ffffffffffffffff0100000000000000000000000000000002000000020000000000000023000000"
        + "00000000000000000000000000000000000000000000000000000000000000000000000000000000010000000000000000000000000000000000000000000000000000000000000000000000000001000000010000000000"
        + "00000000000000000000000000000000000000000000000000000000000000000000000000000000680013000a0001006d7074637000000058000300080001003ec2fa020800020071341d2708000800ec00000005000900"
        + "0000000005000a000400000008000300010000000c000400b27095fbc839834b08000500000000000800060077fc49820600070000000000";

    // A connection that fell back, on a socket of IPv6 that speaks IPv4; asked for without rights.
    private const string FallenBack = "0a010000830c177100000000000000000000ffff7f00000100000000000000000000ffff7f000001000000000b100000000000000000000000000000000000000000000020ac010005000800000000000c00150001000000"
        + "00000000060016001200000064000200000000020000000001000000c003dc0ad5e46fcab8d2bbd8d5e46fcab8d2bbd800000000000000000000000000000000000000000000000001000000000000000000000000000000"
        + "020000000000000001000000680000006800000068000000";
    private const string FallenBackSubflow = "0a010000830c177100000000000000000000ffff7f00000100000000000000000000ffff7f000001000000000d100000000000000000000000000000000000000000000020ac010005000800000000000c00150001000000"
        + "0000000006001600120000001c010200010000000007aa01e01c030000000000008000001802000000000000000000000000000000000000000000006c000000000000006c0000006c000000ffff0000d7ff00000e000000"
        + "07000000ffffff7f0b000000cbff00000300000000000000d7ff000000000000c93218860e000000ffffffffffffffff02000000000000000000000000000000030000000200000000000000080000000000000001000000"
        + "000024f4000000000000000000000000000000000000000000000000000000000200000000000000010000000000000000000000000000000000000000000000000000000000010000000100000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000008000400626272003c0013000a0001006d707463700000002c000300080001000000000008000200c003dc0a080008008200000005000900"
        + "0000000005000a0000000000";

    // Of another connection: its token is the one above plus one.
    private const string Stranger = "0a010000830c177100000000000000000000ffff7f00000100000000000000000000ffff7f000001000000000d100000000000000000000000000000000000000000000020ac010005000800000000000c00150001000000"
        + "0000000006001600120000001c010200010000000007aa01e01c030000000000008000001802000000000000000000000000000000000000000000006c000000000000006c0000006c000000ffff0000d7ff00000e000000"
        + "07000000ffffff7f0b000000cbff00000300000000000000d7ff000000000000c93218860e000000ffffffffffffffff02000000000000000000000000000000030000000200000000000000080000000000000001000000"
        + "000024f4000000000000000000000000000000000000000000000000000000000200000000000000010000000000000000000000000000000000000000000000000000000000010000000100000000000000000000000000"
        + "000000000000000000000000000000000000000000000000000000000000000008000400626272003c0013000a0001006d707463700000002c000300080001000000000008000200c103dc0a080008008200000005000900"
        + "0000000005000a0000000000";

    [Fact]
    public void A_connection_is_read_from_the_kernels_bytes()
    {
        var socket = Multipath(Connection);
        Assert.Equal(SocketState.Established, socket.State);
        Assert.Equal(IPEndPoint.Parse("127.0.0.1:57732"), socket.Local);
        Assert.Equal(IPEndPoint.Parse("127.0.0.1:6000"), socket.Remote);
        Assert.Equal(46436u, socket.Inode);
        Assert.Equal(
            new MultipathInfo(0x271D3471, HasFallenBack: false, Subflows: 1, MaxSubflows: 4, AnnouncedAddresses: 0, AcceptedAddresses: 0)
            {
                Retransmits = 0,
                BytesRetransmitted = 0,
                BytesSent = 500,
                BytesReceived = 500,
                BytesAcked = 500,
                SubflowsInAll = 2,
            },
            socket.Multipath);
    }

    [Fact]
    public void A_subflow_is_read_from_the_kernels_bytes()
    {
        var socket = Tcp(Further);
        Assert.Equal(IPEndPoint.Parse("127.0.0.5:58569"), socket.Local);
        Assert.Equal(1, socket.InterfaceIndex);
        Assert.True(socket.IsSubflow);
        Assert.Equal(TimeSpan.FromMicroseconds(35), socket.Tcp!.Value.Rtt);
        Assert.Equal(10, socket.Tcp.Value.CongestionWindow);
        Assert.Equal(32768, socket.Tcp.Value.SegmentBytes);
        Assert.Equal(
            new MultipathSubflowInfo(
                0x271D3471, 0x02FAC23E,
                MultipathSubflowFlags.JoinedByPeer | MultipathSubflowFlags.JoinAskedFor | MultipathSubflowFlags.BackupOfOurs | MultipathSubflowFlags.FullyEstablished | MultipathSubflowFlags.Connected,
                LocalId: 4, RemoteId: 0)
            {
                RelativeWriteSequence = 1,
                MapSequence = 0x4B8339C8FB9570B2,
                MapSubflowSequence = 0,
                SubflowSequenceOffset = 0x8249FC77,
                MapLength = 0,
            },
            socket.Subflow);
        Assert.True(socket.Subflow!.IsBackup);
        Assert.Equal(500, Tcp(First).Tcp!.Value.BytesSent);
        Assert.Equal(500, Tcp(First).Tcp!.Value.BytesReceived);
    }

    [Fact]
    public void Without_rights_what_is_secret_is_missing_and_IPv4_is_shown_as_IPv4()
    {
        var socket = Tcp(FallenBackSubflow);
        Assert.Equal(IPEndPoint.Parse("127.0.0.1:33548"), socket.Local);
        Assert.Equal("bbr", socket.CongestionControl);
        Assert.Equal(new(0x0ADC03C0, 0, MultipathSubflowFlags.AskedFor | MultipathSubflowFlags.Connected, 0, 0), socket.Subflow);
        Assert.False(socket.Subflow!.IsBackup);
    }

    [Fact]
    public void Subflows_are_put_to_their_connections()
    {
        var connections = MultipathConnection.Join([Multipath(FallenBack), Multipath(Connection)], [Tcp(Further), Tcp(Stranger), Tcp(FallenBackSubflow), Tcp(First)]);
        Assert.Equal(2, connections.Count);
        Assert.Equal(0x0ADC03C0u, connections[0].Info.Token);
        Assert.Equal(0x0ADC03C0u, Assert.Single(connections[0].Subflows).Subflow!.LocalToken);
        Assert.Equal([57732, 58569], connections[1].Subflows.Select(subflow => subflow.Local.Port));
    }

    [Fact]
    public void Where_the_kernel_shows_no_tokens_subflows_are_found_by_inode()
    {
        var connection = Assert.Single(MultipathConnection.Join([Multipath(Connection)], [Bare(Further), Bare(First)]));
        Assert.Equal(2, connection.Subflows.Count);
        Assert.Empty(Assert.Single(MultipathConnection.Join([Multipath(Connection) with { Inode = 0 }], [Tcp(First) with { Subflow = null, Inode = 0 }])).Subflows);
    }

    [Theory]
    [InlineData(MultipathSubflowFlags.AskedFor | MultipathSubflowFlags.Connected, MultipathFallback.NotAgreed)]
    [InlineData(MultipathSubflowFlags.Connected, MultipathFallback.NotAskedFor)]
    [InlineData(MultipathSubflowFlags.AskedFor | MultipathSubflowFlags.AgreedByPeer | MultipathSubflowFlags.Connected, MultipathFallback.AfterHandshake)]
    [InlineData(null, MultipathFallback.Unknown)]
    public void Why_a_connection_fell_back_follows_from_its_subflow(MultipathSubflowFlags? flags, MultipathFallback reason)
    {
        var subflow = Tcp(FallenBackSubflow);
        subflow = subflow with { Subflow = flags is { } known ? subflow.Subflow! with { Flags = known } : null };
        Assert.Equal(reason, Assert.Single(MultipathConnection.Join([Multipath(FallenBack)], [subflow])).Fallback);
        Assert.Equal(MultipathFallback.None, Assert.Single(MultipathConnection.Join([Multipath(Connection)], [Tcp(First)])).Fallback);
    }

    [Fact]
    public void Questions_are_written_as_the_kernel_reads_them()
    {
        var buffer = new byte[128];
        var zeros = new string('0', 96);
        Assert.Equal("50000000140001031e0000000000000002000a003f0b0000" + zeros + "0800030006010000", Convert.ToHexStringLower(buffer.AsSpan(0, SocketQuery.Write(buffer, 30, 2, SocketQuery.Multipath))));
        Assert.Equal("48000000140001031f000000000000000a060a003f0b00001f90" + zeros[4..], Convert.ToHexStringLower(buffer.AsSpan(0, SocketQuery.Write(buffer, 31, 10, SocketQuery.Tcp, localPort: 8080))));
    }

    [Fact]
    public void What_older_kernels_tell_of_a_connection_is_read()
    {
        var structure = Convert.FromHexString(Connection)[^96..];
        for (var length = 0; length < MultipathInfo.MinLength; length++) Assert.False(MultipathInfo.TryParse(structure.AsSpan(0, length), out _));
        Assert.True(MultipathInfo.TryParse(structure.AsSpan(0, MultipathInfo.MinLength), out var info));
        Assert.Equal(new MultipathInfo(0x271D3471, false, 1, 4, 0, 0), info);

        Assert.True(MultipathInfo.TryParse(structure.AsSpan(0, 80), out info)); // Linux 6.5 to 6.7
        Assert.Equal((500L, 500L, 500L, null), (info.BytesSent, info.BytesReceived, info.BytesAcked, info.SubflowsInAll));
        Assert.True(MultipathInfo.TryParse(structure.AsSpan(0, 88), out info));
        Assert.Equal((500L, 2), (info.BytesAcked, info.SubflowsInAll));
    }

    [Theory]
    [InlineData(Connection)]
    [InlineData(Further)]
    [InlineData(FallenBackSubflow)]
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
            foreach (var isMultipath in new[] { true, false })
            {
                try
                {
                    if (InetSocket.Read(bytes, isMultipath) is { } socket) MultipathConnection.Join([socket], [socket]);
                }
                catch (NetlinkFormatException)
                {
                    // refused
                }
            }
        }
    }

    private static InetSocket Bare(string hex) => Tcp(hex) with { Subflow = null, IsSubflow = false };

    private static InetSocket Multipath(string hex) => InetSocket.Read(Convert.FromHexString(hex), isMultipath: true)!;

    private static InetSocket Tcp(string hex) => InetSocket.Read(Convert.FromHexString(hex), isMultipath: false)!;
}

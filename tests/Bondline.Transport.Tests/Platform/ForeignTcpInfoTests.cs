using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Transport.Tests.Platform;

/// <summary>What macOS and Windows say of a connection is read where their headers put it: the structures are written out here as there, and laid out by C's rules.</summary>
public sealed class ForeignTcpInfoTests
{
    [Fact]
    public void Windows_structure_is_read_where_mstcpip_has_it()
    {
        var written = new TcpInfoV0
        {
            State = 4,
            Mss = 1460,
            ConnectionTimeMs = 777_777,
            TimestampsEnabled = 1,
            RttUs = 10_200,
            MinRttUs = 9_900,
            BytesInFlight = 40_000,
            Cwnd = 60_000,
            SndWnd = 65_535,
            RcvWnd = 65_534,
            RcvBuf = 65_533,
            BytesOut = 5_000_000_000,
            BytesIn = 6_000_000_000,
            BytesReordered = 11,
            BytesRetrans = 1460,
            FastRetrans = 12,
            DupAcksIn = 13,
            TimeoutEpisodes = 2,
            SynRetrans = 1,
        };
        Assert.Equal(Bondline.Windows.TcpInfo.Length, Unsafe.SizeOf<TcpInfoV0>());
        Assert.True(Bondline.Windows.TcpInfo.TryParse(Bytes(written), out var read));
        Assert.Equal(new(TimeSpan.FromMicroseconds(10_200), TimeSpan.FromMicroseconds(9_900), 40_000, 5_000_000_000, 1460, 2), read);
        Assert.Equal(
            new TcpSample(TimeSpan.FromMicroseconds(10_200), TimeSpan.Zero, TimeSpan.FromMicroseconds(9_900), 0, false, TimeSpan.Zero, 2, 1460, 4_999_960_000, 0),
            WindowsNetworkPlatform.Sample(read));

        Assert.False(Bondline.Windows.TcpInfo.TryParse(Bytes(written)[1..], out _));
        Assert.True(Bondline.Windows.TcpInfo.TryParse(Bytes(written with { MinRttUs = uint.MaxValue, BytesOut = ulong.MaxValue, TimeoutEpisodes = uint.MaxValue }), out read));
        Assert.Equal((TimeSpan.Zero, long.MaxValue, int.MaxValue), (read.MinRtt, read.BytesSent, read.TimeoutEpisodes));
    }

    [Fact]
    public void MacOS_structure_is_read_where_netinet_has_it()
    {
        var written = new TcpConnectionInfo
        {
            State = 4,
            SendScale = 7,
            ReceiveScale = 6,
            Options = 1,
            Flags = 2,
            Rto = 230,
            MaxSegment = 1448,
            SlowStartThreshold = 1_073_725_440,
            CongestionWindow = 60_000,
            SendWindow = 65_535,
            SendBuffer = 50_000,
            ReceiveWindow = 65_534,
            RttCurrent = 9,
            Rtt = 12,
            RttVariation = 4,
            FastOpen = 3,
            TxPackets = 1000,
            TxBytes = 5_000_000_000,
            TxRetransmitBytes = 4_200,
            RxPackets = 900,
            RxBytes = 6_000_000_000,
            RxOutOfOrderBytes = 77,
            TxRetransmitPackets = 3,
        };
        Assert.Equal(Bondline.MacOS.TcpInfo.Length, Unsafe.SizeOf<TcpConnectionInfo>());
        Assert.True(Bondline.MacOS.TcpInfo.TryParse(Bytes(written), out var read));
        Assert.Equal(new(TimeSpan.FromMilliseconds(12), TimeSpan.FromMilliseconds(4), 50_000, 5_000_000_000, 4_200), read);
        Assert.Equal(
            new TcpSample(TimeSpan.FromMilliseconds(12), TimeSpan.FromMilliseconds(4), TimeSpan.Zero, 0, false, TimeSpan.Zero, 0, 4_200, 4_999_945_800, 0),
            MacNetworkPlatform.Sample(read));

        Assert.False(Bondline.MacOS.TcpInfo.TryParse(Bytes(written)[1..], out _));
        Assert.True(Bondline.MacOS.TcpInfo.TryParse(Bytes(written with { TxBytes = 10 }), out read));
        Assert.Equal(0, MacNetworkPlatform.Sample(read).BytesAcked);
    }

    [Fact]
    public void Windows_takes_an_interface_in_network_order_for_IPv4_and_in_the_machines_for_IPv6()
    {
        var value = new byte[4];
        Bondline.Windows.SocketOptions.WriteInterface(value, AddressFamily.InterNetwork, 0x0102);
        Assert.Equal([0, 0, 1, 2], value);
        Bondline.Windows.SocketOptions.WriteInterface(value, AddressFamily.InterNetworkV6, 0x0102);
        Assert.Equal([2, 1, 0, 0], value);
    }

    private static byte[] Bytes<T>(T structure) where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in structure)).ToArray();

    [StructLayout(LayoutKind.Sequential)]
    private record struct TcpInfoV0
    {
        public int State;
        public uint Mss;
        public ulong ConnectionTimeMs;
        public byte TimestampsEnabled;
        public uint RttUs, MinRttUs, BytesInFlight, Cwnd, SndWnd, RcvWnd, RcvBuf;
        public ulong BytesOut, BytesIn;
        public uint BytesReordered, BytesRetrans, FastRetrans, DupAcksIn, TimeoutEpisodes;
        public byte SynRetrans;
    }

    [StructLayout(LayoutKind.Sequential)]
    private record struct TcpConnectionInfo
    {
        public byte State, SendScale, ReceiveScale, Padding;
        public uint Options, Flags, Rto, MaxSegment, SlowStartThreshold, CongestionWindow, SendWindow, SendBuffer, ReceiveWindow, RttCurrent, Rtt, RttVariation, FastOpen;
        public ulong TxPackets, TxBytes, TxRetransmitBytes, RxPackets, RxBytes, RxOutOfOrderBytes, TxRetransmitPackets;
    }
}

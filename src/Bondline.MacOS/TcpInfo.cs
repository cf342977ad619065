using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Bondline.MacOS;

/// <summary>What macOS knows of a TCP connection: the parts of <c>struct tcp_connection_info</c> (netinet/tcp.h) that we use.</summary>
/// <param name="Rtt">Smoothed round-trip time; whole milliseconds.</param>
/// <param name="RttVariation">Its mean deviation; whole milliseconds.</param>
/// <param name="UnsentAndInFlightBytes">In the send buffer, those in flight included.</param>
/// <param name="BytesSent">Since the connection began, what was sent again included.</param>
/// <param name="BytesRetransmitted">Since the connection began.</param>
public readonly record struct TcpInfo(TimeSpan Rtt, TimeSpan RttVariation, long UnsentAndInFlightBytes, long BytesSent, long BytesRetransmitted)
{
    /// <summary>Of the structure.</summary>
    public const int Length = 112;

    private const int Tcp = 6, ConnectionInfo = 0x106;

    /// <summary>One getsockopt.</summary>
    /// <returns>False if the system does not say (the socket is closed).</returns>
    public static bool TryRead(Socket socket, out TcpInfo info)
    {
        ArgumentNullException.ThrowIfNull(socket);
        Span<byte> structure = stackalloc byte[Length];
        try
        {
            if (socket.GetRawSocketOption(Tcp, ConnectionInfo, structure) == Length) return TryParse(structure, out info);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // closed while we looked
        }

        info = default;
        return false;
    }

    /// <summary>Reads the structure as macOS lays it out, in host byte order.</summary>
    /// <returns>False if <paramref name="structure"/> is shorter than <see cref="Length"/>.</returns>
    public static bool TryParse(ReadOnlySpan<byte> structure, out TcpInfo info)
    {
        info = default;
        if (structure.Length < Length) return false;
        // state 0, snd_wscale 1, rcv_wscale 2, options 4, flags 8, rto 12, maxseg 16, snd_ssthresh 20, snd_cwnd 24, snd_wnd 28, snd_sbbytes 32, rcv_wnd 36,
        // rttcur 40, srtt 44, rttvar 48, bits of TCP Fast Open 52; then 8 bytes each: txpackets 56, txbytes 64, txretransmitbytes 72, rxpackets 80,
        // rxbytes 88, rxoutoforderbytes 96, txretransmitpackets 104
        info = new(
            TimeSpan.FromMilliseconds(MemoryMarshal.Read<uint>(structure[44..])),
            TimeSpan.FromMilliseconds(MemoryMarshal.Read<uint>(structure[48..])),
            MemoryMarshal.Read<uint>(structure[32..]),
            (long)Math.Min(MemoryMarshal.Read<ulong>(structure[64..]), long.MaxValue),
            (long)Math.Min(MemoryMarshal.Read<ulong>(structure[72..]), long.MaxValue));
        return true;
    }
}

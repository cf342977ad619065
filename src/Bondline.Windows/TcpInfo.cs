using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Bondline.Windows;

/// <summary>What Windows knows of a TCP connection: the parts of <c>TCP_INFO_v0</c> (mstcpip.h, Windows 10 1703) that we use. Version 1 adds only what limited the sender.</summary>
/// <param name="Rtt">Smoothed round-trip time.</param>
/// <param name="MinRtt">The least sampled.</param>
/// <param name="BytesInFlight">Sent and not acknowledged.</param>
/// <param name="BytesSent">Since the connection began.</param>
/// <param name="BytesRetransmitted">Since the connection began.</param>
/// <param name="TimeoutEpisodes">How often the retransmission timer ran out, its doublings not counted.</param>
public readonly record struct TcpInfo(TimeSpan Rtt, TimeSpan MinRtt, long BytesInFlight, long BytesSent, long BytesRetransmitted, int TimeoutEpisodes)
{
    /// <summary>Of the structure: it ends with one byte at 84 and is padded to a multiple of 8.</summary>
    public const int Length = 88;

    private const int Query = unchecked((int)0xD800_0027); // SIO_TCP_INFO: _WSAIORW(IOC_VENDOR, 39)

    private static readonly byte[] Version0 = new byte[4];

    /// <summary>One WSAIoctl.</summary>
    /// <returns>False if the system does not say (too old, or the socket is closed).</returns>
    public static bool TryRead(Socket socket, out TcpInfo info)
    {
        ArgumentNullException.ThrowIfNull(socket);
        var structure = new byte[Length];
        try
        {
            if (socket.IOControl(Query, Version0, structure) == Length) return TryParse(structure, out info);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // closed while we looked, or not connected
        }

        info = default;
        return false;
    }

    /// <summary>Reads the structure as Windows lays it out: little endian, eight-byte numbers at multiples of eight.</summary>
    /// <returns>False if <paramref name="structure"/> is shorter than <see cref="Length"/>.</returns>
    public static bool TryParse(ReadOnlySpan<byte> structure, out TcpInfo info)
    {
        info = default;
        if (structure.Length < Length) return false;
        // State 0, Mss 4, ConnectionTimeMs 8 (8 bytes), TimestampsEnabled 16, RttUs 20, MinRttUs 24, BytesInFlight 28, Cwnd 32, SndWnd 36, RcvWnd 40,
        // RcvBuf 44, BytesOut 48 (8), BytesIn 56 (8), BytesReordered 64, BytesRetrans 68, FastRetrans 72, DupAcksIn 76, TimeoutEpisodes 80, SynRetrans 84
        info = new(
            TimeSpan.FromMicroseconds(UInt32(structure[20..])),
            UInt32(structure[24..]) is var least and not uint.MaxValue ? TimeSpan.FromMicroseconds(least) : TimeSpan.Zero, // no sample yet
            UInt32(structure[28..]),
            (long)Math.Min(MemoryMarshal.Read<ulong>(structure[48..]), long.MaxValue),
            UInt32(structure[68..]),
            (int)Math.Min(UInt32(structure[80..]), int.MaxValue));
        return true;
    }

    private static uint UInt32(ReadOnlySpan<byte> field) => MemoryMarshal.Read<uint>(field);
}

using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>What the kernel knows of a TCP connection: the parts of <c>struct tcp_info</c> (linux/tcp.h) that we use.</summary>
/// <param name="Rtt">Smoothed round-trip time.</param>
/// <param name="RttVariation">Its mean deviation.</param>
/// <param name="MinRtt">The least lately; zero on kernels before 4.6.</param>
/// <param name="DeliveryRate">Bytes a second, the latest sample.</param>
/// <param name="IsAppLimited">That sample was limited by the sender.</param>
/// <param name="SinceLastAck">Since the last acknowledgement came in.</param>
/// <param name="Backoff">How often the retransmission timer doubled.</param>
/// <param name="BytesAcked">Since the connection began.</param>
/// <param name="BytesRetransmitted">Since the connection began.</param>
/// <param name="NotSentBytes">Waiting in the send queue.</param>
public readonly record struct TcpInfo(
    TimeSpan Rtt,
    TimeSpan RttVariation,
    TimeSpan MinRtt,
    long DeliveryRate,
    bool IsAppLimited,
    TimeSpan SinceLastAck,
    int Backoff,
    long BytesAcked,
    long BytesRetransmitted,
    long NotSentBytes)
{
    /// <summary>Segments that may be on the way (tcpi_snd_cwnd).</summary>
    public int CongestionWindow { get; init; }

    /// <summary>Bytes of a segment (tcpi_snd_mss).</summary>
    public int SegmentBytes { get; init; }

    /// <summary>Sent since the connection began, retransmissions included (Linux 4.19).</summary>
    public long BytesSent { get; init; }

    /// <summary>Received in order since the connection began.</summary>
    public long BytesReceived { get; init; }

    /// <summary>The bytes of <c>struct tcp_info</c> up to and including tcpi_bytes_retrans (Linux 4.19).</summary>
    public const int Length = 216;

    private const int Tcp = 6, TcpInfoOption = 11;

    /// <summary>One getsockopt.</summary>
    /// <returns>False if the kernel does not say (too old, or the socket is closed).</returns>
    public static bool TryRead(Socket socket, out TcpInfo info)
    {
        ArgumentNullException.ThrowIfNull(socket);
        Span<byte> buffer = stackalloc byte[Length];
        try
        {
            if (socket.GetRawSocketOption(Tcp, TcpInfoOption, buffer) == Length) return TryParse(buffer, out info);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // closed while we looked, or not TCP
        }

        info = default;
        return false;
    }

    /// <summary>Reads the structure as the kernel lays it out, in host byte order.</summary>
    /// <returns>False if <paramref name="structure"/> is shorter than <see cref="Length"/>.</returns>
    public static bool TryParse(ReadOnlySpan<byte> structure, out TcpInfo info)
    {
        info = default;
        if (structure.Length < Length) return false;
        info = new(
            Microseconds(structure[68..]),
            Microseconds(structure[72..]),
            MemoryMarshal.Read<uint>(structure[148..]) is var least and not uint.MaxValue ? TimeSpan.FromMicroseconds(least) : TimeSpan.Zero,
            (long)Math.Min(MemoryMarshal.Read<ulong>(structure[160..]), long.MaxValue),
            (structure[7] & 1) != 0,
            TimeSpan.FromMilliseconds(MemoryMarshal.Read<uint>(structure[56..])),
            structure[4],
            (long)Math.Min(MemoryMarshal.Read<ulong>(structure[120..]), long.MaxValue),
            (long)Math.Min(MemoryMarshal.Read<ulong>(structure[208..]), long.MaxValue),
            MemoryMarshal.Read<uint>(structure[144..]))
        {
            CongestionWindow = (int)Math.Min(MemoryMarshal.Read<uint>(structure[80..]), int.MaxValue),
            SegmentBytes = (int)Math.Min(MemoryMarshal.Read<uint>(structure[16..]), int.MaxValue),
            BytesSent = (long)Math.Min(MemoryMarshal.Read<ulong>(structure[200..]), long.MaxValue),
            BytesReceived = (long)Math.Min(MemoryMarshal.Read<ulong>(structure[128..]), long.MaxValue),
        };
        return true;
    }

    private static TimeSpan Microseconds(ReadOnlySpan<byte> field) => TimeSpan.FromMicroseconds(MemoryMarshal.Read<uint>(field));
}

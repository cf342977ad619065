using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Bondline.Linux;

/// <summary>Socket options .NET has no names for. Every method says if the kernel took it; none throws for a refusal.</summary>
public static class TcpSocketOptions
{
    private const int SolSocket = 1, SoBindToDevice = 25;
    private const int Tcp = 6, MaxSegment = 2, Congestion = 13, UserTimeout = 18, NotSentLowWater = 25, RtoMaxMilliseconds = 44, RtoMinMicroseconds = 45;

    /// <summary>SO_BINDTODEVICE: everything goes out of and comes in from this interface alone. Before connecting; a bound socket cannot be bound again.</summary>
    public static SocketError TryBindToDevice(Socket socket, string interfaceName)
    {
        ArgumentNullException.ThrowIfNull(socket);
        Span<byte> name = stackalloc byte[16];
        name.Clear();
        if (!Encoding.UTF8.TryGetBytes(interfaceName, name[..15], out _)) return SocketError.InvalidArgument;
        try
        {
            socket.SetRawSocketOption(SolSocket, SoBindToDevice, name);
            return SocketError.Success;
        }
        catch (SocketException error)
        {
            return error.SocketErrorCode;
        }
    }

    /// <summary>TCP_CONGESTION. An ordinary user may choose among net.ipv4.tcp_allowed_congestion_control.</summary>
    public static bool TrySetCongestionControl(Socket socket, string name) => TrySet(socket, Congestion, Encoding.ASCII.GetBytes(name));

    /// <summary>TCP_CONGESTION as it is now; empty if the kernel does not say.</summary>
    public static string CongestionControlOf(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        Span<byte> name = stackalloc byte[16];
        try
        {
            return Encoding.ASCII.GetString(name[..socket.GetRawSocketOption(Tcp, Congestion, name)]).TrimEnd('\0');
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            return "";
        }
    }

    /// <summary>TCP_USER_TIMEOUT: the connection ends when sent data stays unacknowledged for so long.</summary>
    public static bool TrySetUserTimeout(Socket socket, TimeSpan timeout) => TrySet(socket, UserTimeout, (int)timeout.TotalMilliseconds);

    /// <summary>TCP_NOTSENT_LOWAT: the socket is writable only while less than this waits unsent.</summary>
    public static bool TrySetNotSentLowWater(Socket socket, int bytes) => TrySet(socket, NotSentLowWater, bytes);

    /// <summary>TCP_RTO_MAX_MS (Linux 6.15): the longest pause between two retransmissions; 1 s is the least it takes.</summary>
    public static bool TrySetMaxRetransmissionTimeout(Socket socket, TimeSpan timeout) => TrySet(socket, RtoMaxMilliseconds, (int)timeout.TotalMilliseconds);

    /// <summary>TCP_RTO_MIN_US (Linux 6.17).</summary>
    public static bool TrySetMinRetransmissionTimeout(Socket socket, TimeSpan timeout) => TrySet(socket, RtoMinMicroseconds, (int)timeout.TotalMicroseconds);

    /// <summary>TCP_MAXSEG: no segment has more bytes; before connecting, the peer is asked for the same.</summary>
    public static bool TrySetMaxSegment(Socket socket, int bytes) => TrySet(socket, MaxSegment, bytes);

    private static bool TrySet(Socket socket, int option, int value) => TrySet(socket, option, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in value)));

    private static bool TrySet(Socket socket, int option, ReadOnlySpan<byte> value)
    {
        ArgumentNullException.ThrowIfNull(socket);
        try
        {
            socket.SetRawSocketOption(Tcp, option, value);
            return true;
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            return false; // an older kernel, or closed meanwhile
        }
    }
}

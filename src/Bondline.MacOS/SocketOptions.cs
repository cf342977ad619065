using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Bondline.MacOS;

/// <summary>Socket options of macOS that .NET has no names for.</summary>
public static class SocketOptions
{
    private const int IPv4Level = 0, BoundInterface4 = 25, IPv6Level = 41, BoundInterface6 = 125; // IP_BOUND_IF, IPV6_BOUND_IF (netinet/in.h, netinet6/in6.h)
    private const int TcpLevel = 6, ConnectionDropTime = 0x80, NotSentLowWater = 0x201; // TCP_RXT_CONNDROPTIME, TCP_NOTSENT_LOWAT (netinet/tcp.h)

    /// <summary>Everything of the socket goes out of this interface alone. Before connecting.</summary>
    /// <exception cref="SocketException">The system refused.</exception>
    public static void BindToInterface(Socket socket, int interfaceIndex)
    {
        ArgumentNullException.ThrowIfNull(socket);
        var (level, option) = socket.AddressFamily == AddressFamily.InterNetworkV6 ? (IPv6Level, BoundInterface6) : (IPv4Level, BoundInterface4);
        socket.SetRawSocketOption(level, option, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in interfaceIndex)));
    }

    /// <summary>The connection ends when it has retransmitted in vain for so long; whole seconds.</summary>
    public static bool TrySetUserTimeout(Socket socket, TimeSpan timeout) => TrySet(socket, ConnectionDropTime, (int)timeout.TotalSeconds);

    /// <summary>The socket is writable only while less than this waits unsent; 0: no bound.</summary>
    public static bool TrySetNotSentLowWater(Socket socket, int bytes) => TrySet(socket, NotSentLowWater, bytes);

    private static bool TrySet(Socket socket, int option, int value)
    {
        ArgumentNullException.ThrowIfNull(socket);
        try
        {
            socket.SetRawSocketOption(TcpLevel, option, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in value)));
            return true;
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }
}

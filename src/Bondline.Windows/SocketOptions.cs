using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Bondline.Windows;

/// <summary>Socket options of Windows that .NET has no names for.</summary>
public static class SocketOptions
{
    private const int IPv4Level = 0, IPv6Level = 41, UnicastInterface = 31; // IP_UNICAST_IF and IPV6_UNICAST_IF (ws2ipdef.h)
    private const int TcpLevel = 6, MaxRetransmissionSeconds = 5; // TCP_MAXRT

    /// <summary>Has an unconnected socket send through an interface and from one of its addresses. Replies that come in elsewhere are not turned away.</summary>
    /// <exception cref="SocketException">The system refused.</exception>
    public static void BindToInterface(Socket socket, int interfaceIndex, IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(socket);
        Span<byte> value = stackalloc byte[4];
        WriteInterface(value, socket.AddressFamily, interfaceIndex);
        socket.SetRawSocketOption(socket.AddressFamily == AddressFamily.InterNetworkV6 ? IPv6Level : IPv4Level, UnicastInterface, value);
        socket.Bind(new IPEndPoint(address, 0));
    }

    /// <summary>The connection ends when sent data stays unacknowledged for so long; whole seconds.</summary>
    public static bool TrySetUserTimeout(Socket socket, TimeSpan timeout)
    {
        ArgumentNullException.ThrowIfNull(socket);
        var seconds = (int)timeout.TotalSeconds;
        try
        {
            socket.SetRawSocketOption(TcpLevel, MaxRetransmissionSeconds, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in seconds)));
            return true;
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <summary>The number as the option takes it: for IPv4 in network byte order, for IPv6 in the machine's.</summary>
    public static void WriteInterface(Span<byte> value, AddressFamily family, int interfaceIndex)
    {
        if (family == AddressFamily.InterNetworkV6) BinaryPrimitives.WriteInt32LittleEndian(value, interfaceIndex);
        else BinaryPrimitives.WriteInt32BigEndian(value, interfaceIndex);
    }
}

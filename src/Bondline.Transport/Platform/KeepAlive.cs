using System.Net.Sockets;

namespace Bondline.Transport;

/// <summary>TCP's keepalive: notices a peer that vanished without a word.</summary>
public static class KeepAlive
{
    /// <summary>Switches it on. Where the times cannot be set the system's own hold: MPTCP sockets of Linux before 6.10 know none of their own.</summary>
    /// <param name="socket">Connected or not.</param>
    /// <param name="idleSeconds">Of silence before the first probe.</param>
    /// <param name="intervalSeconds">Between probes.</param>
    /// <param name="probes">Unanswered ones that end the connection.</param>
    /// <exception cref="SocketException">The socket is no good.</exception>
    public static void Set(Socket socket, int idleSeconds, int intervalSeconds, int probes)
    {
        ArgumentNullException.ThrowIfNull(socket);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, idleSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, intervalSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, probes);
        }
        catch (SocketException unknown) when (unknown.SocketErrorCode is SocketError.OperationNotSupported or SocketError.ProtocolOption)
        {
            // Two hours instead of minutes, by default: better than no connection.
        }
    }
}

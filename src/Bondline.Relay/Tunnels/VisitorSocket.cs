using System.Net.Sockets;

namespace Bondline.Relay;

/// <summary>How the relay treats the sockets of visitors.</summary>
internal static class VisitorSocket
{
    private const int KeepAliveIdleSeconds = 120, KeepAliveIntervalSeconds = 30, KeepAliveProbes = 4;

    /// <summary>Sends at once; notices within four minutes that a visitor vanished without a word, so that its stream does not stay for ever.</summary>
    public static void Prepare(Socket socket)
    {
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, KeepAliveIdleSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, KeepAliveIntervalSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, KeepAliveProbes);
    }

    /// <summary>Closes with RST, never FIN: what came so far must not look complete.</summary>
    public static void Reset(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // The connection is gone already.
        }
        socket.Dispose();
    }
}

using System.Net.Sockets;
using Bondline.Transport;

namespace Bondline.Relay;

/// <summary>How the relay treats the sockets of visitors.</summary>
internal static class VisitorSocket
{
    /// <summary>Sends at once; notices within four minutes that a visitor vanished without a word, so that its stream does not stay for ever.</summary>
    public static void Prepare(Socket socket)
    {
        socket.NoDelay = true;
        KeepAlive.Set(socket, idleSeconds: 120, intervalSeconds: 30, probes: 4);
    }

    /// <summary>Closes with RST, never FIN: what came so far must not look complete.</summary>
    public static void Reset(Socket socket)
    {
        (socket as WatchedSocket)?.Reset();
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

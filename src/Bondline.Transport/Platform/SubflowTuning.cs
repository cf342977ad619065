using System.Net.Sockets;

namespace Bondline.Transport;

/// <summary>Options of a subflow's connection that every system has.</summary>
internal static class SubflowTuning
{
    /// <summary>Longer than the silences a path heals from, so that the system does not give up before it does.</summary>
    public static readonly TimeSpan UserTimeout = TimeSpan.FromSeconds(20);

    public static void Apply(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        socket.NoDelay = true;
        KeepAlive.Set(socket, idleSeconds: 10, intervalSeconds: 5, probes: 3);
    }
}

using System.Net;
using System.Net.Sockets;

namespace Bondline.Relay.Tests;

/// <summary>Ports of loopback that nobody uses.</summary>
internal static class Ports
{
    // Below the range the system takes its own from, so that no other test's connection lands there; each process begins somewhere else.
    private static int _next = 12_000 + Environment.ProcessId % 1000 * 16;

    /// <summary>A range of free ports that no other test of this process gets.</summary>
    public static PortRange FreeRange(int count)
    {
        while (true)
        {
            var last = Interlocked.Add(ref _next, count) - 1;
            if (Enumerable.Range(last - count + 1, count).All(IsFree)) return new(last - count + 1, last);
        }
    }

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

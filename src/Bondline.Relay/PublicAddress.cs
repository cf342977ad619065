using System.Net;
using System.Net.Sockets;

namespace Bondline.Relay;

/// <summary>The address others most likely reach this machine at.</summary>
internal static class PublicAddress
{
    // Addresses for documentation (RFC 5737, RFC 3849): connecting a datagram socket asks the routing table and sends nothing.
    private static readonly IPEndPoint[] Elsewhere = [new(IPAddress.Parse("192.0.2.1"), 9), new(IPAddress.Parse("2001:db8::1"), 9)];

    /// <returns>The address this machine would send from; loopback if it has no network.</returns>
    public static IPAddress Find()
    {
        foreach (var target in Elsewhere)
        {
            try
            {
                using var socket = new Socket(target.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
                socket.Connect(target);
                if (socket.LocalEndPoint is IPEndPoint { Address: var address }) return address;
            }
            catch (SocketException) // no route, or no such family
            {
            }
        }
        return IPAddress.Loopback;
    }
}

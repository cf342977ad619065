using System.ComponentModel;
using System.Net;

namespace Bondline.Linux;

/// <summary>Asks the kernel which way a packet would go, policy rules and VPNs included. It sends nothing and needs no rights.</summary>
public static class RouteQuery
{
    /// <param name="address">Where the packet would go to.</param>
    /// <param name="output">The interface its socket is bound to; 0 for none.</param>
    /// <param name="source">The address its socket is bound to; null for none.</param>
    /// <param name="isConfigured">
    /// Answer with the route that somebody configured, or none. Without it a bound IPv4 socket has a way out of every interface: with no route the kernel
    /// takes everybody to be a neighbour there.
    /// </param>
    /// <returns>The route, its interface first; null if there is none.</returns>
    /// <exception cref="Win32Exception">There is no rtnetlink for us.</exception>
    public static RouteMessage? Find(IPAddress address, int output = 0, IPAddress? source = null, bool isConfigured = false)
    {
        using var socket = NetlinkSocket.Open(NetlinkProtocol.Route);
        Span<byte> buffer = stackalloc byte[4096];
        var length = RouteMessage.WriteQuery(buffer, address, sequence: 1, output, source, isConfigured);
        socket.Send(buffer[..length]);
        length = socket.Receive(buffer); // the kernel has answered by the time the request is sent
        ReadOnlySpan<byte> answer = buffer[..length];
        return NetlinkMessage.TryRead(ref answer, out var message) && message.Type == NetlinkType.NewRoute ? RouteMessage.Read(message.Payload) : null;
    }
}

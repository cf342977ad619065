using System.ComponentModel;
using System.Net;

namespace Bondline.Linux;

/// <summary>Asks the kernel which way a packet would go, policy rules and VPNs included.</summary>
public static class RouteQuery
{
    /// <returns>The route, its interface first; null if there is none.</returns>
    /// <exception cref="Win32Exception">There is no rtnetlink for us.</exception>
    public static RouteMessage? Find(IPAddress address)
    {
        using var socket = NetlinkSocket.Open(NetlinkProtocol.Route);
        Span<byte> buffer = stackalloc byte[4096];
        var length = RouteMessage.WriteQuery(buffer, address, sequence: 1);
        socket.Send(buffer[..length]);
        length = socket.Receive(buffer); // the kernel has answered by the time the request is sent
        ReadOnlySpan<byte> answer = buffer[..length];
        return NetlinkMessage.TryRead(ref answer, out var message) && message.Type == NetlinkType.NewRoute ? RouteMessage.Read(message.Payload) : null;
    }
}

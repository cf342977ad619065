using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>A question to sock_diag for the namespace's TCP or MPTCP sockets: <c>struct inet_diag_req_v2</c> (linux/inet_diag.h).</summary>
//  | family (1) | protocol (1) | extensions (1) | padding (1) | states (4) | ports (2 + 2, network order) | addresses (16 + 16) | interface (4) | cookie (8) | attributes |
public static class SocketQuery
{
    public const int Tcp = 6, Multipath = 262;

    /// <summary>SOCK_DIAG_BY_FAMILY: the type of questions and answers. It shares its number with a type of rtnetlink.</summary>
    public const NetlinkType Type = (NetlinkType)20;

    /// <summary>Sockets of connections: neither those that listen, nor those that only remember a connection.</summary>
    public const uint Connections = 0xFFF & ~(1u << (int)SocketState.Listening | 1u << (int)SocketState.TimeWait | 1u << (int)SocketState.Closed);

    private const int FixedLength = 56, AttributeProtocol = 3;
    private const byte Extensions = 1 << (InetSocket.AttributeInfo - 1) | 1 << (InetSocket.AttributeCongestionControl - 1);

    /// <summary>Writes the question for all sockets of a family and protocol.</summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="sequence">Comes back in every answer.</param>
    /// <param name="family">2 for IPv4, 10 for IPv6 (which includes IPv4 on sockets of IPv6).</param>
    /// <param name="protocol"><see cref="Tcp"/> or <see cref="Multipath"/>.</param>
    /// <param name="localPort">Only sockets with this port; 0 for all.</param>
    /// <returns>Its length in bytes.</returns>
    public static int Write(Span<byte> buffer, uint sequence, byte family, int protocol, int localPort = 0)
    {
        Span<byte> fixedPart = stackalloc byte[FixedLength];
        fixedPart.Clear();
        fixedPart[0] = family;
        // A number that does not fit goes into an attribute. Kernels before 5.9 do not look at that, and have nothing under 0.
        fixedPart[1] = (byte)(protocol <= byte.MaxValue ? protocol : 0);
        fixedPart[2] = Extensions;
        MemoryMarshal.Write(fixedPart[4..], Connections);
        BinaryPrimitives.WriteUInt16BigEndian(fixedPart[8..], (ushort)localPort);
        var request = new NetlinkRequest(buffer, Type, NetlinkFlags.Dump, sequence, fixedPart);
        if (protocol > byte.MaxValue) request.Add(AttributeProtocol, protocol);
        return request.Length;
    }
}

using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>One TCP or MPTCP socket as sock_diag tells of it: <c>struct inet_diag_msg</c> and its attributes (linux/inet_diag.h).</summary>
//  | family (1) | state (1) | timer (1) | retransmits (1) | ports (2 + 2, network order) | addresses (16 + 16) | interface (4) | cookie (8)
//  | expires (4) | receive queue (4) | send queue (4) | user (4) | inode (4) | attributes |   host byte order
public sealed record InetSocket
{
    public const int FixedLength = 72;

    internal const int AttributeInfo = 2, AttributeCongestionControl = 4, AttributeUpperLayer = 19;

    private const int UpperLayerName = 1, UpperLayerMultipath = 3;
    private const string MultipathName = "mptcp";

    public required SocketState State { get; init; }

    /// <summary>IPv4 on a socket of IPv6 is shown as IPv4.</summary>
    public required IPEndPoint Local { get; init; }

    public required IPEndPoint Remote { get; init; }

    /// <summary>The interface it is bound to; 0: none.</summary>
    public int InterfaceIndex { get; init; }

    /// <summary>Received and not read yet.</summary>
    public long ReceiveQueueBytes { get; init; }

    /// <summary>Sent and not acknowledged yet.</summary>
    public long SendQueueBytes { get; init; }

    /// <summary>Whose it is.</summary>
    public uint UserId { get; init; }

    /// <summary>Its number under /proc/PID/fd, shared by an MPTCP socket and its subflows; 0 if no process has it.</summary>
    public uint Inode { get; init; }

    /// <summary>Such as "cubic" or "bbr"; null if the kernel does not say.</summary>
    public string? CongestionControl { get; init; }

    /// <summary>Of a TCP socket.</summary>
    public TcpInfo? Tcp { get; init; }

    /// <summary>Of an MPTCP socket.</summary>
    public MultipathInfo? Multipath { get; init; }

    /// <summary>Of a TCP socket that is a subflow, if the kernel tells (before Linux 6.15 only with CAP_NET_ADMIN).</summary>
    public MultipathSubflowInfo? Subflow { get; init; }

    /// <summary>A TCP socket that is, or was, a subflow.</summary>
    public bool IsSubflow { get; init; }

    /// <param name="payload">Of one message of the answer.</param>
    /// <param name="isMultipath">Asked for MPTCP sockets, not TCP ones.</param>
    /// <returns>Null for a family other than IPv4 and IPv6.</returns>
    /// <exception cref="NetlinkFormatException">The payload is shorter than it says.</exception>
    public static InetSocket? Read(ReadOnlySpan<byte> payload, bool isMultipath)
    {
        if (payload.Length < FixedLength) throw new NetlinkFormatException($"A socket has {payload.Length} bytes, not {FixedLength}.");
        var family = payload[0];
        if (!AddressFamilies.IsInternet(family)) return null;
        var socket = new InetSocket
        {
            State = (SocketState)payload[1],
            Local = ReadEnd(family, payload[8..], payload[4..]),
            Remote = ReadEnd(family, payload[24..], payload[6..]),
            InterfaceIndex = MemoryMarshal.Read<int>(payload[40..]),
            ReceiveQueueBytes = MemoryMarshal.Read<uint>(payload[56..]),
            SendQueueBytes = MemoryMarshal.Read<uint>(payload[60..]),
            UserId = MemoryMarshal.Read<uint>(payload[64..]),
            Inode = MemoryMarshal.Read<uint>(payload[68..]),
        };
        var attributes = payload[FixedLength..];
        while (NetlinkAttribute.TryRead(ref attributes, out var attribute))
        {
            switch (attribute.Type)
            {
                case AttributeInfo when isMultipath:
                    socket = socket with { Multipath = MultipathInfo.TryParse(attribute.Value, out var multipath) ? multipath : null };
                    break;
                case AttributeInfo:
                    socket = socket with { Tcp = TcpInfo.TryParse(attribute.Value, out var tcp) ? tcp : null };
                    break;
                case AttributeCongestionControl:
                    socket = socket with { CongestionControl = attribute.ReadString() };
                    break;
                case AttributeUpperLayer:
                    socket = ReadUpperLayer(attribute.Value, socket);
                    break;
            }
        }

        return socket;
    }

    private static InetSocket ReadUpperLayer(ReadOnlySpan<byte> attributes, InetSocket socket)
    {
        while (NetlinkAttribute.TryRead(ref attributes, out var attribute))
        {
            if (attribute.Type == UpperLayerName && attribute.ReadString() == MultipathName) socket = socket with { IsSubflow = true };
            else if (attribute.Type == UpperLayerMultipath) socket = socket with { IsSubflow = true, Subflow = MultipathSubflowInfo.Read(attribute.Value) };
        }

        return socket;
    }

    private static IPEndPoint ReadEnd(byte family, ReadOnlySpan<byte> address, ReadOnlySpan<byte> port)
    {
        var read = new IPAddress(address[..(family == AddressFamilies.IPv4 ? 4 : 16)]);
        return new(read.IsIPv4MappedToIPv6 ? read.MapToIPv4() : read, BinaryPrimitives.ReadUInt16BigEndian(port));
    }
}

using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>RTM_NEWLINK and RTM_DELLINK: one interface.</summary>
/// <param name="Index">The kernel's number of the interface.</param>
/// <param name="HardwareType">ARPHRD_*: 1 Ethernet, 772 loopback, 65534 none (a TUN).</param>
/// <param name="Flags">IFF_*.</param>
/// <param name="Name">IFLA_IFNAME.</param>
/// <param name="Kind">IFLA_INFO_KIND, as in <c>ip link add type</c>: "bridge", "veth", "tun", "wireguard"; null for hardware.</param>
//  | family (1) | padding (1) | hardware type (2) | index (4) | flags (4) | change mask (4) | attributes |   host byte order
public readonly record struct LinkMessage(int Index, int HardwareType, uint Flags, string Name, string? Kind)
{
    public const int FixedLength = 16;

    private const byte EveryFamily = 0; // AF_UNSPEC

    private const int AttributeName = 3, AttributeLinkInfo = 18, AttributeInfoKind = 1;

    /// <summary>IFF_UP: someone wants it used.</summary>
    public bool IsUp => (Flags & 0x1) != 0;

    /// <summary>IFF_LOWER_UP and IFF_RUNNING: there is a carrier, and the kernel sends over it.</summary>
    public bool HasCarrier => (Flags & 0x1_0000) != 0 && (Flags & 0x40) != 0;

    public bool IsLoopback => (Flags & 0x8) != 0;

    /// <summary>IFF_POINTOPOINT or IFF_NOARP: whatever is sent here goes to the one other end, so a route needs no gateway.</summary>
    public bool IsPointToPoint => (Flags & (0x10 | 0x80)) != 0;

    /// <returns>
    /// Null for a message that is about something else than the interface itself. A bridge tells of its ports so (AF_BRIDGE), without their kind, and of
    /// a port's leaving as of a deletion.
    /// </returns>
    /// <exception cref="NetlinkFormatException">The payload is shorter than it says.</exception>
    public static LinkMessage? Read(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < FixedLength) throw new NetlinkFormatException($"A link message has {payload.Length} bytes, not {FixedLength}.");
        if (payload[0] != EveryFamily) return null;
        string name = "";
        string? kind = null;
        var attributes = payload[FixedLength..];
        while (NetlinkAttribute.TryRead(ref attributes, out var attribute))
        {
            switch (attribute.Type)
            {
                case AttributeName:
                    name = attribute.ReadString();
                    break;
                case AttributeLinkInfo:
                    var nested = attribute.Value;
                    while (NetlinkAttribute.TryRead(ref nested, out var info))
                        if (info.Type == AttributeInfoKind)
                            kind = info.ReadString();
                    break;
            }
        }

        return new LinkMessage(
            MemoryMarshal.Read<int>(payload[4..]),
            MemoryMarshal.Read<ushort>(payload[2..]),
            MemoryMarshal.Read<uint>(payload[8..]),
            name,
            kind);
    }

    /// <summary>Writes the question for one interface.</summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="sequence">Comes back in the answer, and in the acknowledgement behind it.</param>
    /// <param name="index">The kernel's number of it.</param>
    /// <returns>Its length in bytes.</returns>
    public static int WriteQuery(Span<byte> buffer, uint sequence, int index)
    {
        Span<byte> fixedPart = stackalloc byte[FixedLength];
        fixedPart.Clear();
        MemoryMarshal.Write(fixedPart[4..], index);
        return new NetlinkRequest(buffer, NetlinkType.GetLink, NetlinkFlags.Acknowledge, sequence, fixedPart).Length;
    }
}

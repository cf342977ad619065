using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>What the kernel does with a packet a route matches (RTN_*).</summary>
public enum RouteType : byte
{
    Unspecified = 0,
    Unicast = 1,
    Local = 2,
    Broadcast = 3,
    Anycast = 4,
    Multicast = 5,
    Blackhole = 6,
    Unreachable = 7,
    Prohibit = 8,
}

/// <summary>RTM_NEWROUTE and RTM_DELROUTE: one route, and the answer to a route query.</summary>
/// <param name="Destination">The network; all zeros with <paramref name="PrefixLength"/> 0 for a default route.</param>
/// <param name="PrefixLength">Of the destination.</param>
/// <param name="Table">254 is main, 255 local.</param>
/// <param name="Type">What happens to packets.</param>
/// <param name="Interfaces">The indices of the interfaces it leads out of: several for a multipath route, none for blackholes.</param>
/// <param name="Metric">RTA_PRIORITY: the lower wins.</param>
/// <param name="IsCloned">A cache entry or the answer to a query, not a configured route.</param>
//  | family (1) | destination length (1) | source length (1) | tos (1) | table (1) | protocol (1) | scope (1) | type (1) | flags (4) | attributes |
public sealed record RouteMessage(IPAddress Destination, int PrefixLength, uint Table, RouteType Type, IReadOnlyList<int> Interfaces, uint Metric, bool IsCloned)
{
    public const int FixedLength = 12;

    private const int AttributeDestination = 1, AttributeInterface = 4, AttributePriority = 6, AttributeMultipath = 9, AttributeTable = 15;
    private const int NextHopLength = 8; // | length (2) | flags (1) | hops (1) | interface (4) | attributes |

    /// <returns>Null for a family other than IPv4 and IPv6.</returns>
    /// <exception cref="NetlinkFormatException">The payload is shorter than it says, or a prefix is longer than an address.</exception>
    public static RouteMessage? Read(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < FixedLength) throw new NetlinkFormatException($"A route message has {payload.Length} bytes, not {FixedLength}.");
        var family = payload[0];
        if (!AddressFamilies.IsInternet(family)) return null;
        int prefix = payload[1];
        if (prefix > (family == AddressFamilies.IPv4 ? 32 : 128)) throw new NetlinkFormatException($"A prefix of {prefix} bits is longer than an address.");
        var destination = family == AddressFamilies.IPv4 ? IPAddress.Any : IPAddress.IPv6Any;
        uint table = payload[4], metric = 0;
        List<int> interfaces = [];
        var attributes = payload[FixedLength..];
        while (NetlinkAttribute.TryRead(ref attributes, out var attribute))
        {
            switch (attribute.Type)
            {
                case AttributeDestination: destination = AddressFamilies.ReadAddress(family, attribute.Value); break;
                case AttributeInterface: interfaces.Add((int)attribute.ReadUInt32()); break;
                case AttributePriority: metric = attribute.ReadUInt32(); break;
                case AttributeTable: table = attribute.ReadUInt32(); break;
                case AttributeMultipath: ReadNextHops(attribute.Value, interfaces); break;
            }
        }

        return new(destination, prefix, table, (RouteType)payload[7], interfaces, metric, (MemoryMarshal.Read<uint>(payload[8..]) & 0x200) != 0);
    }

    /// <summary>Whether a packet to <paramref name="address"/> matches the destination.</summary>
    public bool Covers(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (address.AddressFamily != Destination.AddressFamily) return false;
        Span<byte> mine = stackalloc byte[16], theirs = stackalloc byte[16];
        Destination.TryWriteBytes(mine, out _);
        address.TryWriteBytes(theirs, out _);
        var whole = PrefixLength / 8;
        if (!mine[..whole].SequenceEqual(theirs[..whole])) return false;
        var rest = PrefixLength % 8;
        return rest == 0 || (mine[whole] ^ theirs[whole]) >> (8 - rest) == 0;
    }

    /// <summary>Writes the question "which way would a packet to <paramref name="address"/> go?".</summary>
    /// <returns>Its length in bytes.</returns>
    public static int WriteQuery(Span<byte> buffer, IPAddress address, uint sequence)
    {
        ArgumentNullException.ThrowIfNull(address);
        var isIPv4 = address.AddressFamily == AddressFamily.InterNetwork;
        Span<byte> fixedPart = stackalloc byte[FixedLength];
        fixedPart.Clear();
        fixedPart[0] = isIPv4 ? AddressFamilies.IPv4 : AddressFamilies.IPv6;
        fixedPart[1] = (byte)(isIPv4 ? 32 : 128);
        var request = new NetlinkRequest(buffer, NetlinkType.GetRoute, NetlinkFlags.None, sequence, fixedPart);
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var length);
        request.Add(AttributeDestination, bytes[..length]);
        return request.Length;
    }

    private static void ReadNextHops(ReadOnlySpan<byte> hops, List<int> interfaces)
    {
        while (hops.Length >= NextHopLength)
        {
            var length = MemoryMarshal.Read<ushort>(hops);
            if (length < NextHopLength || length > hops.Length)
                throw new NetlinkFormatException($"A next hop says it has {length} bytes; there are {hops.Length}.");
            interfaces.Add(MemoryMarshal.Read<int>(hops[4..]));
            hops = hops[Math.Min(NetlinkMessage.Align(length), hops.Length)..];
        }
    }
}

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

/// <summary>One way a route leads.</summary>
/// <param name="Interface">The index of the interface it leaves by.</param>
/// <param name="Gateway">The next router, which may be of the other family (RTA_VIA); null where the destination itself is on the link.</param>
public readonly record struct NextHop(int Interface, IPAddress? Gateway);

/// <summary>RTM_NEWROUTE and RTM_DELROUTE: one route, and the answer to a route query.</summary>
/// <param name="Destination">The network; all zeros with <paramref name="PrefixLength"/> 0 for a default route.</param>
/// <param name="PrefixLength">Of the destination.</param>
/// <param name="Table">254 is main, 255 local.</param>
/// <param name="Type">What happens to packets.</param>
/// <param name="NextHops">The ways it leads: several for a multipath route, none for blackholes.</param>
/// <param name="Metric">RTA_PRIORITY: the lower wins.</param>
/// <param name="IsCloned">A cache entry or the answer to a query, not a configured route.</param>
//  | family (1) | destination length (1) | source length (1) | tos (1) | table (1) | protocol (1) | scope (1) | type (1) | flags (4) | attributes |
public sealed record RouteMessage(IPAddress Destination, int PrefixLength, uint Table, RouteType Type, IReadOnlyList<NextHop> NextHops, uint Metric, bool IsCloned)
{
    public const int FixedLength = 12;

    /// <summary>The table that routes are in unless somebody says otherwise.</summary>
    public const uint MainTable = 254;

    private const int AttributeDestination = 1, AttributeSource = 2, AttributeInterface = 4, AttributeGateway = 5, AttributePriority = 6, AttributePreferredSource = 7;
    private const int AttributeMultipath = 9, AttributeTable = 15, AttributeVia = 18;
    private const int NextHopLength = 8; // | length (2) | flags (1) | hops (1) | interface (4) | attributes |
    private const uint ClonedFlag = 0x200, ConfiguredFlag = 0x2000;
    private const byte ScopeUniverse = 0, ScopeLink = 253;
    private const int ViaLength = 2; // | family (2) | address |

    public IReadOnlyList<NextHop> NextHops { get; } = NextHops;

    /// <summary>The indices of the interfaces it leads out of, in the order of <see cref="NextHops"/>.</summary>
    public IReadOnlyList<int> Interfaces { get; } = [.. NextHops.Select(hop => hop.Interface)];

    /// <summary>RTA_PREFSRC: the local address that packets get if their socket has none; null if the route does not say.</summary>
    public IPAddress? PreferredSource { get; init; }

    /// <summary>RTPROT_*: who made it. 2 is the kernel, 3 whoever does not say (<c>ip route</c>), 4 an administrator, 9 a router's announcement, 16 DHCP.</summary>
    public byte Protocol { get; init; }

    /// <summary>To everywhere that no other route leads.</summary>
    public bool IsDefault => PrefixLength == 0 && Type == RouteType.Unicast;

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
        int output = 0;
        IPAddress? gateway = null, source = null;
        List<NextHop> hops = [];
        var attributes = payload[FixedLength..];
        while (NetlinkAttribute.TryRead(ref attributes, out var attribute))
        {
            switch (attribute.Type)
            {
                case AttributeDestination: destination = AddressFamilies.ReadAddress(family, attribute.Value); break;
                case AttributeInterface: output = (int)attribute.ReadUInt32(); break;
                case AttributeGateway: gateway = AddressFamilies.ReadAddress(family, attribute.Value); break;
                case AttributeVia: gateway = ReadVia(attribute.Value); break;
                case AttributePreferredSource: source = AddressFamilies.ReadAddress(family, attribute.Value); break;
                case AttributePriority: metric = attribute.ReadUInt32(); break;
                case AttributeTable: table = attribute.ReadUInt32(); break;
                case AttributeMultipath: ReadNextHops(family, attribute.Value, hops); break;
            }
        }

        if (output != 0) hops.Insert(0, new(output, gateway));
        return new(destination, prefix, table, (RouteType)payload[7], hops, metric, (MemoryMarshal.Read<uint>(payload[8..]) & ClonedFlag) != 0)
        {
            PreferredSource = source,
            Protocol = payload[5],
        };
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
    /// <param name="buffer">Where to.</param>
    /// <param name="address">Where the packet would go to.</param>
    /// <param name="sequence">Comes back in the answer.</param>
    /// <param name="output">The interface its socket is bound to; 0 for none.</param>
    /// <param name="source">The address its socket is bound to; null for none.</param>
    /// <param name="isConfigured">Answer with the route that somebody configured, not with what follows from it for this packet (RTM_F_FIB_MATCH, Linux 4.13).</param>
    /// <returns>Its length in bytes.</returns>
    public static int WriteQuery(Span<byte> buffer, IPAddress address, uint sequence, int output = 0, IPAddress? source = null, bool isConfigured = false)
    {
        ArgumentNullException.ThrowIfNull(address);
        Span<byte> fixedPart = stackalloc byte[FixedLength];
        WriteFixedPart(fixedPart, address.AddressFamily, IsIPv4(address) ? 32 : 128);
        if (source is not null) fixedPart[2] = fixedPart[1];
        if (isConfigured) MemoryMarshal.Write(fixedPart[8..], ConfiguredFlag);
        var request = new NetlinkRequest(buffer, NetlinkType.GetRoute, NetlinkFlags.None, sequence, fixedPart);
        AddAddress(ref request, AttributeDestination, address);
        if (source is not null) AddAddress(ref request, AttributeSource, source);
        if (output != 0) request.Add(AttributeInterface, output);
        return request.Length;
    }

    /// <summary>Writes the request to add this route, which must not be there, or to delete exactly this one.</summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="sequence">Comes back in the acknowledgement.</param>
    /// <param name="isDeletion">Delete it.</param>
    /// <returns>Its length in bytes.</returns>
    /// <exception cref="InvalidOperationException">It leads several ways or none, or its gateway is of the other family.</exception>
    public int WriteChange(Span<byte> buffer, uint sequence, bool isDeletion)
    {
        if (NextHops is not [var hop] || hop.Gateway is { } router && router.AddressFamily != Destination.AddressFamily)
            throw new InvalidOperationException("Only a route that leads one way, over a gateway of its own family or none, can be written.");
        Span<byte> fixedPart = stackalloc byte[FixedLength];
        WriteFixedPart(fixedPart, Destination.AddressFamily, PrefixLength);
        fixedPart[4] = Table <= byte.MaxValue ? (byte)Table : (byte)0; // RT_TABLE_UNSPEC: the attribute says it
        fixedPart[5] = Protocol;
        fixedPart[6] = hop.Gateway is null && IsIPv4(Destination) ? ScopeLink : ScopeUniverse;
        fixedPart[7] = (byte)Type;
        var flags = isDeletion ? NetlinkFlags.Acknowledge : NetlinkFlags.Acknowledge | NetlinkFlags.Create | NetlinkFlags.Exclusive;
        var request = new NetlinkRequest(buffer, isDeletion ? NetlinkType.DeleteRoute : NetlinkType.NewRoute, flags, sequence, fixedPart);
        if (PrefixLength > 0) AddAddress(ref request, AttributeDestination, Destination);
        if (hop.Gateway is not null) AddAddress(ref request, AttributeGateway, hop.Gateway);
        request.Add(AttributeInterface, hop.Interface);
        if (Metric != 0) request.Add(AttributePriority, Metric);
        if (PreferredSource is not null) AddAddress(ref request, AttributePreferredSource, PreferredSource);
        request.Add(AttributeTable, Table);
        return request.Length;
    }

    private static void WriteFixedPart(Span<byte> fixedPart, AddressFamily family, int prefixLength)
    {
        fixedPart.Clear();
        fixedPart[0] = family == AddressFamily.InterNetwork ? AddressFamilies.IPv4 : AddressFamilies.IPv6;
        fixedPart[1] = (byte)prefixLength;
    }

    private static void AddAddress(ref NetlinkRequest request, int type, IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var length);
        request.Add(type, bytes[..length]);
    }

    private static bool IsIPv4(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork;

    private static void ReadNextHops(byte family, ReadOnlySpan<byte> bytes, List<NextHop> hops)
    {
        while (bytes.Length >= NextHopLength)
        {
            var length = MemoryMarshal.Read<ushort>(bytes);
            if (length < NextHopLength || length > bytes.Length)
                throw new NetlinkFormatException($"A next hop says it has {length} bytes; there are {bytes.Length}.");
            IPAddress? gateway = null;
            var attributes = bytes[NextHopLength..length];
            while (NetlinkAttribute.TryRead(ref attributes, out var attribute))
            {
                if (attribute.Type == AttributeGateway) gateway = AddressFamilies.ReadAddress(family, attribute.Value);
                if (attribute.Type == AttributeVia) gateway = ReadVia(attribute.Value);
            }

            hops.Add(new(MemoryMarshal.Read<int>(bytes[4..]), gateway));
            bytes = bytes[Math.Min(NetlinkMessage.Align(length), bytes.Length)..];
        }
    }

    private static IPAddress? ReadVia(ReadOnlySpan<byte> value)
    {
        if (value.Length < ViaLength) throw new NetlinkFormatException($"A gateway of another family has {value.Length} bytes.");
        var family = MemoryMarshal.Read<ushort>(value);
        return family <= byte.MaxValue && AddressFamilies.IsInternet((byte)family) ? AddressFamilies.ReadAddress((byte)family, value[ViaLength..]) : null;
    }
}

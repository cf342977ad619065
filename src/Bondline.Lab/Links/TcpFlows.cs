using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Bondline.Linux;

namespace Bondline.Lab;

/// <summary>
/// The TCP connections a link has seen, so that all of them can be reset as a middlebox would: both ends get an RST at once, and
/// whatever either end still sends on such a connection is answered with another RST and not forwarded.
/// </summary>
/// <remarks>Used by the emulator's thread only. The table has a fixed size; the connection unused for the longest makes room.</remarks>
internal sealed class TcpFlows
{
    private const int Ways = 4, Sets = 2048;
    private const int Tcp = 6;
    private const byte Syn = 2, Rst = 4, Ack = 16;

    private readonly Flow[] _flows = new Flow[Ways * Sets];
    private readonly byte[] _packet = new byte[IPacketDevice.PrefixLength + 60];
    private uint _clock;

    /// <summary>The devices of the two ends, to which RSTs are written.</summary>
    public required IPacketDevice Laptop { get; init; }

    public required IPacketDevice Relay { get; init; }

    /// <summary>Looks at a packet that came in.</summary>
    /// <returns>False if its connection was reset: it goes no further.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool Passes(ReadOnlySpan<byte> packet, LinkDirection direction)
    {
        if (!TryParse(packet[IPacketDevice.PrefixLength..], direction, out var key, out var tcp)) return true;
        ref var flow = ref Find(key);
        flow.LastUse = ++_clock;
        var flags = tcp[13];
        if ((flags & Syn) != 0) flow.IsReset = false;
        if (flow.IsReset)
        {
            // RFC 5961: a receiver takes an RST only at exactly the number it expects, and that is what its own packets acknowledge.
            if ((flags & (Rst | Ack)) == Ack) Send(flow.Key, toLaptop: direction == LinkDirection.Up, AckNumber(tcp));
            return false;
        }
        if ((flags & Ack) != 0)
        {
            if (direction == LinkDirection.Up)
                (flow.LaptopExpects, flow.LaptopSeen) = (AckNumber(tcp), true);
            else
                (flow.RelayExpects, flow.RelaySeen) = (AckNumber(tcp), true);
        }
        return true;
    }

    /// <summary>Resets every connection in the table.</summary>
    /// <returns>How many.</returns>
    public int Reset()
    {
        var count = 0;
        foreach (ref var flow in _flows.AsSpan())
        {
            if (flow.LastUse == 0 || flow.IsReset) continue;
            flow.IsReset = true;
            count++;
            if (flow.LaptopSeen) Send(flow.Key, toLaptop: true, flow.LaptopExpects);
            if (flow.RelaySeen) Send(flow.Key, toLaptop: false, flow.RelayExpects);
        }
        return count;
    }

    private ref Flow Find(in FlowKey key)
    {
        var set = _flows.AsSpan((int)((uint)key.GetHashCode() % Sets) * Ways, Ways);
        var oldest = 0;
        for (var i = 0; i < Ways; i++)
        {
            if (set[i].LastUse != 0 && set[i].Key == key) return ref set[i];
            if (set[i].LastUse < set[oldest].LastUse) oldest = i;
        }
        set[oldest] = new() { Key = key };
        return ref set[oldest];
    }

    private static bool TryParse(ReadOnlySpan<byte> ip, LinkDirection direction, out FlowKey key, out ReadOnlySpan<byte> tcp)
    {
        key = default;
        tcp = default;
        if (ip.Length < 40) return false;
        UInt128 source, destination;
        var isVersion6 = ip[0] >> 4 == 6;
        if (isVersion6)
        {
            if (ip[6] != Tcp || ip.Length < 60) return false;
            source = BinaryPrimitives.ReadUInt128BigEndian(ip[8..]);
            destination = BinaryPrimitives.ReadUInt128BigEndian(ip[24..]);
            tcp = ip[40..];
        }
        else
        {
            var header = (ip[0] & 15) * 4;
            if (ip[9] != Tcp || (BinaryPrimitives.ReadUInt16BigEndian(ip[6..]) & 0x1FFF) != 0 || ip.Length < header + 20) return false;
            source = BinaryPrimitives.ReadUInt32BigEndian(ip[12..]);
            destination = BinaryPrimitives.ReadUInt32BigEndian(ip[16..]);
            tcp = ip[header..];
        }
        var sourcePort = BinaryPrimitives.ReadUInt16BigEndian(tcp);
        var destinationPort = BinaryPrimitives.ReadUInt16BigEndian(tcp[2..]);
        key = direction == LinkDirection.Up
            ? new(source, destination, sourcePort, destinationPort, isVersion6)
            : new(destination, source, destinationPort, sourcePort, isVersion6);
        return true;
    }

    private void Send(in FlowKey key, bool toLaptop, uint sequence)
    {
        var packet = _packet.AsSpan();
        packet.Clear();
        var ip = packet[IPacketDevice.PrefixLength..];
        var (source, destination) = toLaptop ? (key.Relay, key.Laptop) : (key.Laptop, key.Relay);
        uint sum;
        Span<byte> tcp;
        if (key.IsVersion6)
        {
            ip[0] = 6 << 4;
            ip[5] = 20;
            ip[6] = Tcp;
            ip[7] = 64;
            BinaryPrimitives.WriteUInt128BigEndian(ip[8..], source);
            BinaryPrimitives.WriteUInt128BigEndian(ip[24..], destination);
            sum = Sum(ip[8..40]);
            tcp = ip[40..60];
        }
        else
        {
            ip[0] = (4 << 4) | 5;
            ip[3] = 40;
            ip[6] = 0x40; // do not fragment
            ip[8] = 64;
            ip[9] = Tcp;
            BinaryPrimitives.WriteUInt32BigEndian(ip[12..], (uint)source);
            BinaryPrimitives.WriteUInt32BigEndian(ip[16..], (uint)destination);
            BinaryPrimitives.WriteUInt16BigEndian(ip[10..], Fold(Sum(ip[..20])));
            sum = Sum(ip[12..20]);
            tcp = ip[20..40];
        }
        BinaryPrimitives.WriteUInt16BigEndian(tcp, toLaptop ? key.RelayPort : key.LaptopPort);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[2..], toLaptop ? key.LaptopPort : key.RelayPort);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], sequence);
        tcp[12] = 5 << 4;
        tcp[13] = Rst;
        BinaryPrimitives.WriteUInt16BigEndian(tcp[16..], Fold(sum + Tcp + 20 + Sum(tcp)));
        var length = IPacketDevice.PrefixLength + (key.IsVersion6 ? 60 : 40);
        (toLaptop ? Laptop : Relay).TryWrite(packet[..length]); // an interface that is down needs no RST
    }

    // RFC 1071: sums of 16-bit words, the carries added at the end.
    private static uint Sum(ReadOnlySpan<byte> words)
    {
        uint sum = 0;
        for (var i = 0; i < words.Length; i += 2) sum += BinaryPrimitives.ReadUInt16BigEndian(words[i..]);
        return sum;
    }

    private static ushort Fold(uint sum)
    {
        while (sum > 0xFFFF) sum = (sum >> 16) + (sum & 0xFFFF);
        return (ushort)~sum;
    }

    private static uint AckNumber(ReadOnlySpan<byte> tcp) => BinaryPrimitives.ReadUInt32BigEndian(tcp[8..]);

    private readonly record struct FlowKey(UInt128 Laptop, UInt128 Relay, ushort LaptopPort, ushort RelayPort, bool IsVersion6);

    private struct Flow
    {
        public FlowKey Key;
        public uint LaptopExpects, RelayExpects, LastUse;
        public bool LaptopSeen, RelaySeen, IsReset;
    }
}

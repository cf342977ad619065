using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>The datagram or one of its messages is not what the kernel sends: shorter than its lengths say.</summary>
public sealed class NetlinkFormatException(string message) : FormatException(message);

/// <summary>Message types of rtnetlink that we read or write (linux/rtnetlink.h, linux/netlink.h).</summary>
public enum NetlinkType : ushort
{
    Error = 2,
    Done = 3,
    Overrun = 4,
    NewLink = 16,
    DeleteLink = 17,
    GetLink = 18,
    NewAddress = 20,
    DeleteAddress = 21,
    GetAddress = 22,
    NewRoute = 24,
    DeleteRoute = 25,
    GetRoute = 26,
}

/// <summary>One netlink message inside a datagram; <see cref="Payload"/> points into the datagram.</summary>
//  | length (4, header included) | type (2) | flags (2) | sequence (4) | port id (4) | payload | padding to 4 |   host byte order
public readonly ref struct NetlinkMessage
{
    public const int HeaderLength = 16;

    public NetlinkType Type { get; private init; }

    public ushort Flags { get; private init; }

    public uint Sequence { get; private init; }

    public ReadOnlySpan<byte> Payload { get; private init; }

    /// <summary>Part of a dump that changed while it was read: NLM_F_DUMP_INTR.</summary>
    public bool IsDumpInterrupted => (Flags & 0x10) != 0;

    /// <summary>Takes the first message off <paramref name="datagram"/>.</summary>
    /// <returns>False at the end of the datagram.</returns>
    /// <exception cref="NetlinkFormatException">A length is below the header's or beyond the datagram.</exception>
    public static bool TryRead(ref ReadOnlySpan<byte> datagram, out NetlinkMessage message)
    {
        message = default;
        if (datagram.IsEmpty) return false;
        if (datagram.Length < HeaderLength) throw new NetlinkFormatException($"{datagram.Length} bytes are left, a netlink header has {HeaderLength}.");
        var length = MemoryMarshal.Read<uint>(datagram);
        if (length < HeaderLength || length > (uint)datagram.Length)
            throw new NetlinkFormatException($"A netlink message says it has {length} bytes; there are {datagram.Length}.");
        message = new NetlinkMessage
        {
            Type = (NetlinkType)MemoryMarshal.Read<ushort>(datagram[4..]),
            Flags = MemoryMarshal.Read<ushort>(datagram[6..]),
            Sequence = MemoryMarshal.Read<uint>(datagram[8..]),
            Payload = datagram[HeaderLength..(int)length],
        };
        datagram = datagram[Math.Min(Align((int)length), datagram.Length)..];
        return true;
    }

    /// <summary>The error number of an <see cref="NetlinkType.Error"/> message: 0 is an acknowledgement, else a positive errno.</summary>
    public int ReadError() =>
        Payload.Length >= 4 ? -MemoryMarshal.Read<int>(Payload) : throw new NetlinkFormatException("A netlink error has no number.");

    internal static int Align(int length) => (length + 3) & ~3;
}

/// <summary>One attribute of a message; <see cref="Value"/> points into the datagram.</summary>
//  | length (2, header included) | type (2; the two top bits are flags) | value | padding to 4 |   host byte order
public readonly ref struct NetlinkAttribute
{
    private const int HeaderLength = 4;

    public int Type { get; private init; }

    public ReadOnlySpan<byte> Value { get; private init; }

    /// <summary>Takes the first attribute off <paramref name="attributes"/>.</summary>
    /// <returns>False when less than a header is left.</returns>
    /// <exception cref="NetlinkFormatException">A length is below the header's or beyond the message.</exception>
    public static bool TryRead(ref ReadOnlySpan<byte> attributes, out NetlinkAttribute attribute)
    {
        attribute = default;
        if (attributes.Length < HeaderLength) return false;
        var length = MemoryMarshal.Read<ushort>(attributes);
        if (length < HeaderLength || length > attributes.Length)
            throw new NetlinkFormatException($"A netlink attribute says it has {length} bytes; there are {attributes.Length}.");
        attribute = new NetlinkAttribute { Type = MemoryMarshal.Read<ushort>(attributes[2..]) & 0x3FFF, Value = attributes[HeaderLength..length] };
        attributes = attributes[Math.Min(NetlinkMessage.Align(length), attributes.Length)..];
        return true;
    }

    /// <exception cref="NetlinkFormatException">The value is shorter than four bytes.</exception>
    public uint ReadUInt32() => Value.Length >= 4 ? MemoryMarshal.Read<uint>(Value) : throw new NetlinkFormatException($"Attribute {Type} has {Value.Length} bytes, not 4.");

    /// <summary>A C string: up to its first zero byte.</summary>
    public string ReadString()
    {
        var end = Value.IndexOf((byte)0);
        return System.Text.Encoding.UTF8.GetString(end < 0 ? Value : Value[..end]);
    }
}

/// <summary>Writes one request into a buffer of the caller's.</summary>
public ref struct NetlinkRequest
{
    private const ushort RequestFlag = 1, DumpFlag = 0x300;

    private readonly Span<byte> _buffer;

    /// <param name="buffer">At least the header, the family's fixed part and the attributes to come.</param>
    /// <param name="type">What is asked.</param>
    /// <param name="isDump">Ask for all objects, not one.</param>
    /// <param name="sequence">Comes back in every answer.</param>
    /// <param name="fixedPart">The type's own header (rtmsg, ifinfomsg ...).</param>
    public NetlinkRequest(Span<byte> buffer, NetlinkType type, bool isDump, uint sequence, ReadOnlySpan<byte> fixedPart)
    {
        _buffer = buffer;
        buffer[..NetlinkMessage.HeaderLength].Clear();
        MemoryMarshal.Write(buffer[4..], (ushort)type);
        MemoryMarshal.Write(buffer[6..], (ushort)(RequestFlag | (isDump ? DumpFlag : 0)));
        MemoryMarshal.Write(buffer[8..], sequence);
        fixedPart.CopyTo(buffer[NetlinkMessage.HeaderLength..]);
        Length = NetlinkMessage.Align(NetlinkMessage.HeaderLength + fixedPart.Length);
        MemoryMarshal.Write(buffer, (uint)Length);
    }

    /// <summary>Bytes of the request so far.</summary>
    public int Length { get; private set; }

    public void Add(int type, ReadOnlySpan<byte> value)
    {
        var attribute = _buffer[Length..];
        var length = 4 + value.Length;
        attribute[..NetlinkMessage.Align(length)].Clear();
        MemoryMarshal.Write(attribute, (ushort)length);
        MemoryMarshal.Write(attribute[2..], (ushort)type);
        value.CopyTo(attribute[4..]);
        Length += NetlinkMessage.Align(length);
        MemoryMarshal.Write(_buffer, (uint)Length);
    }
}

using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Bondline.Linux;

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

    /// <exception cref="NetlinkFormatException">The value is empty.</exception>
    public byte ReadByte() => Read<byte>();

    /// <exception cref="NetlinkFormatException">The value is shorter than two bytes.</exception>
    public ushort ReadUInt16() => Read<ushort>();

    /// <summary>A number in network order, as ports are.</summary>
    /// <exception cref="NetlinkFormatException">The value is shorter than two bytes.</exception>
    public ushort ReadPort() => Value.Length >= 2 ? BinaryPrimitives.ReadUInt16BigEndian(Value) : throw new NetlinkFormatException($"Attribute {Type} has {Value.Length} bytes, not 2.");

    /// <exception cref="NetlinkFormatException">The value is shorter than four bytes.</exception>
    public uint ReadUInt32() => Read<uint>();

    /// <exception cref="NetlinkFormatException">The value is shorter than eight bytes.</exception>
    public ulong ReadUInt64() => Read<ulong>();

    /// <summary>A C string: up to its first zero byte.</summary>
    public string ReadString()
    {
        var end = Value.IndexOf((byte)0);
        return System.Text.Encoding.UTF8.GetString(end < 0 ? Value : Value[..end]);
    }

    private T Read<T>()
        where T : unmanaged =>
        Value.Length >= Unsafe.SizeOf<T>() ? MemoryMarshal.Read<T>(Value) : throw new NetlinkFormatException($"Attribute {Type} has {Value.Length} bytes, not {Unsafe.SizeOf<T>()}.");
}

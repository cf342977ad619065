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

    /// <exception cref="NetlinkFormatException">The value is shorter than four bytes.</exception>
    public uint ReadUInt32() => Value.Length >= 4 ? MemoryMarshal.Read<uint>(Value) : throw new NetlinkFormatException($"Attribute {Type} has {Value.Length} bytes, not 4.");

    /// <summary>A C string: up to its first zero byte.</summary>
    public string ReadString()
    {
        var end = Value.IndexOf((byte)0);
        return System.Text.Encoding.UTF8.GetString(end < 0 ? Value : Value[..end]);
    }
}

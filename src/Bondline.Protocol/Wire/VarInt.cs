using System.Buffers.Binary;

namespace Bondline.Protocol;

/// <summary>Variable-length integers of up to 62 bits: the two top bits of the first byte say 1, 2, 4 or 8 bytes, big endian (RFC 9000 section 16).</summary>
public static class VarInt
{
    public const int MaxLength = 8;

    /// <summary>The largest value: 2^62 - 1.</summary>
    public const ulong MaxValue = (1UL << 62) - 1;

    public static int Length(ulong value) => value switch
    {
        < 1 << 6 => 1,
        < 1 << 14 => 2,
        < 1 << 30 => 4,
        <= MaxValue => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(value), value, "A variable-length integer has 62 bits."),
    };

    /// <summary>Writes <paramref name="value"/> in its shortest form.</summary>
    /// <returns>The bytes written.</returns>
    public static int Write(Span<byte> destination, ulong value)
    {
        var length = Length(value);
        WriteFixed(destination, value, length);
        return length;
    }

    /// <summary>Writes <paramref name="value"/> in exactly <paramref name="length"/> bytes (1, 2, 4 or 8), so that a length can be filled in later.</summary>
    public static void WriteFixed(Span<byte> destination, ulong value, int length)
    {
        switch (length)
        {
            case 1: destination[0] = (byte)value; break;
            case 2: BinaryPrimitives.WriteUInt16BigEndian(destination, (ushort)(value | 0x4000)); break;
            case 4: BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)value | 0x8000_0000); break;
            default: BinaryPrimitives.WriteUInt64BigEndian(destination, value | 0xC000_0000_0000_0000); break;
        }
    }

    /// <returns>False while <paramref name="input"/> holds less than the whole integer.</returns>
    public static bool TryRead(ReadOnlySpan<byte> input, out ulong value, out int length)
    {
        value = 0;
        length = 0;
        if (input.IsEmpty) return false;
        length = 1 << (input[0] >> 6);
        if (input.Length < length) return false;
        value = length switch
        {
            1 => input[0],
            2 => BinaryPrimitives.ReadUInt16BigEndian(input) & 0x3FFFUL,
            4 => BinaryPrimitives.ReadUInt32BigEndian(input) & 0x3FFF_FFFFUL,
            _ => BinaryPrimitives.ReadUInt64BigEndian(input) & MaxValue,
        };
        return true;
    }
}

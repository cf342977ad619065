namespace Bondline.Protocol;

/// <summary>One whole frame in a receive buffer: its type and its body, which points into the buffer.</summary>
//  | type (varint) | body length (varint) | body |   together at most 16,384 bytes: one frame, one TLS record
public readonly ref struct Frame(FrameType type, ReadOnlySpan<byte> body)
{
    /// <summary>Header and body together: the payload of one TLS record.</summary>
    public const int MaxLength = 16_384;

    public FrameType Type { get; } = type;

    public ReadOnlySpan<byte> Body { get; } = body;

    /// <summary>Reads the frame at the start of <paramref name="input"/>.</summary>
    /// <returns>False while it is incomplete.</returns>
    /// <exception cref="ProtocolException">The announced length is over <see cref="MaxLength"/>: refused before waiting for bytes that would never be accepted.</exception>
    public static bool TryRead(ReadOnlySpan<byte> input, out Frame frame, out int length)
    {
        frame = default;
        length = 0;
        if (!VarInt.TryRead(input, out var type, out var typeLength)) return false;
        if (!VarInt.TryRead(input[typeLength..], out var bodyLength, out var lengthLength)) return false;
        var header = typeLength + lengthLength;
        if (bodyLength > (ulong)(MaxLength - header))
            throw new ProtocolException(ProtocolError.FrameTooLarge, $"A frame of type 0x{type:x} announces {bodyLength} bytes; a whole frame has at most {MaxLength}.");
        if (input.Length < header + (int)bodyLength) return false;
        frame = new((FrameType)type, input.Slice(header, (int)bodyLength));
        length = header + (int)bodyLength;
        return true;
    }
}

/// <summary>Reads the fields of a frame's body one after the other; a body that ends too early is malformed.</summary>
internal ref struct BodyReader(FrameType type, ReadOnlySpan<byte> body)
{
    private ReadOnlySpan<byte> _rest = body;

    public readonly ReadOnlySpan<byte> Rest => _rest;

    public ulong ReadNumber()
    {
        if (!VarInt.TryRead(_rest, out var value, out var length))
            throw new ProtocolException(ProtocolError.FrameMalformed, $"A {type} frame ends inside a field.");
        _rest = _rest[length..];
        return value;
    }

    /// <summary>Every field was read and nothing is left.</summary>
    public readonly void End()
    {
        if (!_rest.IsEmpty) throw new ProtocolException(ProtocolError.FrameMalformed, $"A {type} frame has {_rest.Length} bytes too many.");
    }
}

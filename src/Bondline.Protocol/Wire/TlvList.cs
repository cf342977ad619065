namespace Bondline.Protocol;

/// <summary>Reads a list of entries: id (varint), length (varint), value. An odd id that is not known is skipped, an even one must be understood.</summary>
internal ref struct TlvReader(ReadOnlySpan<byte> list)
{
    private ReadOnlySpan<byte> _rest = list;

    public ulong Id { get; private set; }

    public ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>True if an entry ends behind the list.</summary>
    public bool IsMalformed { get; private set; }

    public readonly bool MustBeUnderstood => (Id & 1) == 0;

    public bool Next()
    {
        if (_rest.IsEmpty) return false;
        if (!VarInt.TryRead(_rest, out var id, out var idLength) || !VarInt.TryRead(_rest[idLength..], out var length, out var lengthLength)
            || length > (ulong)(_rest.Length - idLength - lengthLength))
        {
            IsMalformed = true;
            return false;
        }
        Id = id;
        Value = _rest.Slice(idLength + lengthLength, (int)length);
        _rest = _rest[(idLength + lengthLength + (int)length)..];
        return true;
    }

    /// <summary>The value as one number.</summary>
    public bool TryReadNumber(out ulong number) => VarInt.TryRead(Value, out number, out var length) && length == Value.Length;
}

/// <summary>Writes such a list into a buffer the caller made large enough.</summary>
internal ref struct TlvWriter(Span<byte> destination)
{
    private readonly Span<byte> _destination = destination;

    /// <summary>What was written so far.</summary>
    public readonly ReadOnlySpan<byte> Written => _destination[..Length];

    public int Length { get; private set; }

    public void Add(ulong id, scoped ReadOnlySpan<byte> value)
    {
        Length += VarInt.Write(_destination[Length..], id);
        Length += VarInt.Write(_destination[Length..], (ulong)value.Length);
        value.CopyTo(_destination[Length..]);
        Length += value.Length;
    }

    public void Add(ulong id, ulong number)
    {
        Span<byte> value = stackalloc byte[VarInt.MaxLength];
        Add(id, value[..VarInt.Write(value, number)]);
    }
}

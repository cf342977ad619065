namespace Bondline.Protocol;

/// <summary>Which end of the bond this is. The agent opens bonds and subflows; both ends open streams.</summary>
public enum BondRole
{
    Agent,
    Relay,
}

/// <summary>A stream of a bond: 62 bits, even if the agent opened it, odd if the relay did; never reused in a bond.</summary>
public readonly record struct StreamId(ulong Value)
{
    public BondRole Opener => (Value & 1) == 0 ? BondRole.Agent : BondRole.Relay;

    /// <summary>How many streams the same end opened before this one.</summary>
    public ulong Ordinal => Value >> 1;

    public static StreamId FromOrdinal(BondRole opener, ulong ordinal) => new((ordinal << 1) | (opener == BondRole.Relay ? 1UL : 0));

    public override string ToString() => $"stream {Value}";
}

/// <summary>A subflow of a bond: 62 bits, chosen by the agent, never reused in a bond.</summary>
public readonly record struct SubflowId(ulong Value)
{
    public override string ToString() => $"subflow {Value}";
}

/// <summary>A bond: the relay's id (32 bits) followed by 96 random bits. Not a secret; joining is proved by the bond's secret.</summary>
public readonly record struct BondId(UInt128 Value)
{
    public const int Length = 16;

    /// <summary>Makes an id from the relay's id and 12 random bytes the caller supplies.</summary>
    public static BondId Create(uint relay, ReadOnlySpan<byte> random)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(random.Length, 12);
        UInt128 value = relay;
        foreach (var b in random) value = (value << 8) | b;
        return new(value);
    }

    public override string ToString() => Value.ToString("x32", System.Globalization.CultureInfo.InvariantCulture);
}

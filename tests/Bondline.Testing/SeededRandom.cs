namespace Bondline.Testing;

/// <summary>Random numbers that are the same for the same seed on every machine and runtime (SplitMix64).</summary>
public sealed class SeededRandom(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        _state += 0x9E37_79B9_7F4A_7C15;
        var z = _state;
        z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
        z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
        return z ^ (z >> 31);
    }

    /// <summary>From 0 to below <paramref name="limit"/>.</summary>
    public int Below(int limit) => (int)(Next() % (ulong)limit);

    /// <summary>From <paramref name="least"/> to <paramref name="most"/>, both possible.</summary>
    public long Between(long least, long most) => least + (long)(Next() % (ulong)(most - least + 1));

    /// <summary>As <see cref="Between(long, long)"/>, but small values are as likely as large ones: even over the logarithm.</summary>
    public long Spread(long least, long most) => (long)Math.Exp(Math.Log(least) + Fraction() * (Math.Log(most) - Math.Log(least)));

    public TimeSpan Between(TimeSpan least, TimeSpan most) => TimeSpan.FromMicroseconds(Between(least.Ticks / 10, most.Ticks / 10));

    public double Fraction() => (Next() >> 11) / (double)(1UL << 53);

    public bool Chance(double probability) => Fraction() < probability;
}

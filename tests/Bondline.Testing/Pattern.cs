namespace Bondline.Testing;

/// <summary>The bytes of a flow as a function of its key and their offset, so that checking them needs no copy.</summary>
public static class Pattern
{
    private const int Period = 65_521; // prime: no frame or segment length divides it

    private static readonly byte[] Bytes = Make();

    public static void Fill(ulong key, long offset, Span<byte> destination)
    {
        for (var from = Start(key, offset); !destination.IsEmpty; from = 0)
        {
            var length = Math.Min(destination.Length, Period - from);
            Bytes.AsSpan(from, length).CopyTo(destination);
            destination = destination[length..];
        }
    }

    public static bool Matches(ulong key, long offset, ReadOnlySpan<byte> bytes)
    {
        for (var from = Start(key, offset); !bytes.IsEmpty; from = 0)
        {
            var length = Math.Min(bytes.Length, Period - from);
            if (!bytes[..length].SequenceEqual(Bytes.AsSpan(from, length))) return false;
            bytes = bytes[length..];
        }
        return true;
    }

    private static int Start(ulong key, long offset) => (int)((key % Period + (ulong)offset % Period) % Period);

    private static byte[] Make()
    {
        var random = new SeededRandom(0x0B0D);
        var bytes = new byte[Period];
        for (var i = 0; i < bytes.Length; i++) bytes[i] = (byte)random.Next();
        return bytes;
    }
}

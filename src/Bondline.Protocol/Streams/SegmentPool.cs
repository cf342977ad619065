namespace Bondline.Protocol;

/// <summary>Keeps returned segments of the three sizes streams use, so that steady traffic allocates nothing. Safe for several bonds at once.</summary>
/// <remarks><c>ArrayPool.Shared</c> keeps some dozens of arrays of a size, fewer than one fast bond has in flight. At most <see cref="MaxKeptBytes"/> are kept; the rest is left to the collector.</remarks>
public sealed class SegmentPool
{
    public const int SmallLength = 2 * 1024, MediumLength = 8 * 1024, LargeLength = 32 * 1024;

    /// <summary>Kept at most, for each size.</summary>
    public const int MaxKeptBytes = 16 << 20;

    public static SegmentPool Shared { get; } = new();

    private readonly Lock _gate = new();
    private readonly Stack<byte[]> _small = new(), _medium = new(), _large = new();
    private long _rented;

    /// <summary>Bytes rented and not returned; tests look here for leaks.</summary>
    public long RentedBytes => Interlocked.Read(ref _rented);

    /// <summary>A segment of exactly one of the three lengths; its bytes are whatever they were.</summary>
    public byte[] Rent(int length)
    {
        Interlocked.Add(ref _rented, length);
        lock (_gate)
            if (StackOf(length).TryPop(out var kept)) return kept;
        return GC.AllocateUninitializedArray<byte>(length);
    }

    public void Return(byte[] segment)
    {
        Interlocked.Add(ref _rented, -segment.Length);
        lock (_gate)
        {
            var stack = StackOf(segment.Length);
            if ((long)stack.Count * segment.Length < MaxKeptBytes) stack.Push(segment);
        }
    }

    private Stack<byte[]> StackOf(int length) => length switch
    {
        SmallLength => _small,
        MediumLength => _medium,
        LargeLength => _large,
        _ => throw new ArgumentOutOfRangeException(nameof(length), length, "Segments have one of three lengths."),
    };
}

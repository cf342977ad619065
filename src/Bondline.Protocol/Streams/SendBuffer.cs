using System.Buffers;

namespace Bondline.Protocol;

/// <summary>The bytes of a stream from the first unacknowledged one to the last written, in pooled segments. Empty, it holds nothing.</summary>
internal struct SendBuffer(SegmentPool pool)
{
    // Small enough that thousands of streams with a few bytes each stay cheap, large enough that a frame spans at most two.
    private const int FirstSegmentLength = SegmentPool.SmallLength, SegmentLength = SegmentPool.LargeLength;

    private const int SmallRing = 64;

    private (byte[] Array, ulong Start, int Length)[]? _segments; // a ring; one of over SmallRing is rented, for bulk needs it again and again
    private int _head, _count;
    private long _wasted;

    /// <summary>Offset of the first byte still held.</summary>
    public ulong Start { get; private set; }

    /// <summary>Offset behind the last byte written.</summary>
    public ulong End { get; private set; }

    /// <summary>Memory taken: the bytes held, and what stayed empty at the ends of segments before the last.</summary>
    public readonly long HeldBytes => (long)(End - Start) + _wasted;

    public void Append(ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            ref var last = ref LastWithRoom(data.Length);
            var length = Math.Min(data.Length, last.Array.Length - last.Length);
            data[..length].CopyTo(last.Array.AsSpan(last.Length));
            last.Length += length;
            End += (ulong)length;
            data = data[length..];
        }
    }

    /// <summary>As <see cref="Append"/>, without a copy: the segment, rented from the same pool and filled from its start, is the buffer's from now on.</summary>
    public void AppendSegment(byte[] segment, int length)
    {
        Add(segment).Length = length;
        End += (ulong)length;
    }

    /// <summary>Copies bytes from <paramref name="offset"/> on; all of them must be held.</summary>
    public readonly void CopyTo(ulong offset, Span<byte> destination)
    {
        var index = Find(offset);
        while (!destination.IsEmpty)
        {
            ref var segment = ref At(index++);
            var from = (int)(offset - segment.Start);
            var length = Math.Min(destination.Length, segment.Length - from);
            segment.Array.AsSpan(from, length).CopyTo(destination);
            destination = destination[length..];
            offset += (ulong)length;
        }
    }

    /// <summary>Gives back the segments that lie wholly before <paramref name="offset"/>.</summary>
    public void ReleaseBefore(ulong offset)
    {
        Start = offset;
        while (_count > 0)
        {
            ref var first = ref At(0);
            if (first.Start + (ulong)first.Length > offset) break;
            if (_count > 1) _wasted -= first.Array.Length - first.Length;
            pool.Return(first.Array);
            first = default;
            _head = (_head + 1) % _segments!.Length;
            _count--;
        }
        if (_count == 0 && _segments is { Length: > SmallRing }) ReturnRing();
    }

    /// <summary>Gives everything back.</summary>
    public void Clear()
    {
        for (; _count > 0; _count--)
        {
            pool.Return(At(_count - 1).Array);
            At(_count - 1) = default;
        }
        if (_segments is not null) ReturnRing();
        _wasted = 0;
        Start = End;
    }

    private ref (byte[] Array, ulong Start, int Length) LastWithRoom(int wanted)
    {
        if (_count > 0)
        {
            ref var last = ref At(_count - 1);
            if (last.Length < last.Array.Length) return ref last;
        }
        return ref Add(pool.Rent(_count == 0 && wanted <= FirstSegmentLength ? FirstSegmentLength : SegmentLength));
    }

    private ref (byte[] Array, ulong Start, int Length) Add(byte[] segment)
    {
        _segments ??= new (byte[], ulong, int)[2];
        if (_count == _segments.Length) Grow();
        if (_count > 0) _wasted += At(_count - 1).Array.Length - At(_count - 1).Length;
        _count++;
        ref var added = ref At(_count - 1);
        added = (segment, End, 0);
        return ref added;
    }

    private void Grow()
    {
        var wanted = _segments!.Length * 2;
        var larger = wanted > SmallRing ? ArrayPool<(byte[], ulong, int)>.Shared.Rent(wanted) : new (byte[], ulong, int)[wanted];
        for (var i = 0; i < _count; i++) larger[i] = At(i);
        ReturnRing();
        _segments = larger;
        _head = 0;
    }

    private void ReturnRing()
    {
        if (_segments!.Length > SmallRing) ArrayPool<(byte[], ulong, int)>.Shared.Return(_segments, clearArray: true);
        _segments = null;
    }

    private readonly ref (byte[] Array, ulong Start, int Length) At(int index) => ref _segments![(_head + index) % _segments.Length];

    private readonly int Find(ulong offset)
    {
        int low = 0, high = _count - 1;
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (At(middle).Start <= offset) low = middle;
            else high = middle - 1;
        }
        return low;
    }
}

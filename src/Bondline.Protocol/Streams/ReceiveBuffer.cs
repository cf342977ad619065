namespace Bondline.Protocol;

/// <summary>Puts the bytes of a stream in order: frames arrive in any order and any number of times, the reader gets every byte once.</summary>
/// <remarks>Bytes lie in pooled segments on a fixed grid of stream offsets; a segment is held from its first byte received to its last byte read. Empty, it holds nothing.</remarks>
internal struct ReceiveBuffer(SegmentPool pool)
{
    public const int SegmentLength = SegmentPool.MediumLength;

    /// <summary>Gaps a peer may leave; an honest one leaves one for each frame under way on its slower subflows.</summary>
    private const int MaxRanges = 8192;

    private byte[]?[]? _segments; // a ring; index 0 is the segment that holds ReadOffset
    private int _head;
    private RangeSet _ahead;      // received beyond Contiguous

    /// <summary>Offset of the next byte the reader gets.</summary>
    public ulong ReadOffset { get; private set; }

    /// <summary>Offset behind the last byte that can be read without a gap.</summary>
    public ulong Contiguous { get; private set; }

    public int SegmentsHeld { get; private set; }

    /// <summary>Takes the payload of a frame; the caller has checked it against the window.</summary>
    /// <returns>How many of its bytes are new.</returns>
    public int Insert(ulong offset, ReadOnlySpan<byte> payload)
    {
        var end = offset + (ulong)payload.Length;
        if (end <= Contiguous) return 0;
        if (offset < Contiguous)
        {
            payload = payload[(int)(Contiguous - offset)..];
            offset = Contiguous;
        }
        Store(offset, payload);
        if (offset == Contiguous && _ahead.Count == 0)
        {
            Contiguous = end;
            return payload.Length;
        }
        var added = (int)_ahead.Add(offset, end);
        if (_ahead.Count > MaxRanges) throw new ProtocolException(ProtocolError.Resource, $"A stream has over {MaxRanges} gaps.");
        Contiguous = _ahead.TakeFrom(Contiguous);
        return added;
    }

    /// <summary>Moves bytes to the reader, in order.</summary>
    /// <returns>The bytes copied.</returns>
    public int Read(Span<byte> destination)
    {
        var total = (int)Math.Min((ulong)destination.Length, Contiguous - ReadOffset);
        for (var left = total; left > 0;)
        {
            var from = (int)(ReadOffset % SegmentLength);
            var length = Math.Min(left, SegmentLength - from);
            _segments![_head]!.AsSpan(from, length).CopyTo(destination);
            destination = destination[length..];
            ReadOffset += (ulong)length;
            left -= length;
            if (from + length == SegmentLength) ReleaseFirst(advance: true);
        }
        // The last segment goes too when nothing beyond the reader is in it; the grid index stays.
        if (ReadOffset == Contiguous && _ahead.Count == 0 && SegmentsHeld > 0) ReleaseFirst(advance: false);
        return total;
    }

    /// <summary>Moves bytes to the reader without a copy: the segments that hold them are the reader's to give back to the pool.</summary>
    /// <param name="parts">Where they are appended, in order.</param>
    /// <param name="most">How many parts.</param>
    /// <returns>The bytes moved.</returns>
    public int Take(List<ArraySegment<byte>> parts, int most)
    {
        var total = 0;
        for (; most > 0 && ReadOffset < Contiguous; most--)
        {
            var from = (int)(ReadOffset % SegmentLength);
            var length = (int)Math.Min(Contiguous - ReadOffset, (ulong)(SegmentLength - from));
            ReadOffset += (ulong)length;
            total += length;
            ref var first = ref _segments![_head];
            if (from + length < SegmentLength && _ahead.Count > 0)
            {
                // Bytes from beyond a gap may be in it already.
                var copy = pool.Rent(SegmentLength);
                first.AsSpan(from, length).CopyTo(copy);
                parts.Add(new(copy, 0, length));
                break;
            }
            parts.Add(new(first!, from, length));
            first = null;
            SegmentsHeld--;
            ReleaseFirst(advance: from + length == SegmentLength);
        }
        return total;
    }

    public void Clear()
    {
        if (_segments is not null)
        {
            foreach (var segment in _segments)
                if (segment is not null) pool.Return(segment);
        }
        _segments = null;
        SegmentsHeld = 0;
        _ahead.Clear();
    }

    private void Store(ulong offset, ReadOnlySpan<byte> payload)
    {
        while (!payload.IsEmpty)
        {
            var index = (int)(offset / SegmentLength - ReadOffset / SegmentLength);
            if (_segments is null || index >= _segments.Length) Grow(index + 1);
            ref var segment = ref _segments![(_head + index) & (_segments.Length - 1)];
            if (segment is null)
            {
                segment = pool.Rent(SegmentLength);
                SegmentsHeld++;
            }
            var from = (int)(offset % SegmentLength);
            var length = Math.Min(payload.Length, SegmentLength - from);
            payload[..length].CopyTo(segment.AsSpan(from));
            payload = payload[length..];
            offset += (ulong)length;
        }
    }

    private void Grow(int needed)
    {
        var larger = new byte[]?[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(needed, 2))];
        for (var i = 0; _segments is not null && i < _segments.Length; i++) larger[i] = _segments[(_head + i) & (_segments.Length - 1)];
        _segments = larger;
        _head = 0;
    }

    private void ReleaseFirst(bool advance)
    {
        ref var first = ref _segments![_head];
        if (first is not null)
        {
            pool.Return(first);
            first = null;
            SegmentsHeld--;
        }
        if (advance) _head = (_head + 1) & (_segments.Length - 1);
        if (SegmentsHeld == 0 && _segments.Length > 512)
        {
            _segments = null;
            _head = 0;
        }
    }
}

namespace Bondline.Protocol;

/// <summary>Half-open ranges of stream offsets, sorted and apart from each other.</summary>
/// <remarks>Ranges arrive nearly in order, so the work is at the end of a short list; a long one is searched by halves. An idle stream's set holds no array.</remarks>
internal struct RangeSet
{
    private (ulong Start, ulong End)[]? _ranges;

    public int Count { get; private set; }

    public readonly ulong FirstStart => _ranges![0].Start;

    /// <summary>Adds a range.</summary>
    /// <returns>How many of its offsets were not in the set before.</returns>
    public ulong Add(ulong start, ulong end)
    {
        if (start >= end) return 0;
        var first = FirstEndingAtOrAfter(start); // the first range that touches or follows the new one
        var last = first; // behind the last range that touches it
        ulong known = 0, newStart = start, newEnd = end;
        while (last < Count && _ranges![last].Start <= end)
        {
            var (s, e) = _ranges[last];
            known += Math.Min(e, end) > Math.Max(s, start) ? Math.Min(e, end) - Math.Max(s, start) : 0;
            newStart = Math.Min(newStart, s);
            newEnd = Math.Max(newEnd, e);
            last++;
        }
        Replace(first, last, (newStart, newEnd));
        return end - start - known;
    }

    /// <summary>If a range begins at or before <paramref name="low"/>, removes it and returns its end; else returns <paramref name="low"/>.</summary>
    public ulong TakeFrom(ulong low)
    {
        var taken = 0;
        for (; taken < Count && _ranges![taken].Start <= low; taken++) low = Math.Max(low, _ranges[taken].End);
        if (taken > 0)
        {
            Count -= taken;
            Array.Copy(_ranges!, taken, _ranges!, 0, Count);
        }
        if (Count == 0 && _ranges is { Length: > 8 }) _ranges = null;
        return low;
    }

    /// <summary>The first part of [<paramref name="start"/>, <paramref name="end"/>) that is not in the set; empty (start = end) if all of it is.</summary>
    public readonly (ulong Start, ulong End) FirstMissing(ulong start, ulong end)
    {
        for (var i = FirstEndingAtOrAfter(start); i < Count && start < end; i++)
        {
            var (s, e) = _ranges![i];
            if (e <= start) continue;
            if (s > start) return (start, Math.Min(s, end));
            start = e;
        }
        return start < end ? (start, end) : (end, end);
    }

    public void Clear()
    {
        Count = 0;
        _ranges = null;
    }

    private readonly int FirstEndingAtOrAfter(ulong offset)
    {
        int low = 0, high = Count;
        if (Count > 0 && _ranges![Count - 1].End < offset) return Count; // in order, as nearly always
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_ranges![middle].End < offset) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    private void Replace(int first, int last, (ulong, ulong) range)
    {
        if (last == first)
        {
            _ranges ??= new (ulong, ulong)[4];
            if (Count == _ranges.Length) Array.Resize(ref _ranges, Count * 2);
            Array.Copy(_ranges, first, _ranges, first + 1, Count - first);
            Count++;
        }
        else if (last > first + 1)
        {
            Array.Copy(_ranges!, last, _ranges!, first + 1, Count - last);
            Count -= last - first - 1;
        }
        _ranges![first] = range;
    }
}

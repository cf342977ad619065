namespace Bondline.Protocol;

/// <summary>Stream bytes that wait to be sent again on another subflow, first come first served; what is acknowledged meanwhile falls out.</summary>
internal sealed class CopyQueue
{
    /// <summary>How far behind the head a subflow looks for bytes that were not its own.</summary>
    private const int LookAhead = 8;

    private CopyItem[] _ring = [];
    private int _head;

    public int Count { get; private set; }

    public long Bytes { get; private set; }

    public void Add(in CopyItem item)
    {
        if (Count == _ring.Length) Grow();
        _ring[(_head + Count++) & (_ring.Length - 1)] = item;
        Bytes += (long)(item.End - item.Start);
    }

    /// <summary>Finds the first bytes that <paramref name="target"/> may carry; bytes acknowledged meanwhile are dropped.</summary>
    /// <param name="target">The subflow whose writer asks.</param>
    /// <param name="mayBeOwn">No other subflow is usable, so its own bytes count too.</param>
    /// <param name="index">Where they are, for <see cref="Take"/>.</param>
    /// <param name="item">The bytes found.</param>
    public bool TryFind(Subflow target, bool mayBeOwn, out int index, out CopyItem item)
    {
        for (index = 0; index < Math.Min(Count, LookAhead);)
        {
            ref var candidate = ref At(index);
            if (!Trim(ref candidate))
            {
                RemoveAt(index);
                continue;
            }
            if (mayBeOwn || !ReferenceEquals(candidate.Source, target))
            {
                item = candidate;
                return true;
            }
            index++;
        }
        item = default;
        return false;
    }

    /// <summary>Takes <paramref name="length"/> bytes from the front of the item at <paramref name="index"/>.</summary>
    public void Take(int index, int length)
    {
        ref var item = ref At(index);
        if (item.Start + (ulong)length >= item.End)
        {
            RemoveAt(index);
            return;
        }
        Bytes -= length;
        item = item with { Start = item.Start + (ulong)length };
    }

    public void Clear()
    {
        if (Count == 0) return;
        _ring = [];
        _head = Count = 0;
        Bytes = 0;
    }

    /// <summary>Cuts acknowledged bytes off the front.</summary>
    /// <returns>False if nothing is left to send.</returns>
    private bool Trim(ref CopyItem item)
    {
        var stream = item.Stream;
        if (stream.SendState is SendState.Reset or SendState.Acknowledged) return false;
        var start = Math.Max(item.Start, stream.Sending.Start);
        if (start < item.End) start = stream.Acked.FirstMissing(start, item.End).Start;
        if (start > item.Start)
        {
            start = Math.Min(start, item.End);
            Bytes -= (long)(start - item.Start);
            item = item with { Start = start };
        }
        return item.Start < item.End || (item.IsEnd && !stream.IsEndAcked);
    }

    private void RemoveAt(int index)
    {
        Bytes -= (long)(At(index).End - At(index).Start);
        for (; index > 0; index--) At(index) = At(index - 1);
        _ring[_head] = default;
        _head = (_head + 1) & (_ring.Length - 1);
        Count--;
    }

    private void Grow()
    {
        var larger = new CopyItem[Math.Max(16, _ring.Length * 2)];
        for (var i = 0; i < Count; i++) larger[i] = At(i);
        _ring = larger;
        _head = 0;
    }

    private ref CopyItem At(int index) => ref _ring[(_head + index) & (_ring.Length - 1)];
}

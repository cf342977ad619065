namespace Bondline.Protocol;

/// <summary>Control frames to send: which subflows carry them, and what they say when they are written.</summary>
internal sealed class ControlQueue(Bond bond)
{
    /// <summary>More than this may wait for a subflow unasked whether they are there already.</summary>
    private const int FewOrphans = 64;

    private readonly Queue<ControlItem> _orphans = new(); // no subflow can carry them now
    private bool _isDataUpdateQueued;

    /// <summary>Puts a control frame on the two quickest active subflows; without any it waits.</summary>
    /// <param name="item">The frame to write.</param>
    /// <param name="isOwed">It was sent on two subflows before, so one is enough: else each loss would double what is sent.</param>
    public void Add(ControlItem item, bool isOwed = false)
    {
        var first = Best(null);
        if (first is null)
        {
            if (_orphans.Count > FewOrphans || !_orphans.Contains(item)) _orphans.Enqueue(item);
            return;
        }
        first.Control.Enqueue(item);
        if (!isOwed) Best(first)?.Control.Enqueue(item);
    }

    /// <summary>Announces the window over all streams as it will be then, unless that waits to be written already.</summary>
    public void AddDataUpdate()
    {
        if (_isDataUpdateQueued) return;
        _isDataUpdateQueued = true;
        Add(new(FrameType.MaxData, null, null));
    }

    /// <summary>A subflow can be used (again): it takes what waited for one.</summary>
    public void HandleUsable(Subflow subflow)
    {
        while (_orphans.TryDequeue(out var item)) subflow.Control.Enqueue(item);
    }

    /// <summary>What waits on a subflow that fails goes to another one.</summary>
    public void MoveAway(Subflow subflow)
    {
        for (var left = subflow.Control.Count; left > 0; left--) Add(subflow.Control.Dequeue(), isOwed: true);
    }

    /// <summary>Writes a control frame with the numbers of this moment.</summary>
    /// <returns>0 if it has nothing to say any more.</returns>
    public int Write(in ControlItem item, Span<byte> destination)
    {
        var stream = item.Stream;
        switch (item.Type)
        {
            case FrameType.MaxData:
                _isDataUpdateQueued = false;
                return new MaximumFrame(FrameType.MaxData, (ulong)bond.DataMaximum).WriteTo(destination);
            case FrameType.MaxStreams:
                return new MaximumFrame(FrameType.MaxStreams, bond.AnnouncedStreams).WriteTo(destination);
            case FrameType.MaxStreamData:
                stream!.IsWindowUpdateQueued = false;
                return stream.FinalSize is null && stream.ReceiveState == ReceiveState.Open ? new MaxStreamDataFrame(stream.Id, stream.ReceiveMaximum).WriteTo(destination) : 0;
            case FrameType.Reset:
                return stream!.IsResetAcked ? 0 : new ResetFrame(stream.Id, (ulong)stream.StopCode, stream.Next).WriteTo(destination);
            case FrameType.StopSending:
                return stream!.FinalSize is null ? new StopSendingFrame(stream.Id, (ulong)stream.ResetCode).WriteTo(destination) : 0;
            case FrameType.SubflowStatus:
                var about = item.About!;
                return about.State == SubflowState.Closed ? 0 : new SubflowStatusFrame(about.Id, about.StatusVersion, about.IsLinkLost, about.Policy).WriteTo(destination);
            case FrameType.Mode:
                return new ModeFrame(bond.ModeVersion, bond.Mode).WriteTo(destination);
            default:
                throw new InvalidOperationException($"{item.Type} is no control frame.");
        }
    }

    private Subflow? Best(Subflow? except)
    {
        Subflow? best = null;
        foreach (var subflow in bond.AllSubflows)
        {
            if (subflow.State != SubflowState.Active || subflow.Policy == SubflowPolicy.Off || ReferenceEquals(subflow, except) || Eligibility.IsSpared(subflow, bond)) continue;
            if (best is null || subflow.Rtt.Smoothed < best.Rtt.Smoothed) best = subflow;
        }
        return best;
    }
}

namespace Bondline.Protocol;

/// <summary>What the peer may send us: a window for each stream, which grows with the path's need, and one over all streams, within the bond's memory budget.</summary>
/// <remarks>Specified in docs/protocol.md, "Flow control".</remarks>
internal sealed class ReceiveWindows(Bond bond, Transmitter transmitter)
{
    private const long LeastAnnounced = 16 << 10;

    private readonly BondOptions _options = bond.Options;
    private long _receivedTotal, _consumedTotal;
    private bool _isAnnounced;

    /// <summary>MAX_DATA as it stands.</summary>
    public long Maximum { get; private set; } = Bond.InitialDataMaximum;

    /// <summary>Received, and neither read nor thrown away.</summary>
    public long BufferedBytes => _receivedTotal - _consumedTotal;

    /// <summary>Readers take so little that the budget may run out.</summary>
    public bool IsCrowded => BufferedBytes > _options.MemoryBudgetBytes * 3 / 4;

    /// <summary>Announces the whole budget once there is a subflow to do so; later calls do nothing.</summary>
    /// <returns>True the first time.</returns>
    public bool TryAnnounce()
    {
        if (_isAnnounced) return false;
        _isAnnounced = true;
        Maximum = Math.Max(Maximum, _consumedTotal + _options.MemoryBudgetBytes);
        transmitter.Control.AddDataUpdate();
        return true;
    }

    /// <summary>The peer used a stream's window up to <paramref name="end"/>, which the caller has checked against that window.</summary>
    /// <exception cref="ProtocolException">It went beyond the window over all streams.</exception>
    public void HandleReceived(StreamEndpoint stream, ulong end)
    {
        if (end <= stream.Highest) return;
        var added = (long)(end - stream.Highest);
        stream.Highest = end;
        _receivedTotal += added;
        if (_receivedTotal > Maximum)
            throw new ProtocolException(ProtocolError.FlowControl, $"{_receivedTotal} bytes over all streams; the window ends at {Maximum}.");
        if (stream.ReceiveState != ReceiveState.Open) _consumedTotal += added; // nobody will read them
        OpenBond();
    }

    /// <summary>The reader took bytes.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="length">How many.</param>
    /// <param name="isLast">There will be no more, so the stream's own window matters no more.</param>
    /// <param name="now">The current instant.</param>
    public void HandleRead(StreamEndpoint stream, int length, bool isLast, Instant now)
    {
        _consumedTotal += length;
        if (!isLast && stream.FinalSize is null) OpenStream(stream, now);
        OpenBond();
    }

    /// <summary>What was received of a stream and not read will be thrown away.</summary>
    public void HandleGivenUp(StreamEndpoint stream)
    {
        _consumedTotal += (long)(stream.Highest - stream.Receiving.ReadOffset);
        OpenBond();
    }

    private void OpenBond()
    {
        var maximum = _consumedTotal + _options.MemoryBudgetBytes;
        // Where slow readers hold most of it, the others live on what is left, and it never comes to a quarter.
        var worthwhile = Math.Clamp(Maximum - _receivedTotal, LeastAnnounced, _options.MemoryBudgetBytes / 4);
        if (!_isAnnounced || maximum - Maximum < worthwhile) return;
        Maximum = maximum;
        transmitter.Control.AddDataUpdate();
    }

    private void OpenStream(StreamEndpoint stream, Instant now)
    {
        // The first update comes early: a sender with many streams stops after a quarter of the initial window until it hears more.
        var initial = (ulong)_options.InitialStreamWindowBytes;
        var isFirst = stream.ReceiveMaximum == initial && stream.Receiving.ReadOffset >= initial / 8;
        if (!isFirst && stream.ReceiveMaximum - stream.Receiving.ReadOffset > stream.Window / 2) return;
        // Half a window used up within a few round trips: the window, not the path, limits the stream.
        if (now - stream.WindowOpenedAt < SlowestRtt() * 4 && BufferedBytes < _options.MemoryBudgetBytes / 2)
            stream.Window = Math.Min(stream.Window * 2, (ulong)Math.Max(_options.InitialStreamWindowBytes, _options.MemoryBudgetBytes / 4));
        stream.WindowOpenedAt = now;
        stream.ReceiveMaximum = stream.Receiving.ReadOffset + stream.Window;
        if (stream.IsWindowUpdateQueued) return;
        stream.IsWindowUpdateQueued = true;
        transmitter.Control.Add(new(FrameType.MaxStreamData, stream, null));
    }

    private TimeSpan SlowestRtt()
    {
        var slowest = TimeSpan.FromMilliseconds(10);
        foreach (var subflow in bond.AllSubflows)
            if (subflow.State == SubflowState.Active && subflow.Rtt.Smoothed > slowest) slowest = subflow.Rtt.Smoothed;
        return slowest;
    }
}

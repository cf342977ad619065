namespace Bondline.Protocol;

/// <summary>The streams that have something to send, in three lines: those with nothing but their end, with little, and with much; and how many bytes that is.</summary>
/// <remarks>A stream stands in one line at most, and goes to its end again after each frame, so streams of a line take turns.</remarks>
internal sealed class SendQueue(Bond bond)
{
    /// <summary>The most an interactive stream sends at once.</summary>
    public const int SparseFrameBytes = 4096;

    /// <summary>A stream under 2 Mbit/s with little to send is interactive: its frames go ahead of bulk, and twice.</summary>
    private const double SparseBytesPerSecond = 2e6 / 8, SparseDepthBytes = 32 * 1024;

    private readonly Queue<StreamEndpoint> _ends = new(), _sparse = new(), _bulk = new();
    private long _sentBytes; // of the peer's window over all streams

    /// <summary>New bytes that wait, over all streams.</summary>
    public long UnsentBytes { get; private set; }

    public bool IsEmpty => _ends.Count == 0 && _sparse.Count == 0 && _bulk.Count == 0;

    private Queue<StreamEndpoint> FirstSmall => _ends.Count > 0 ? _ends : _sparse;

    public void HandleWritten(StreamEndpoint stream, int bytes, Instant now)
    {
        UnsentBytes += bytes;
        Add(stream, now);
    }

    /// <summary>Puts a stream in line if it has something it may send.</summary>
    public void Add(StreamEndpoint stream, Instant now)
    {
        if (stream.IsQueuedSparse || stream.IsQueuedBulk || !MaySend(stream)) return;
        var unsent = (long)stream.UnsentBytes;
        if (unsent == 0) // it waits for no window
        {
            stream.IsQueuedSparse = true;
            _ends.Enqueue(stream);
        }
        else if (unsent <= SparseFrameBytes && stream.SparseRate.Has(unsent, SparseBytesPerSecond, SparseDepthBytes, now))
        {
            stream.IsQueuedSparse = true;
            _sparse.Enqueue(stream);
        }
        else
        {
            stream.IsQueuedBulk = true;
            _bulk.Enqueue(stream);
        }
    }

    /// <summary>What the stream has not sent is given up.</summary>
    public void HandleReset(StreamEndpoint stream) => UnsentBytes -= (long)stream.UnsentBytes;

    /// <summary>The first of the streams with nothing but their end, or else with little; null if there is none.</summary>
    public StreamEndpoint? PeekSmall()
    {
        while (FirstSmall.TryPeek(out var stream))
        {
            if (MaySend(stream)) return stream;
            RemoveSmall();
        }
        return null;
    }

    /// <summary>Takes the stream that <see cref="PeekSmall"/> gave off its line.</summary>
    public void RemoveSmall() => FirstSmall.Dequeue().IsQueuedSparse = false;

    /// <summary>The first of the streams with much; null if there is none.</summary>
    public StreamEndpoint? PeekBulk()
    {
        while (_bulk.TryPeek(out var stream))
        {
            if (MaySend(stream)) return stream;
            RemoveBulk();
        }
        return null;
    }

    /// <summary>Takes the stream that <see cref="PeekBulk"/> gave off its line.</summary>
    public void RemoveBulk() => _bulk.Dequeue().IsQueuedBulk = false;

    /// <summary>The next bytes of a stream go into a frame.</summary>
    public void HandleSent(StreamEndpoint stream, int bytes, Instant now)
    {
        stream.Next += (ulong)bytes;
        UnsentBytes -= bytes;
        _sentBytes += bytes;
        stream.SparseRate.Take(bytes, SparseBytesPerSecond, SparseDepthBytes, now);
    }

    /// <summary>How many of a stream's bytes the peer's windows let go now.</summary>
    public ulong Sendable(StreamEndpoint stream) => Math.Min(stream.UnsentBytes, WindowLeft(stream));

    /// <summary>How many bytes may overtake a stream's next ones: what waits, as far as the receiver can absorb it and the sender hold it.</summary>
    public double Slack(StreamEndpoint stream)
    {
        var held = bond.SendRoom(stream) + (long)stream.UnsentBytes;
        return Math.Max(0, Math.Min(Math.Min((double)WindowLeft(stream), held), UnsentBytes));
    }

    private ulong WindowLeft(StreamEndpoint stream) => Math.Min(stream.SendMaximum - stream.Next, (ulong)Math.Max(0, bond.PeerDataMaximum - _sentBytes));

    private static bool MaySend(StreamEndpoint stream) =>
        (stream.HasUnsentEnd && stream.UnsentBytes == 0) || (stream.UnsentBytes > 0 && stream.Next < stream.SendMaximum);
}

namespace Bondline.Protocol;

/// <summary>One end of a stream. The driver keeps it as a handle; all work goes through <see cref="Bond"/>, under the driver's lock.</summary>
public sealed class StreamEndpoint
{
    internal SendBuffer Sending;
    internal ReceiveBuffer Receiving;
    internal RangeSet Acked;           // acknowledged beyond Sending.Start

    internal StreamEndpoint(StreamId id, ulong peerWindow, ulong window, SegmentPool pool)
    {
        Sending = new(pool);
        Receiving = new(pool);
        Id = id;
        SendMaximum = peerWindow;
        Window = window;
        ReceiveMaximum = window;
    }

    public StreamId Id { get; }

    /// <summary>Whatever the driver wants to find again in events.</summary>
    public object? Owner { get; set; }

    public ReceiveState ReceiveState { get; internal set; }

    public SendState SendState { get; internal set; }

    /// <summary>The peer's reason in RESET, or ours for reading no more.</summary>
    public StreamError ResetCode { get; internal set; }

    /// <summary>The peer's reason in STOP_SENDING, or ours in RESET.</summary>
    public StreamError StopCode { get; internal set; }

    /// <summary>Bytes <see cref="Bond.Read"/> would return now.</summary>
    public int ReadableBytes => ReceiveState == ReceiveState.Open ? (int)(Receiving.Contiguous - Receiving.ReadOffset) : 0;

    // --- sending
    internal ulong Next;               // offset of the first byte never sent
    internal ulong SendMaximum;        // the peer's window
    internal bool IsEndSent, IsEndAcked, IsResetAcked;
    internal bool IsQueuedBulk, IsQueuedSparse, WantsWritable;
    internal TokenBucket SparseRate;

    internal ulong UnsentBytes => SendState is SendState.Open or SendState.Finishing ? Sending.End - Next : 0;

    internal bool HasUnsentEnd => SendState == SendState.Finishing && !IsEndSent;

    internal bool IsSendingOver => SendState is SendState.Acknowledged || (SendState == SendState.Reset && IsResetAcked);

    // --- receiving
    internal ulong Highest;            // offset behind the last byte ever announced
    internal ulong? FinalSize;
    internal ulong Window, ReceiveMaximum;
    internal Instant WindowOpenedAt, UnreadSince;
    internal ulong UnreadMark;         // the reader has to get so far to be no slow one
    internal bool IsWindowUpdateQueued, WantsReadable, IsStopped;

    internal bool IsReceivingOver => ReceiveState != ReceiveState.Open && (ReceiveState == ReceiveState.Finished || FinalSize is not null);
}

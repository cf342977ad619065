namespace Bondline.Protocol;

/// <summary>Composes what each subflow sends next: answers and acks, control frames, small frames and their copies, owed bytes, new bytes, tails.</summary>
/// <remarks>In that order, and only new and owed bytes wait for a subflow's cap: control frames and acks always pass, so windows always open and nothing can deadlock (docs/protocol.md, "Flow control").</remarks>
internal sealed class Transmitter(Bond bond, Acknowledger acknowledger, ulong seed)
{
    /// <summary>So many of the last frames of a slower subflow are looked at when nothing else is left to send.</summary>
    private const int TailFrames = 64;

    /// <summary>Less room than this at the end of a buffer is left empty: tiny frames of a bulk stream would only cost.</summary>
    private const int LeastFrameRoom = 512;

    /// <summary>Copies of small frames: one in twenty of what the bond can carry, and never under 1 Mbit/s.</summary>
    private const double DuplicateShare = 0.05, LeastDuplicateBytesPerSecond = 1.05e6 / 8, DuplicateDepthBytes = 64 * 1024;

    /// <summary>Frames that wait on one subflow in redundant mode: far more than are ever in flight on the others.</summary>
    private const int MostRepeats = 4096;

    /// <summary>From 200 Mbit/s on, several full frames are written at once: there a queue of 128 KiB is 5 ms at most.</summary>
    private const double BurstBytesPerSecond = 200e6 / 8;

    /// <summary>A subflow with so many unacknowledged frames is given no more; a peer that acknowledges nothing would else have us remember ever more control frames.</summary>
    private const int MostSentFrames = 1 << 17;

    private readonly SendQueue _streams = new(bond);
    private readonly CopyQueue _owed = new();
    private CopyBudget _copies = new();
    private ulong _pingNumber = seed & 0xFFFF;
    private TokenBucket _duplicates;

    public ControlQueue Control { get; } = new(bond);

    public long NewBytes { get; private set; }

    public long FramingBytes { get; private set; }

    public long ReinjectedBytes { get; private set; }

    public long DuplicatedBytes { get; private set; }

    /// <summary>Written and not yet acknowledged, over all streams.</summary>
    public long BufferedBytes { get; private set; }

    public long OwedBytes => _owed.Bytes;

    public bool HasUnsent => _streams.UnsentBytes > 0 || _owed.Count > 0;

    /// <summary>When an idle subflow should be polled again because the one its bytes were left to is stuck in a write.</summary>
    public Instant RetryAt { get; private set; } = Instant.Never;

    // ---------------------------------------------------------------- input

    public void HandleWritten(StreamEndpoint stream, int bytes, Instant now)
    {
        BufferedBytes += bytes;
        _streams.HandleWritten(stream, bytes, now);
    }

    /// <summary>Puts a stream in line if it has something it may send.</summary>
    public void Queue(StreamEndpoint stream, Instant now) => _streams.Add(stream, now);

    /// <summary>The stream's sending direction is given up.</summary>
    public void HandleReset(StreamEndpoint stream)
    {
        _streams.HandleReset(stream);
        BufferedBytes -= (long)(stream.Sending.End - stream.Sending.Start);
        stream.Sending.Clear();
        stream.Acked.Clear();
    }

    public void HandleAcked(Subflow subflow, long processed, Instant now)
    {
        var bytes = processed - subflow.BytesAcked;
        var wasLimited = subflow.UnackedBytes >= subflow.CapBytes * 3 / 4;
        subflow.BytesAcked = processed;
        SentFrame newest = default;
        while (subflow.Sent.Count > 0 && subflow.Sent[0].EndsAt <= processed)
        {
            var frame = subflow.Sent[0];
            subflow.Sent.RemoveFirst();
            if (subflow.CopiedAhead > 0) subflow.CopiedAhead--;
            newest = frame;
            HandleFrameAcked(frame);
            if (frame.Type is FrameType.Stream or FrameType.StreamEnd) bond.HandleDelivered();
        }
        subflow.IsAlone = Eligibility.IsAlone(subflow, bond);
        // What was under way while the subflow was not active says nothing about it.
        if (newest.EndsAt > 0 && newest.SentAt >= subflow.ActiveSince) CapPolicy.HandleAcked(subflow, bytes, wasLimited, newest, now);
        bond.HandleProgress(subflow, now);
    }

    public void HandleTimeout(Instant now)
    {
        if (now >= RetryAt) RetryAt = Instant.Never;
    }

    // ---------------------------------------------------------------- a subflow fails

    /// <summary>Everything the subflow had not delivered is owed to the others, oldest first; its own queue goes too.</summary>
    public void MoveAway(Subflow subflow, Instant now)
    {
        subflow.IsCopiedOut = true;
        for (var i = 0; i < subflow.Sent.Count; i++)
        {
            ref var frame = ref subflow.Sent[i];
            if (frame.IsCopied) continue;
            frame.IsCopied = true;
            Owe(frame, subflow);
        }
        acknowledger.HandleLost(subflow, now);
        subflow.Copies.Clear(); // their originals went elsewhere
        subflow.Repeats.Clear();
        Control.MoveAway(subflow);
    }

    /// <summary>Sends the oldest uncopied frame of a subflow again elsewhere, if it is later than it should be and the budget allows.</summary>
    public void CopyLate(Subflow subflow, Instant now)
    {
        if (!TryFindUncopied(subflow, out var index)) return;
        ref var frame = ref subflow.Sent[index];
        var stream = frame.Stream!;
        var isSparse = stream.UnsentBytes == 0 && frame.End - frame.Start <= SendQueue.SparseFrameBytes;
        frame.IsCopied = isSparse || stream.Acked.Count > 0; // others wait behind it, or its stream is sparse
        if (!frame.IsCopied) return;
        var length = (long)(frame.End - frame.Start);
        frame.IsCopied = EarliestCompletion.Fastest(bond, (int)length, subflow, now) is not null && _copies.TrySpend(length);
        if (frame.IsCopied) _owed.Add(new(stream, frame.Start, frame.End, frame.Type == FrameType.StreamEnd, subflow));
    }

    /// <summary>Finds the oldest stream frame that no other subflow carries too.</summary>
    private static bool TryFindUncopied(Subflow subflow, out int index)
    {
        for (index = subflow.CopiedAhead; index < subflow.Sent.Count; index++)
        {
            ref var frame = ref subflow.Sent[index];
            if (frame.Type is FrameType.Stream or FrameType.StreamEnd && !frame.IsCopied && !frame.IsDoubled) break;
        }
        subflow.CopiedAhead = index;
        return index < subflow.Sent.Count;
    }

    /// <summary>When the oldest uncopied frame of a subflow will be late.</summary>
    public static Instant LateAt(Subflow subflow)
    {
        if (subflow.State != SubflowState.Active || !TryFindUncopied(subflow, out var index)) return Instant.Never;
        ref var frame = ref subflow.Sent[index];
        var patience = subflow.Rtt.Smoothed * 1.5 + TimeSpan.FromMilliseconds(5);
        if (patience < TimeSpan.FromMilliseconds(20)) patience = TimeSpan.FromMilliseconds(20);
        var bySize = frame.End - frame.Start <= SendQueue.SparseFrameBytes ? frame.SentAt + patience : Instant.Never;
        var byQueue = frame.ExpectedAt + subflow.Rtt.Min / 2 + TimeSpan.FromMilliseconds(15) + subflow.Rtt.Smoothed / 4;
        return Instant.Later(frame.SentAt + TimeSpan.FromMilliseconds(20), Instant.Earlier(bySize, byQueue));
    }

    // ---------------------------------------------------------------- output

    public int Poll(Subflow subflow, Instant now, Span<byte> buffer)
    {
        subflow.IsWriting = false;
        if (subflow.State == SubflowState.Closed) return 0;
        var length = bond.IsClosed ? WriteClose(subflow, buffer) : Compose(subflow, now, buffer);
        if (length == 0)
        {
            if (!_streams.IsEmpty || _owed.Count > 0) RetryAt = Instant.Earlier(RetryAt, EarliestCompletion.NextBlocked(bond.AllSubflows, now));
            return 0;
        }
        subflow.BytesSent += length;
        subflow.IsWriting = true;
        subflow.WritingSince = now;
        return length;
    }

    public int PollMore(Subflow subflow, Instant now, Span<byte> buffer)
    {
        if (subflow.State == SubflowState.Closed || bond.IsClosed) return 0;
        var length = Compose(subflow, now, buffer);
        subflow.BytesSent += length;
        return length;
    }

    private int Compose(Subflow subflow, Instant now, Span<byte> buffer)
    {
        var isFast = subflow.Rate.BytesPerSecond >= BurstBytesPerSecond;
        var limit = Math.Min(buffer.Length, isFast ? buffer.Length : Math.Max(Frame.MaxLength, subflow.FrameLimit));
        var room = buffer[..limit];
        var position = WriteAnswers(subflow, now, room);
        position += acknowledger.Write(subflow, room[position..], isBesideOthers: false, now);
        if (subflow.State == SubflowState.Active && subflow.Sent.Count < MostSentFrames)
        {
            position = WriteControl(subflow, now, room, position);
            position = WriteStreams(subflow, now, room, position, isFast ? limit : subflow.FrameLimit);
        }
        if (position > 0) position += acknowledger.Write(subflow, room[position..], isBesideOthers: true, now);
        return position;
    }

    private int WriteAnswers(Subflow subflow, Instant now, Span<byte> room)
    {
        var position = 0;
        if (subflow.PongWanted is { } number && room.Length >= PingFrame.MaxHeader + subflow.PongPadding)
        {
            subflow.PongWanted = null;
            position += Framing(new PingFrame(FrameType.Pong, number, subflow.PongPadding).WriteTo(room));
        }
        var padding = subflow.IsProven ? 0 : PingFrame.ProbePadding;
        if (now >= subflow.NextPing && !subflow.IsPingOutstanding && room.Length - position >= PingFrame.MaxHeader + padding)
        {
            subflow.IsPingPadded = padding > 0;
            subflow.PingNumber = ++_pingNumber;
            subflow.PingSentAt = now;
            subflow.IsPingOutstanding = true;
            subflow.Await(bond.Options, now);
            position += Framing(new PingFrame(FrameType.Ping, subflow.PingNumber, padding).WriteTo(room[position..]));
        }
        return position;
    }

    private int WriteControl(Subflow subflow, Instant now, Span<byte> room, int position)
    {
        while (subflow.Control.Count > 0 && room.Length - position >= NumberFrame.MaxLength)
        {
            var item = subflow.Control.Dequeue();
            var length = Framing(Control.Write(item, room[position..]));
            if (length == 0) continue;
            position += length;
            Remember(subflow, new() { EndsAt = subflow.BytesSent + position, Type = item.Type, Stream = item.Stream, About = item.About, SentAt = now, ExpectedAt = now }, now);
        }
        return position;
    }

    private int WriteStreams(Subflow subflow, Instant now, Span<byte> room, int position, int limit)
    {
        position = WriteCopies(subflow, now, room, position);
        while (room.Length - position >= LeastFrameRoom)
        {
            var before = position;
            position += WriteSparse(subflow, now, room[position..], position);
            if (position == before && position < limit) position += WriteOwed(subflow, now, room[position..], position);
            if (position == before && position < limit) position += WriteRepeat(subflow, now, room[position..], position);
            if (position == before && position < limit) position += WriteBulk(subflow, now, room[position..], position);
            if (position == before && position == 0) position += WriteTail(subflow, now, room, position);
            if (position == before) break;
        }
        // It could have carried more: whatever kept the bytes from it, what is measured now is not the path.
        if (limit - position >= LeastFrameRoom && subflow.UnackedBytes + position < subflow.CapBytes) subflow.Rate.HandleLimited();
        return position;
    }

    private int WriteCopies(Subflow subflow, Instant now, Span<byte> room, int position)
    {
        while (subflow.Copies.Count > 0)
        {
            var copy = subflow.Copies.Peek();
            var length = (int)(copy.End - copy.Start);
            if (room.Length - position < StreamFrame.MaxHeaderLength + length) break;
            subflow.Copies.Dequeue();
            var stream = copy.Stream;
            if (stream.SendState is SendState.Reset or SendState.Acknowledged || copy.Start < stream.Sending.Start) continue;
            position += WriteFrame(subflow, stream, copy.Start, length, copy.IsEnd, now, room[position..], position);
            DuplicatedBytes += length;
        }
        return position;
    }

    private int WriteSparse(Subflow subflow, Instant now, Span<byte> room, int position)
    {
        if (_streams.PeekSmall() is not { } stream) return 0;
        var length = (int)Math.Min(_streams.Sendable(stream), (ulong)Math.Min(SendQueue.SparseFrameBytes, room.Length - StreamFrame.MaxHeaderLength));
        if (!ReferenceEquals(EarliestCompletion.Fastest(bond, length, null, now), subflow)) return 0;
        if (length == 0 && stream.UnsentBytes > 0) return 0; // the peer's window over all streams is full
        _streams.RemoveSmall();
        var start = stream.Next;
        var written = WriteNew(subflow, stream, length, now, room, position);
        var second = Double(subflow, stream, start, length, now);
        Repeat(subflow, stream, start, length, second);
        _streams.Add(stream, now);
        return written;
    }

    /// <summary>The frame just written goes to the next best subflow as well, if copies are cheap now.</summary>
    /// <returns>That subflow; null if it does not.</returns>
    private Subflow? Double(Subflow subflow, StreamEndpoint stream, ulong start, int length, Instant now)
    {
        if (EarliestCompletion.FastestToDouble(bond, length, subflow, now) is not { } second) return null;
        double capacity = 0;
        foreach (var each in bond.AllSubflows)
            if (each.State == SubflowState.Active) capacity += each.RateBytesPerSecond;
        var rate = Math.Max(LeastDuplicateBytesPerSecond, capacity * DuplicateShare);
        if (!_duplicates.TryTake(length + StreamFrame.MaxHeaderLength, rate, DuplicateDepthBytes, now)) return null;
        subflow.Sent[subflow.Sent.Count - 1].IsDoubled = true;
        second.Copies.Enqueue(new(stream, start, start + (ulong)length, stream.IsEndSent, subflow));
        return second;
    }

    /// <summary>In redundant mode the frame just written waits on all other subflows too. It stays what it was if its subflow fails: the bytes are owed.</summary>
    private void Repeat(Subflow subflow, StreamEndpoint stream, ulong start, int length, Subflow? except)
    {
        if (bond.Mode != BondMode.Redundant) return;
        foreach (var other in bond.AllSubflows)
        {
            if (ReferenceEquals(other, subflow) || ReferenceEquals(other, except) || other.Repeats.Count >= MostRepeats || !Eligibility.IsUsable(other, bond)) continue;
            other.Repeats.Add(new(stream, start, start + (ulong)length, stream.IsEndSent, subflow));
            subflow.Sent[subflow.Sent.Count - 1].IsDoubled = true;
        }
    }

    /// <summary>The oldest bytes others have sent and the peer has not acknowledged: a slow subflow skips what arrived without it.</summary>
    private int WriteRepeat(Subflow subflow, Instant now, Span<byte> room, int position)
    {
        if (subflow.Repeats.Count == 0 || subflow.UnackedBytes + position >= subflow.CapBytes) return 0;
        if (bond.Mode != BondMode.Redundant || !Eligibility.IsUsable(subflow, bond))
        {
            subflow.Repeats.Clear();
            return 0;
        }
        if (!subflow.Repeats.TryFind(subflow, mayBeOwn: true, out var index, out var item)) return 0;
        var length = FrameRoom(subflow, item, room);
        var written = WriteFrame(subflow, item.Stream, item.Start, length, item.IsEnd && item.Start + (ulong)length == item.End, now, room, position);
        subflow.Sent[subflow.Sent.Count - 1].IsDoubled = true;
        subflow.Repeats.Take(index, length);
        DuplicatedBytes += length;
        return written;
    }

    private int WriteOwed(Subflow subflow, Instant now, Span<byte> room, int position)
    {
        if (_owed.Count == 0) return 0;
        var mayBeOwn = EarliestCompletion.Fastest(bond, 0, subflow, now) is null;
        if (!_owed.TryFind(subflow, mayBeOwn, out var index, out var item)) return 0;
        var length = FrameRoom(subflow, item, room);
        if (!EarliestCompletion.MayTake(subflow, bond, _owed.Bytes + 1, _owed.Bytes, now, mayBeOwn ? null : item.Source)) return 0;
        var isEnd = item.IsEnd && item.Start + (ulong)length == item.End;
        var written = WriteFrame(subflow, item.Stream, item.Start, length, isEnd, now, room, position);
        subflow.Sent[subflow.Sent.Count - 1].IsDoubled = item.Source.State == SubflowState.Active; // else this is the only one that lives
        _owed.Take(index, length);
        ReinjectedBytes += length;
        subflow.BytesReinjected += length;
        return written;
    }

    private static int FrameRoom(Subflow subflow, in CopyItem item, Span<byte> room) =>
        (int)Math.Min(item.End - item.Start, (ulong)(Math.Min(subflow.FrameLimit, Math.Min(room.Length, Frame.MaxLength)) - StreamFrame.MaxHeaderLength));

    private int WriteBulk(Subflow subflow, Instant now, Span<byte> room, int position)
    {
        if (subflow.UnackedBytes + position >= subflow.CapBytes) return 0;
        if (_streams.PeekBulk() is not { } stream) return 0;
        var length = (int)Math.Min(_streams.Sendable(stream), (ulong)(Math.Min(subflow.FrameLimit, Math.Min(room.Length, Frame.MaxLength)) - StreamFrame.MaxHeaderLength));
        if (length == 0 && stream.UnsentBytes > 0) return 0; // the peer's window over all streams is full
        if (!EarliestCompletion.MayTake(subflow, bond, _streams.UnsentBytes + 1, _streams.Slack(stream), now)) return 0;
        _streams.RemoveBulk();
        var start = stream.Next;
        var written = WriteNew(subflow, stream, length, now, room, position);
        Repeat(subflow, stream, start, length, except: null);
        _streams.Add(stream, now);
        return written;
    }

    /// <summary>Nothing is left to send and this subflow is idle: it repeats the last frames of a slower one that would arrive later.</summary>
    private int WriteTail(Subflow subflow, Instant now, Span<byte> room, int position)
    {
        if (HasUnsent || subflow.UnackedBytes >= Subflow.Quantum || !Eligibility.IsUsable(subflow, bond)) return 0;
        foreach (var other in bond.AllSubflows)
        {
            if (ReferenceEquals(other, subflow) || other.State != SubflowState.Active) continue;
            for (var i = other.Sent.Count - 1; i >= Math.Max(0, other.Sent.Count - TailFrames); i--)
            {
                ref var frame = ref other.Sent[i];
                if (frame.IsCopied || frame.IsDoubled || frame.Type is not (FrameType.Stream or FrameType.StreamEnd)) continue;
                var stream = frame.Stream!;
                var length = (int)(frame.End - frame.Start);
                if (stream.SendState is SendState.Reset or SendState.Acknowledged || frame.Start < stream.Sending.Start) continue;
                if (frame.ExpectedAt < now + TimeSpan.FromSeconds(subflow.FinishTime(length)) + TimeSpan.FromMilliseconds(5)) break; // and so are those before it
                if (!_copies.TrySpend(length)) return 0;
                frame.IsCopied = true;
                _owed.Add(new(stream, frame.Start, frame.End, frame.Type == FrameType.StreamEnd, other));
                return WriteOwed(subflow, now, room, position);
            }
        }
        return 0;
    }

    private int WriteNew(Subflow subflow, StreamEndpoint stream, int length, Instant now, Span<byte> room, int position)
    {
        var start = stream.Next;
        _streams.HandleSent(stream, length, now);
        NewBytes += length;
        _copies.HandleNewBytes(length);
        var isEnd = stream.SendState == SendState.Finishing && stream.Next == stream.Sending.End;
        stream.IsEndSent |= isEnd;
        return WriteFrame(subflow, stream, start, length, isEnd, now, room, position);
    }

    private int WriteFrame(Subflow subflow, StreamEndpoint stream, ulong start, int length, bool isEnd, Instant now, Span<byte> room, int position)
    {
        var header = Framing(StreamFrame.WriteHeader(room, stream.Id, start, length, isEnd));
        stream.Sending.CopyTo(start, room.Slice(header, length));
        var total = header + length;
        Remember(subflow, new()
        {
            EndsAt = subflow.BytesSent + position + total,
            Type = isEnd ? FrameType.StreamEnd : FrameType.Stream,
            Stream = stream,
            Start = start,
            End = start + (ulong)length,
            SentAt = now,
            ExpectedAt = now + TimeSpan.FromSeconds(Math.Min(60, subflow.FinishTime(position + total))),
        }, now);
        return total;
    }

    private void Remember(Subflow subflow, in SentFrame frame, Instant now)
    {
        subflow.Await(bond.Options, now);
        if (!subflow.HasOutstanding)
        {
            subflow.Rate.Stop();
            if (subflow.NextPing > now + Health.BusyPing) subflow.NextPing = now + Health.BusyPing;
        }
        subflow.LastElicitingEnd = frame.EndsAt;
        subflow.Sent.Add(frame with { AckedBefore = subflow.BytesAcked, IsDrained = subflow.IsDraining && CapPolicy.IsDrained(subflow) });
    }

    private int WriteClose(Subflow subflow, Span<byte> buffer)
    {
        if (subflow.IsCloseSent) return 0;
        subflow.IsCloseSent = true;
        return new CloseFrame(bond.CloseCode, bond.CloseReason).WriteTo(buffer);
    }

    private void HandleFrameAcked(in SentFrame frame)
    {
        var stream = frame.Stream;
        switch (frame.Type)
        {
            case FrameType.Stream or FrameType.StreamEnd:
                if (stream!.SendState is SendState.Reset or SendState.Acknowledged) return;
                var low = stream.Sending.Start;
                stream.Acked.Add(Math.Max(low, frame.Start), Math.Max(low, frame.End));
                var acked = stream.Acked.TakeFrom(low);
                if (acked > low)
                {
                    BufferedBytes -= (long)(acked - low);
                    stream.Sending.ReleaseBefore(acked);
                }
                stream.IsEndAcked |= frame.Type == FrameType.StreamEnd;
                if (stream.IsEndAcked && stream.Sending.Start == stream.Sending.End) stream.SendState = SendState.Acknowledged;
                bond.HandleAcked(stream);
                return;
            case FrameType.Reset:
                stream!.IsResetAcked = true;
                bond.ForgetIfOver(stream);
                return;
        }
    }

    private void Owe(in SentFrame frame, Subflow source)
    {
        if (frame.Type is FrameType.Stream or FrameType.StreamEnd)
            _owed.Add(new(frame.Stream!, frame.Start, frame.End, frame.Type == FrameType.StreamEnd, source));
        else
            Control.Add(new(frame.Type, frame.Stream, frame.About), isOwed: true);
    }

    private int Framing(int length)
    {
        FramingBytes += length;
        return length;
    }
}

namespace Bondline.Protocol;

/// <summary>One end of a bond: streams over several subflows, as pure state. No sockets, clocks, threads or tasks.</summary>
/// <remarks>
/// The driver holds one lock around every call, gives bytes in with <see cref="HandleReceived"/>, pulls bytes out with <see cref="PollTransmit"/> whenever a
/// subflow's previous write is done, drains <see cref="TryPollEvent"/>, and calls <see cref="HandleTimeout"/> at <see cref="NextTimeout"/>. Nothing here blocks or
/// calls back. A <see cref="ProtocolException"/> means the peer broke the protocol: close the bond with its code. Specified in docs/protocol.md.
/// </remarks>
public class Bond
{
    /// <summary>What each end may send, over all streams, before the first MAX_DATA.</summary>
    internal const long InitialDataMaximum = 1 << 20;

    /// <summary>Unacknowledged and unsent bytes of all streams; above it a stream may hold only a little.</summary>
    private const long MaxBufferedSendBytes = 64 << 20;

    private const int CrowdedStreamSendBytes = 16 << 10;

    /// <summary>A stream may hold so much to send whatever the subflows are like.</summary>
    private const int LeastStreamSendBytes = 256 << 10;

    /// <summary>One part in so many of what lies there has to be read in time.</summary>
    private const int SlowReaderShare = 4;

    private static readonly TimeSpan SlowReaderPatience = TimeSpan.FromSeconds(30), SlowReaderCheckInterval = TimeSpan.FromSeconds(1);

    // What is not forgiven to readers of each lateness: a thread that is late for ever uses up their patience a second at a time, however late it is.
    private static readonly TimeSpan UnforgivenLateness = TimeSpan.FromSeconds(1);

    private readonly List<Subflow> _subflows = [];
    private readonly SubflowIds _subflowIds = new();
    private readonly Queue<BondEvent> _events = new();
    private readonly Transmitter _transmitter;
    private readonly Health _health;
    private readonly Acknowledger _acknowledger;
    private readonly ReceiveWindows _windows;
    private long _bytesReceived, _duplicateBytesReceived;
    private ulong _announcedStreams = StreamTable.InitialMaximum;
    private bool _wantsStreams;
    private Instant _nextSlowReaderCheck;

    /// <param name="role">Which end this is.</param>
    /// <param name="options">Limits and constants.</param>
    /// <param name="seed">Of the bond's own generator; the same seed and inputs give the same output.</param>
    public Bond(BondRole role, BondOptions options, ulong seed)
    {
        Role = role;
        Options = options;
        Streams = new(role, options.MaxStreams);
        _acknowledger = new(this);
        _transmitter = new(this, _acknowledger, seed);
        _health = new(this, _transmitter);
        _windows = new(this, _transmitter);
    }

    public BondRole Role { get; }

    public BondOptions Options { get; }

    /// <summary>All subflows, dying ones included.</summary>
    public IReadOnlyList<Subflow> Subflows => _subflows;

    /// <summary>The same for the engine itself: going through it allocates nothing.</summary>
    internal List<Subflow> AllSubflows => _subflows;

    public bool IsClosed { get; private set; }

    /// <summary>How the subflows are used together; at the relay, what the agent said last.</summary>
    public BondMode Mode { get; private set; }

    internal ulong ModeVersion { get; private set; }

    internal StreamTable Streams { get; }

    internal ProtocolError CloseCode { get; private set; }

    internal string CloseReason { get; private set; } = "";

    /// <summary>The peer's window over all streams, and what of it is used.</summary>
    internal long PeerDataMaximum { get; private set; } = InitialDataMaximum;

    internal long BufferedReceiveBytes => _windows.BufferedBytes;

    internal long BufferedSendBytes => _transmitter.BufferedBytes;

    /// <summary>Bytes to be sent again that nobody has taken yet, and whether any bytes wait at all.</summary>
    internal (long Owed, bool IsWaiting) Backlog => (_transmitter.OwedBytes, _transmitter.HasUnsent);

    public BondStatistics Statistics => new()
    {
        BytesSent = _transmitter.NewBytes,
        BytesReceived = _bytesReceived,
        FramingBytesSent = _transmitter.FramingBytes,
        BytesReinjected = _transmitter.ReinjectedBytes,
        BytesDuplicated = _transmitter.DuplicatedBytes,
        DuplicateBytesReceived = _duplicateBytesReceived,
        Streams = IsClosed ? 0 : Streams.Count,
        BufferedBytes = IsClosed ? 0 : BufferedSendBytes + BufferedReceiveBytes,
    };

    // ---------------------------------------------------------------- subflows

    /// <summary>Attaches a subflow whose handshake is over.</summary>
    /// <param name="id">Never used before in this bond.</param>
    /// <param name="policy">What it may be used for.</param>
    /// <param name="initialRtt">One round trip, measured by the handshake.</param>
    /// <param name="now">The current instant.</param>
    /// <param name="isMultipath">The kernel spreads it over several paths: its order is that of the slowest.</param>
    /// <exception cref="ProtocolException">The id was used before, or there are too many subflows.</exception>
    public virtual Subflow AddSubflow(SubflowId id, SubflowPolicy policy, TimeSpan initialRtt, Instant now, bool isMultipath = false)
    {
        if (!_subflowIds.TryUse(id)) throw new ProtocolException(ProtocolError.SubflowIdReused, $"{id} was used before.");
        if (_subflows.Count >= Options.MaxSubflows) throw new ProtocolException(ProtocolError.TooManySubflows, $"A bond has at most {Options.MaxSubflows} subflows.");
        var subflow = new Subflow(id, policy, initialRtt, now) { ActiveSince = now, IsMultipath = isMultipath };
        _subflows.Add(subflow);
        if (_windows.TryAnnounce()) AnnounceStreams();
        _transmitter.Control.HandleUsable(subflow);
        Raise(new(BondEventKind.SubflowChanged, Subflow: subflow));
        return subflow;
    }

    /// <summary>Forgets a subflow whose socket is closed; what it had not delivered goes to the others.</summary>
    public virtual void RemoveSubflow(Subflow subflow, Instant now)
    {
        if (!_subflows.Remove(subflow)) return;
        if (subflow.State == SubflowState.Active) _health.HandleAbsence(subflow, now);
        _transmitter.MoveAway(subflow, now);
        subflow.State = SubflowState.Closed;
        subflow.Reason = subflow.Reason == SubflowReason.None ? SubflowReason.Closed : subflow.Reason;
        Raise(new(BondEventKind.SubflowChanged, Subflow: subflow));
    }

    /// <summary>The system says this subflow's link, address or route is gone: dead at once, and the peer is told.</summary>
    public virtual void HandleLinkLost(Subflow subflow, SubflowReason why, Instant now)
    {
        if (subflow.State == SubflowState.Closed || subflow.IsLinkLost) return;
        subflow.IsLinkLost = true;
        subflow.StatusVersion++;
        _health.HandleLost(subflow, why, now);
        _transmitter.Control.Add(new(FrameType.SubflowStatus, null, subflow));
    }

    /// <summary>The link is back while the connection still lives: it is tried again, and used once the peer answers on it.</summary>
    public virtual void HandleLinkRestored(Subflow subflow, Instant now)
    {
        if (subflow.State == SubflowState.Closed || !subflow.IsLinkLost) return;
        subflow.IsLinkLost = false;
        subflow.StatusVersion++;
        subflow.NextPing = now;
        _transmitter.Control.Add(new(FrameType.SubflowStatus, null, subflow));
    }

    /// <summary>The agent's user wants a subflow used otherwise; the relay is told, and sends accordingly too.</summary>
    public virtual void ChangePolicy(Subflow subflow, SubflowPolicy policy, Instant now)
    {
        if (subflow.State == SubflowState.Closed || subflow.Policy == policy) return;
        subflow.Policy = policy;
        subflow.StatusVersion++;
        _transmitter.Control.Add(new(FrameType.SubflowStatus, null, subflow));
    }

    /// <summary>The agent's user wants the subflows used together in another way; the relay is told, and sends accordingly too.</summary>
    public virtual void ChangeMode(BondMode mode, Instant now)
    {
        if (IsClosed || Mode == mode) return;
        Mode = mode;
        ModeVersion++;
        _transmitter.Control.Add(new(FrameType.Mode, null, null));
    }

    /// <summary>What the kernel knows of the connection; at most every few tens of milliseconds.</summary>
    public virtual void HandleTcpSample(Subflow subflow, in TcpSample sample, Instant now) => _health.HandleTcpSample(subflow, sample, now);

    /// <summary>Our own clock or thread was late: silence so far blames no subflow, a path that is alone gets a longer queue, and readers are not blamed for time in which they could not read.</summary>
    /// <param name="late">How late in all since the last call; zero if only a deadline of this bond was.</param>
    /// <param name="now">The current instant.</param>
    public virtual void HandleClockLate(TimeSpan late, Instant now)
    {
        _health.HandleClockLate(late, now);
        if (late <= UnforgivenLateness) return;
        foreach (var stream in Streams.Open) stream.UnreadSince = Instant.Earlier(now, stream.UnreadSince + (late - UnforgivenLateness));
    }

    /// <summary>The machine slept, and its clock with it: every subflow is suspect until it answers.</summary>
    public virtual void HandleResumedFromSuspend(Instant now) => _health.HandleResumedFromSuspend(now);

    // ---------------------------------------------------------------- bytes

    /// <summary>Takes what a subflow received; only whole frames are consumed.</summary>
    /// <returns>The bytes consumed; the caller gives the rest, fewer than 16,384, again with more behind it.</returns>
    /// <exception cref="ProtocolException">The peer broke the protocol.</exception>
    public virtual int HandleReceived(Subflow subflow, ReadOnlySpan<byte> input, Instant now)
    {
        var consumed = 0;
        while (!IsClosed && Frame.TryRead(input[consumed..], out var frame, out var length))
        {
            var elicits = HandleFrame(subflow, frame, now);
            consumed += length;
            subflow.BytesReceived += length;
            if (elicits) _acknowledger.HandleEliciting(length, frame.Type == FrameType.StreamEnd, now);
        }
        return IsClosed ? input.Length : consumed;
    }

    /// <summary>Fills <paramref name="buffer"/> with whole frames for a subflow whose previous write is done.</summary>
    /// <param name="subflow">The subflow whose writer pulls.</param>
    /// <param name="now">The current instant.</param>
    /// <param name="buffer">At least 16,384 bytes; only a fast subflow is given more than one frame of that size.</param>
    /// <returns>The bytes to write; 0 if there is nothing for this subflow now. After a result over 0 call again when they are written: a copy may then be due on another subflow, so poll the idle ones again too.</returns>
    public virtual int PollTransmit(Subflow subflow, Instant now, Span<byte> buffer) => _transmitter.Poll(subflow, now, buffer);

    /// <summary>Adds to what the last <see cref="PollTransmit"/> gave, before it is written: the subflow counts as writing all along.</summary>
    /// <param name="subflow">The subflow whose write has not begun.</param>
    /// <param name="now">The current instant.</param>
    /// <param name="buffer">At least 16,384 bytes.</param>
    /// <returns>The bytes to write as well; 0 if there is nothing more.</returns>
    public virtual int PollMore(Subflow subflow, Instant now, Span<byte> buffer) => _transmitter.PollMore(subflow, now, buffer);

    // ---------------------------------------------------------------- time

    /// <summary>When <see cref="HandleTimeout"/> is due; poll every idle subflow after it.</summary>
    public Instant NextTimeout
    {
        get
        {
            if (IsClosed) return Instant.Never;
            var next = Instant.Earlier(_acknowledger.Deadline, _health.NextTimeout);
            return _windows.IsCrowded ? Instant.Earlier(next, _nextSlowReaderCheck) : next;
        }
    }

    public virtual void HandleTimeout(Instant now)
    {
        if (IsClosed) return;
        _acknowledger.HandleTimeout(now);
        _health.HandleTimeout(now);
        if (now >= _nextSlowReaderCheck && _windows.IsCrowded) ResetSlowReaders(now);
    }

    // ---------------------------------------------------------------- streams

    /// <returns>Null if the peer allows no more streams now; <see cref="BondEventKind.StreamsAvailable"/> says when it does.</returns>
    public virtual StreamEndpoint? TryOpenStream(Instant now)
    {
        if (IsClosed) return null;
        if (Streams.Opened >= Streams.OpenMaximum)
        {
            _wantsStreams = true;
            return null;
        }
        return AddStream(Streams.TakeId(), now);
    }

    /// <summary>Takes bytes to send.</summary>
    /// <returns>How many were taken; fewer than given means <see cref="BondEventKind.StreamWritable"/> will follow.</returns>
    public virtual int Write(StreamEndpoint stream, ReadOnlySpan<byte> data, Instant now)
    {
        if (stream.SendState != SendState.Open || IsClosed) return 0;
        var taken = (int)Math.Min(data.Length, Math.Max(0, SendRoom(stream)));
        if (taken < data.Length) stream.WantsWritable = true;
        if (taken == 0) return 0;
        stream.Sending.Append(data[..taken]);
        _transmitter.HandleWritten(stream, taken, now);
        return taken;
    }

    /// <summary>As <see cref="Write"/>, without a copy of what comes in whole segments.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="parts">
    /// Segments of <see cref="SegmentPool.LargeLength"/> rented from <see cref="BondOptions.Segments"/>. Those taken whole are removed and no longer the caller's;
    /// what is left of the next one stays its front.
    /// </param>
    /// <param name="now">The current instant.</param>
    /// <returns>The bytes taken. If parts are left: <see cref="BondEventKind.StreamWritable"/> will follow.</returns>
    public virtual int Give(StreamEndpoint stream, List<ArraySegment<byte>> parts, Instant now)
    {
        if (stream.SendState != SendState.Open || IsClosed) return 0;
        int whole = 0, taken = 0;
        for (var room = Math.Max(0, SendRoom(stream)); room > 0 && whole < parts.Count;)
        {
            var part = parts[whole];
            var length = (int)Math.Min(room, part.Count);
            if (length == SegmentPool.LargeLength)
            {
                stream.Sending.AppendSegment(part.Array!, length);
                whole++;
            }
            else
            {
                stream.Sending.Append(part.AsSpan(0, length));
                parts[whole] = part[length..];
                if (length == part.Count)
                {
                    Options.Segments.Return(part.Array!);
                    whole++;
                }
            }
            taken += length;
            room -= length;
        }
        parts.RemoveRange(0, whole);
        if (parts.Count > 0) stream.WantsWritable = true;
        if (taken > 0) _transmitter.HandleWritten(stream, taken, now);
        return taken;
    }

    /// <summary>Ends the sending direction after what was written.</summary>
    public virtual void Finish(StreamEndpoint stream, Instant now)
    {
        if (stream.SendState != SendState.Open || IsClosed) return;
        stream.SendState = SendState.Finishing;
        _transmitter.HandleWritten(stream, 0, now);
    }

    /// <summary>Moves received bytes to the reader, in order, each once.</summary>
    /// <returns>The bytes copied. 0 with <see cref="ReceiveState.Open"/> and nothing readable: <see cref="BondEventKind.StreamReadable"/> will follow. An empty destination only asks for that event.</returns>
    public virtual int Read(StreamEndpoint stream, Span<byte> destination, Instant now)
    {
        if (stream.ReceiveState != ReceiveState.Open || IsClosed) return 0;
        return HandleRead(stream, stream.Receiving.Read(destination), now);
    }

    /// <summary>As <see cref="Read"/>, without a copy: each of <paramref name="parts"/> lies in a segment that the caller returns to <see cref="BondOptions.Segments"/>.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="parts">Where they are appended, in order.</param>
    /// <param name="most">How many parts, of 8 KiB at most each.</param>
    /// <param name="now">The current instant.</param>
    /// <returns>The bytes moved; 0 as for <see cref="Read"/>.</returns>
    public virtual int Take(StreamEndpoint stream, List<ArraySegment<byte>> parts, int most, Instant now)
    {
        if (stream.ReceiveState != ReceiveState.Open || IsClosed) return 0;
        return HandleRead(stream, stream.Receiving.Take(parts, most), now);
    }

    /// <summary>Gives up the sending direction: what was not delivered may never be.</summary>
    public virtual void Reset(StreamEndpoint stream, StreamError code, Instant now) => GiveUpSending(stream, code);

    /// <summary>Gives up the receiving direction; what arrives is thrown away.</summary>
    public virtual void StopSending(StreamEndpoint stream, StreamError code, Instant now) => GiveUpReceiving(stream, code);

    // ---------------------------------------------------------------- output other than bytes

    public bool TryPollEvent(out BondEvent bondEvent) => _events.TryDequeue(out bondEvent);

    /// <summary>Ends the bond: CLOSE goes out on every subflow (poll them once more), every stream is over.</summary>
    public virtual void Close(ProtocolError code, string reason, Instant now) => End(code, reason, isOurs: true);

    // ---------------------------------------------------------------- inside

    internal void Raise(in BondEvent bondEvent) => _events.Enqueue(bondEvent);

    internal Subflow? FindSubflow(SubflowId id)
    {
        foreach (var subflow in _subflows)
            if (subflow.Id == id) return subflow;
        return null;
    }

    /// <summary>An acknowledgement, or a PONG, showed that a subflow works.</summary>
    internal void HandleProgress(Subflow subflow, Instant now) => _health.HandleProgress(subflow, now);

    /// <summary>The peer has bytes of a stream that were sent over some subflow.</summary>
    internal void HandleDelivered() => _health.HandleDelivered();

    /// <summary>Bytes of a stream were acknowledged: its buffer may have room again, or be over.</summary>
    internal void HandleAcked(StreamEndpoint stream)
    {
        if (stream.WantsWritable && stream.SendState == SendState.Open && HasRoomToReport(stream))
        {
            stream.WantsWritable = false;
            Raise(new(BondEventKind.StreamWritable, stream));
        }
        ForgetIfOver(stream);
    }

    internal void ForgetIfOver(StreamEndpoint stream)
    {
        if (!stream.IsSendingOver || !stream.IsReceivingOver || Streams.Find(stream.Id) is null) return;
        Streams.Remove(stream);
        stream.Receiving.Clear();
        Raise(new(BondEventKind.StreamClosed, stream));
        AnnounceStreamsIfWorth();
    }

    internal ulong AnnouncedStreams => _announcedStreams;

    internal long DataMaximum => _windows.Maximum;

    /// <summary>How much more of a stream the writer may hand over; negative if the paths need less than is held.</summary>
    internal long SendRoom(StreamEndpoint stream)
    {
        // Twice what all subflows carry in the slowest one's round trip: bytes on the quick ones are held until the slow ones' are there too.
        // And twice what those in start-up may have in flight, whose rate is not known yet: what never fills their cap never lets it grow.
        double rate = 0, slowest = 0, hoped = 0;
        foreach (var subflow in _subflows)
        {
            if (subflow.State != SubflowState.Active) continue;
            if (subflow.IsStartup) hoped += 2 * subflow.CapBytes;
            rate += subflow.RateBytesPerSecond;
            slowest = Math.Max(slowest, subflow.Rtt.Smoothed.TotalSeconds);
        }
        var limit = (long)Math.Min(Options.MaxStreamSendBufferBytes, LeastStreamSendBytes + hoped + 2 * rate * slowest);
        if (_transmitter.BufferedBytes >= MaxBufferedSendBytes) limit = CrowdedStreamSendBytes;
        return limit - stream.Sending.HeldBytes;
    }

    private int HandleRead(StreamEndpoint stream, int length, Instant now)
    {
        if (length == 0)
        {
            stream.WantsReadable = stream.ReadableBytes == 0;
            return 0;
        }
        if (stream.Receiving.ReadOffset >= stream.UnreadMark)
        {
            stream.UnreadSince = now;
            stream.UnreadMark = stream.Receiving.ReadOffset + (ulong)stream.ReadableBytes / SlowReaderShare;
        }

        var isLast = CheckFinished(stream);
        _windows.HandleRead(stream, length, isLast, now);
        return length;
    }

    // A writer is woken for a worthwhile piece, not for each frame acknowledged.
    private bool HasRoomToReport(StreamEndpoint stream)
    {
        return SendRoom(stream) is var room && room > 0 && (room >= 64 * 1024 || room >= stream.Sending.HeldBytes);
    }

    private StreamEndpoint AddStream(StreamId id, Instant now)
    {
        var isCrowded = Streams.Count >= Options.ManyStreams;
        // The receiver grants the full initial window to every stream; a crowded opener uses a quarter of it until it hears more.
        var window = (ulong)Options.InitialStreamWindowBytes;
        var stream = new StreamEndpoint(id, isCrowded ? window / 4 : window, window, Options.Segments) { WindowOpenedAt = now, UnreadSince = now };
        Streams.Add(stream);
        return stream;
    }

    private bool HandleFrame(Subflow subflow, Frame frame, Instant now)
    {
        switch (frame.Type)
        {
            case FrameType.Stream or FrameType.StreamEnd:
                HandleStream(StreamFrame.Parse(frame), now);
                return true;
            case FrameType.Ack:
                _acknowledger.HandleAck(frame, _transmitter, now);
                return false;
            case FrameType.MaxStreamData:
                HandleMaxStreamData(MaxStreamDataFrame.Parse(frame), now);
                return true;
            case FrameType.MaxData:
                var data = MaximumFrame.Parse(frame);
                PeerDataMaximum = Math.Max(PeerDataMaximum, (long)data.Maximum);
                return true;
            case FrameType.MaxStreams:
                HandleMaxStreams(MaximumFrame.Parse(frame).Maximum);
                return true;
            case FrameType.Reset:
                HandleReset(ResetFrame.Parse(frame), now);
                return true;
            case FrameType.StopSending:
                HandleStopSending(StopSendingFrame.Parse(frame), now);
                return true;
            case FrameType.Ping:
                var ping = PingFrame.Parse(frame);
                (subflow.PongWanted, subflow.PongPadding) = (ping.Number, Math.Min(ping.Padding, PingFrame.ProbePadding));
                subflow.IsAckWanted = true; // beside the PONG: should the subflows that carry acks be silent, this one's peer still hears them
                return false;
            case FrameType.Pong:
                _health.HandlePong(subflow, PingFrame.Parse(frame).Number, now);
                return false;
            case FrameType.SubflowStatus:
                HandleSubflowStatus(SubflowStatusFrame.Parse(frame), now);
                return true;
            case FrameType.Mode when Role == BondRole.Relay:
                HandleMode(ModeFrame.Parse(frame));
                return true;
            case FrameType.Close:
                var close = CloseFrame.Parse(frame);
                End(close.Code, close.Reason, isOurs: false);
                return false;
            case FrameType.Hello or FrameType.Open or FrameType.Welcome or FrameType.Join or FrameType.Joined:
                throw new ProtocolException(ProtocolError.FrameOutOfState, $"A {frame.Type} frame after the handshake.");
            default:
                if (((ulong)frame.Type & 1) == 0) throw new ProtocolException(ProtocolError.FrameUnknown, $"A frame of unknown type 0x{(ulong)frame.Type:x}.");
                return false;
        }
    }

    private void HandleStream(in StreamFrame frame, Instant now)
    {
        if (FindOrAccept(frame.Stream, now) is not { } stream)
        {
            _duplicateBytesReceived += frame.Payload.Length;
            return;
        }
        var end = frame.Offset + (ulong)frame.Payload.Length;
        if (end > stream.ReceiveMaximum)
            throw new ProtocolException(ProtocolError.FlowControl, $"{stream.Id} goes to offset {end}; its window ends at {stream.ReceiveMaximum}.");
        if (stream.FinalSize is { } final && (end > final || (frame.IsEnd && end != final)))
            throw new ProtocolException(ProtocolError.FinalSize, $"{stream.Id} ended at {final} and now at {end}.");
        if (frame.IsEnd && end < stream.Highest)
            throw new ProtocolException(ProtocolError.FinalSize, $"{stream.Id} ends at {end} and had bytes up to {stream.Highest}.");
        _windows.HandleReceived(stream, end);
        _health.HandleReceiving(now);
        if (frame.IsEnd) stream.FinalSize = end;
        if (stream.ReceiveState != ReceiveState.Open)
        {
            ForgetIfOver(stream);
            return;
        }
        if (stream.ReadableBytes == 0) stream.UnreadSince = now;
        var added = stream.Receiving.Insert(frame.Offset, frame.Payload);
        _bytesReceived += added;
        _duplicateBytesReceived += frame.Payload.Length - added;
        if (stream.ReadableBytes > 0 || CheckFinished(stream)) RaiseReadable(stream);
    }

    private StreamEndpoint? FindOrAccept(StreamId id, Instant now)
    {
        if (Streams.Find(id) is { } known) return known;
        if (!Streams.IsOpenedNow(id)) return null;
        var stream = AddStream(id, now);
        Raise(new(BondEventKind.StreamOpened, stream));
        AnnounceStreamsIfWorth(); // it may have closed the gap that held the limit back
        return stream;
    }

    private void HandleMaxStreamData(MaxStreamDataFrame frame, Instant now)
    {
        if (FindOrAccept(frame.Stream, now) is not { } stream || frame.Maximum <= stream.SendMaximum) return;
        stream.SendMaximum = frame.Maximum;
        _transmitter.Queue(stream, now);
    }

    private void HandleMaxStreams(ulong maximum)
    {
        if (maximum <= Streams.OpenMaximum) return;
        Streams.OpenMaximum = maximum;
        if (!_wantsStreams) return;
        _wantsStreams = false;
        Raise(new(BondEventKind.StreamsAvailable));
    }

    private void HandleReset(ResetFrame frame, Instant now)
    {
        if (FindOrAccept(frame.Stream, now) is not { } stream) return;
        if (frame.FinalSize < stream.Highest || (stream.FinalSize is { } final && final != frame.FinalSize))
            throw new ProtocolException(ProtocolError.FinalSize, $"{stream.Id} was reset at {frame.FinalSize} after offset {stream.FinalSize ?? stream.Highest}.");
        if (frame.FinalSize > stream.ReceiveMaximum)
            throw new ProtocolException(ProtocolError.FlowControl, $"{stream.Id} was reset at {frame.FinalSize}; its window ends at {stream.ReceiveMaximum}.");
        var isNews = stream.ReceiveState == ReceiveState.Open;
        if (isNews)
        {
            stream.ResetCode = (StreamError)frame.Code;
            EndReceiving(stream);
        }
        _windows.HandleReceived(stream, frame.FinalSize);
        stream.FinalSize = frame.FinalSize;
        if (isNews)
        {
            Raise(new(BondEventKind.StreamReset, stream, Code: frame.Code));
            RaiseReadable(stream);
        }
        ForgetIfOver(stream);
    }

    private void HandleStopSending(StopSendingFrame frame, Instant now)
    {
        if (FindOrAccept(frame.Stream, now) is not { } stream || stream.SendState is SendState.Acknowledged or SendState.Reset) return;
        stream.StopCode = (StreamError)frame.Code;
        GiveUpSending(stream, (StreamError)frame.Code);
        stream.WantsWritable = false;
        Raise(new(BondEventKind.StreamStopped, stream, Code: frame.Code));
    }

    private void HandleSubflowStatus(SubflowStatusFrame frame, Instant now)
    {
        if (FindSubflow(frame.Subflow) is not { } subflow || frame.Version <= subflow.StatusVersion) return;
        subflow.StatusVersion = frame.Version;
        subflow.Policy = frame.Policy;
        if (frame.IsLost == subflow.IsLinkLost) return;
        subflow.IsLinkLost = frame.IsLost;
        if (frame.IsLost) _health.HandleLost(subflow, SubflowReason.Peer, now);
        else subflow.NextPing = now;
    }

    private void HandleMode(ModeFrame frame)
    {
        if (frame.Version <= ModeVersion) return;
        (ModeVersion, Mode) = (frame.Version, frame.Mode);
    }

    private void GiveUpSending(StreamEndpoint stream, StreamError code)
    {
        if (stream.SendState is SendState.Acknowledged or SendState.Reset || IsClosed) return;
        if (stream.StopCode == StreamError.None) stream.StopCode = code;
        _transmitter.HandleReset(stream);
        stream.SendState = SendState.Reset;
        _transmitter.Control.Add(new(FrameType.Reset, stream, null));
    }

    private void GiveUpReceiving(StreamEndpoint stream, StreamError code)
    {
        if (stream.ReceiveState != ReceiveState.Open || IsClosed) return;
        stream.ResetCode = code;
        EndReceiving(stream);
        if (stream.FinalSize is null)
        {
            stream.IsStopped = true;
            _transmitter.Control.Add(new(FrameType.StopSending, stream, null));
        }
        ForgetIfOver(stream);
    }

    /// <summary>Throws away what the reader did not take and gives its windows back.</summary>
    private void EndReceiving(StreamEndpoint stream)
    {
        _windows.HandleGivenUp(stream);
        stream.ReceiveState = ReceiveState.Reset;
        stream.Receiving.Clear();
    }

    private bool CheckFinished(StreamEndpoint stream)
    {
        if (stream.ReceiveState != ReceiveState.Open || stream.FinalSize is not { } final || stream.Receiving.ReadOffset != final) return false;
        stream.ReceiveState = ReceiveState.Finished;
        ForgetIfOver(stream);
        return true;
    }

    private void RaiseReadable(StreamEndpoint stream)
    {
        if (!stream.WantsReadable) return;
        stream.WantsReadable = false;
        Raise(new(BondEventKind.StreamReadable, stream));
    }

    private void AnnounceStreamsIfWorth()
    {
        if (Streams.PeerMaximum >= _announcedStreams + (ulong)Math.Max(1, Options.MaxStreams / 8)) AnnounceStreams();
    }

    private void AnnounceStreams()
    {
        _announcedStreams = Math.Max(_announcedStreams, Streams.PeerMaximum);
        _transmitter.Control.Add(new(FrameType.MaxStreams, null, null));
    }

    /// <summary>Streams whose readers took less than a quarter of what lay there in half a minute give their room to the others.</summary>
    private void ResetSlowReaders(Instant now)
    {
        _nextSlowReaderCheck = now + SlowReaderCheckInterval;
        foreach (var stream in Streams.Open.ToArray())
        {
            if (stream.ReadableBytes == 0 || now - stream.UnreadSince < SlowReaderPatience) continue;
            Raise(new(BondEventKind.StreamReset, stream, Code: (ulong)StreamError.SlowReader));
            GiveUpSending(stream, StreamError.SlowReader);
            GiveUpReceiving(stream, StreamError.SlowReader);
        }
    }

    private void End(ProtocolError code, string reason, bool isOurs)
    {
        if (IsClosed) return;
        IsClosed = true;
        CloseCode = code;
        CloseReason = reason;
        foreach (var stream in Streams.Open)
        {
            if (stream.ReceiveState == ReceiveState.Open)
            {
                stream.ReceiveState = ReceiveState.Reset;
                stream.ResetCode = StreamError.BondLost;
            }
            if (stream.SendState is SendState.Open or SendState.Finishing)
            {
                stream.SendState = SendState.Reset;
                stream.StopCode = StreamError.BondLost;
            }
            stream.Receiving.Clear();
            stream.Sending.Clear();
            Raise(new(BondEventKind.StreamReset, stream, Code: (ulong)StreamError.BondLost));
            Raise(new(BondEventKind.StreamClosed, stream));
        }
        foreach (var subflow in _subflows)
        {
            subflow.Sent.Clear();
            subflow.IsCloseSent |= !isOurs;
        }
        if (!isOurs) Raise(new(BondEventKind.BondClosed, Code: (ulong)code, Reason: reason));
    }
}

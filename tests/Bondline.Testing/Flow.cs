namespace Bondline.Testing;

/// <summary>What one direction of a stream shall do.</summary>
public sealed record FlowPlan
{
    public static FlowPlan Nothing { get; } = new();

    /// <summary>Bytes to write before FIN.</summary>
    public long Length { get; init; }

    /// <summary>Written at a time.</summary>
    public int PieceBytes { get; init; } = 64 * 1024;

    /// <summary>Between two pieces; zero: as fast as the bond takes them.</summary>
    public TimeSpan Interval { get; init; }

    /// <summary>The writer resets after so many bytes.</summary>
    public long? ResetAt { get; init; }

    /// <summary>The reader stops after so many bytes.</summary>
    public long? StopAt { get; init; }

    /// <summary>Read at a time.</summary>
    public int ReadBytes { get; init; } = 64 * 1024;

    /// <summary>Between two reads; zero: whenever there is something.</summary>
    public TimeSpan ReadInterval { get; init; }

    /// <summary>The reader does nothing before.</summary>
    public TimeSpan ReadAfter { get; init; }

    /// <summary>The bond may reset it because its reader is too slow.</summary>
    public bool MayBeDropped { get; init; }

    /// <summary>The end of the flow is left open: no FIN.</summary>
    public bool IsEndless { get; init; }
}

/// <summary>One direction of a stream: a writer at one end and a reader at the other, who checks every byte.</summary>
public sealed class Flow : IEventTarget
{
    private const int WriterDue = 1, ReaderDue = 2;

    private readonly SimulatedNetwork _network;
    private readonly ulong _key;
    private readonly bool _moves; // every other flow hands over segments instead of copies
    private bool _isWriterTimed, _isReaderTimed;

    internal Flow(SimulatedNetwork network, FlowPlan plan, SimulatedEnd from, SimulatedEnd to, ulong key)
    {
        _network = network;
        _key = key;
        _moves = key % 2 == 0;
        Plan = plan;
        From = from;
        To = to;
    }

    public FlowPlan Plan { get; }

    public SimulatedEnd From { get; }

    public SimulatedEnd To { get; }

    public long BytesWritten { get; private set; }

    public long BytesRead { get; private set; }

    /// <summary>Called after each read that moved bytes: the instant and how many.</summary>
    public Action<Instant, int>? Delivered { get; set; }

    public bool IsFinished { get; private set; }

    internal StreamEndpoint? Sender { get; set; }

    public StreamEndpoint? Receiver { get; internal set; }

    internal bool WasReset { get; private set; }

    internal bool WasStopped { get; private set; }

    /// <summary>It was reset because its reader is too slow.</summary>
    public bool WasDropped { get; private set; }

    /// <summary>Writes more than the plan said; tests use it for records.</summary>
    public void Write(int length)
    {
        _extra += length;
        From.Pump(this, isWriter: true);
    }

    private long _extra;

    internal void PumpWriter(SimulatedEnd end, Instant now)
    {
        var bond = end.Bond;
        if (Sender is not { SendState: SendState.Open } stream) return;
        var goal = Math.Min(Plan.Length + _extra, Plan.ResetAt ?? long.MaxValue);
        if (Plan.Interval > TimeSpan.Zero)
        {
            if (_isWriterTimed) return;
            if (BytesWritten < goal) WriteSome(bond, stream, Math.Min(goal, BytesWritten + Plan.PieceBytes), now);
            if (BytesWritten < goal)
            {
                _isWriterTimed = true;
                _network.Clock.Add(_network.Now + Plan.Interval, this, WriterDue);
            }
        }
        else
        {
            WriteSome(bond, stream, goal, now);
        }
        if (BytesWritten < goal || Plan.IsEndless) return;
        if (Plan.ResetAt is not null)
        {
            WasReset = true;
            bond.Reset(stream, StreamError.VisitorReset, now);
        }
        else
        {
            bond.Finish(stream, now);
        }
    }

    internal void PumpReader(SimulatedEnd end, Instant now)
    {
        var bond = end.Bond;
        if (Receiver is not { ReceiveState: ReceiveState.Open } stream) return;
        var start = _network.Started + Plan.ReadAfter;
        if (_network.Now < start)
        {
            ReadLater(start);
            return;
        }
        if (_isReaderTimed) return;
        while (true)
        {
            var most = Math.Min(Plan.ReadBytes, end.Scratch.Length);
            if (Plan.StopAt is { } stop)
            {
                if (BytesRead >= stop)
                {
                    WasStopped = true;
                    bond.StopSending(stream, StreamError.Cancelled, now);
                    return;
                }
                most = (int)Math.Min(most, stop - BytesRead);
            }
            var length = _moves && Plan.ReadBytes % SegmentPool.MediumLength == 0 && Plan.StopAt is null ? Take(end, stream, most, now) : bond.Read(stream, end.Scratch.AsSpan(0, most), now);
            if (length == 0) break;
            if (!Pattern.Matches(_key, BytesRead, end.Scratch.AsSpan(0, length))) throw _network.Fail($"{stream.Id}: wrong bytes at {BytesRead} to {BytesRead + length}");
            BytesRead += length;
            Delivered?.Invoke(_network.Now, length);
            if (Plan.ReadInterval == TimeSpan.Zero) continue;
            ReadLater(_network.Now + Plan.ReadInterval);
            break;
        }
        NoteEnd(stream);
    }

    // As Read, but from the segments themselves.
    private static int Take(SimulatedEnd end, StreamEndpoint stream, int most, Instant now)
    {
        var parts = new List<ArraySegment<byte>>();
        var length = end.Bond.Take(stream, parts, Math.Max(1, most / SegmentPool.MediumLength), now);
        var copied = 0;
        foreach (var part in parts)
        {
            part.AsSpan().CopyTo(end.Scratch.AsSpan(copied));
            copied += part.Count;
            end.Bond.Options.Segments.Return(part.Array!);
        }
        return copied == length ? length : throw new InvalidOperationException($"{copied} bytes in the parts of {length}.");
    }

    internal void HandleReset(StreamError code)
    {
        if (IsDrop(code)) return;
        if (!WasReset && !WasStopped) throw _network.Fail($"{Receiver?.Id}: an unexpected reset with {code}");
        if (WasReset && !WasStopped && code != StreamError.VisitorReset) throw _network.Fail($"{Receiver?.Id}: reset with {code}");
    }

    internal void HandleStopped(StreamError code)
    {
        if (IsDrop(code)) return;
        if (!WasStopped || code != StreamError.Cancelled) throw _network.Fail($"{Sender?.Id}: an unexpected stop with {code}");
    }

    private bool IsDrop(StreamError code)
    {
        if (code != StreamError.SlowReader || !Plan.MayBeDropped) return false;
        WasDropped = true;
        return true;
    }

    internal void NoteEnd(StreamEndpoint stream)
    {
        if (stream.ReceiveState != ReceiveState.Finished || IsFinished) return;
        IsFinished = true;
        if (BytesRead != Plan.Length + _extra) throw _network.Fail($"{stream.Id}: ended after {BytesRead} of {Plan.Length + _extra} bytes");
    }

    internal void CheckOver()
    {
        if (IsFinished || WasReset || WasStopped || WasDropped) return;
        throw _network.Fail($"{Sender?.Id}: closed, but only {BytesRead} of {Plan.Length} bytes were read and no end was seen");
    }

    public void Run(int kind, long argument)
    {
        if (kind == WriterDue)
        {
            _isWriterTimed = false;
            From.Pump(this, isWriter: true);
        }
        else
        {
            _isReaderTimed = false;
            To.Pump(this, isWriter: false);
        }
    }

    private void WriteSome(Bond bond, StreamEndpoint stream, long goal, Instant now)
    {
        var scratch = From.Scratch;
        while (BytesWritten < goal)
        {
            var length = (int)Math.Min(goal - BytesWritten, Math.Min(Plan.PieceBytes, scratch.Length));
            Pattern.Fill(_key, BytesWritten, scratch.AsSpan(0, length));
            var taken = _moves ? Give(bond, stream, scratch.AsSpan(0, length), now) : bond.Write(stream, scratch.AsSpan(0, length), now);
            BytesWritten += taken;
            if (taken < length) return;
        }
    }

    // As Write, but in segments that the bond may keep.
    private static int Give(Bond bond, StreamEndpoint stream, ReadOnlySpan<byte> data, Instant now)
    {
        var pool = bond.Options.Segments;
        var parts = new List<ArraySegment<byte>>();
        while (!data.IsEmpty)
        {
            var length = Math.Min(data.Length, SegmentPool.LargeLength);
            var segment = pool.Rent(SegmentPool.LargeLength);
            data[..length].CopyTo(segment);
            parts.Add(new(segment, 0, length));
            data = data[length..];
        }
        var taken = bond.Give(stream, parts, now);
        foreach (var part in parts) pool.Return(part.Array!);
        return taken;
    }

    private void ReadLater(Instant at)
    {
        if (_isReaderTimed) return;
        _isReaderTimed = true;
        _network.Clock.Add(at, this, ReaderDue);
    }

    public override string ToString() =>
        $"written {BytesWritten}, read {BytesRead} of {Plan.Length}; sender {Sender?.SendState.ToString() ?? "not open"}, receiver {Receiver?.ReceiveState.ToString() ?? "not open"}";
}

/// <summary>A stream of a simulation: what both directions do, and whether both ends have forgotten it.</summary>
public sealed class StreamRun
{
    internal StreamRun(Flow toPeer, Flow fromPeer)
    {
        ToPeer = toPeer;
        FromPeer = fromPeer;
    }

    /// <summary>From the end that opens it.</summary>
    public Flow ToPeer { get; }

    public Flow FromPeer { get; }

    public StreamId? Id { get; internal set; }

    public bool IsOver => ClosedEnds == 2;

    internal int ClosedEnds { get; set; }

    public override string ToString() => $"{(Id is { } id ? id.ToString() : "not open")}: there {ToPeer}; back {FromPeer}; closed at {ClosedEnds} ends";
}

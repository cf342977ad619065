namespace Bondline.Protocol;

/// <summary>One bond of a record: gives its engine the recorded calls and compares what comes out.</summary>
internal sealed class ReplayedBond
{
    /// <summary>What a driver gives or takes at once.</summary>
    private const int MaxBytesAtOnce = 16 << 20;

    private const long MaxSpanTicks = TimeSpan.TicksPerDay * 365;

    private readonly int _number;
    private readonly bool _hasPayload;
    private readonly Bond _bond;
    private readonly ReplayExplanation _explanation;
    private readonly Dictionary<ulong, Subflow> _subflows = [];
    private readonly Dictionary<ulong, StreamEndpoint> _streams = [];
    private readonly List<ArraySegment<byte>> _parts = [];
    private readonly Instant _began;
    private byte[] _buffer = new byte[Frame.MaxLength];
    private Instant _now;
    private long _calls;
    private string? _difference;

    public ReplayedBond(BondInput begin, bool hasPayload, Action<ReplayedDecision> tell, bool tellsWrites)
    {
        var options = Required(begin.Options, "options").ToOptions(new());
        _number = begin.Bond;
        _hasPayload = hasPayload;
        _bond = new(Required(begin.Role, "role"), options, Required(begin.Seed, "seed"));
        _began = _now = new(begin.At);
        _explanation = new(_bond, begin.Bond, tell, tellsWrites);
    }

    /// <summary>Nothing that follows can change anything.</summary>
    public bool IsOver => _difference is not null || (_bond.IsClosed && _bond.Subflows.Count == 0);

    /// <exception cref="FormatException">The line asks for something no driver does.</exception>
    public void Apply(BondInput input, long line)
    {
        _calls++;
        _now = new(input.At);
        if (input.Call == BondCall.Path)
        {
            _explanation.Name(Required(input.Subflow, "subflow"), input.Text ?? "");
            return;
        }
        try
        {
            _explanation.Before(input, input.Subflow is { } id ? _subflows.GetValueOrDefault(id) : null);
            var (result, check) = Call(input, out var written);
            TakeEvents();
            _explanation.After(input, _now, written);
            if (result != input.Result) Differ(line, $"{Describe(input)} gave {result?.ToString() ?? "nothing"}, and {input.Result?.ToString() ?? "nothing"} when it was recorded");
            else if (check != input.Check) Differ(line, $"{Describe(input)} gave {result} bytes, but others than when it was recorded");
        }
        catch (ProtocolException violation)
        {
            TakeEvents();
            _explanation.Tell(_now, $"the peer broke the protocol: {violation.Message.TrimEnd('.')}"); // and the driver closes the bond next
        }
        catch (Exception bug) when (bug is not (FormatException or OutOfMemoryException))
        {
            Differ(line, $"{Describe(input)} failed: {bug.GetType().Name}: {bug.Message}");
        }
    }

    public ReplayResult End()
    {
        _explanation.Flush();
        return new(_number, _bond.Role, _calls, _now.Since(_began), _difference, _explanation.Subflows);
    }

    private (int? Result, uint? Check) Call(BondInput input, out ReadOnlySpan<byte> written)
    {
        written = default;
        switch (input.Call)
        {
            case BondCall.AddSubflow:
                var id = Required(input.Subflow, "subflow");
                var rtt = Within(Required(input.Span, "span"), MaxSpanTicks);
                var added = _bond.AddSubflow(new(id), Required(input.Policy, "policy"), new(rtt), _now, input.IsMultipath == true);
                _subflows.Add(id, added);
                return default;
            case BondCall.RemoveSubflow:
                _bond.RemoveSubflow(SubflowOf(input), _now);
                return default;
            case BondCall.LinkLost:
                _bond.HandleLinkLost(SubflowOf(input), Required(input.Reason, "reason"), _now);
                return default;
            case BondCall.LinkRestored:
                _bond.HandleLinkRestored(SubflowOf(input), _now);
                return default;
            case BondCall.Policy:
                _bond.ChangePolicy(SubflowOf(input), Required(input.Policy, "policy"), _now);
                return default;
            case BondCall.Mode:
                _bond.ChangeMode(Required(input.Mode, "mode"), _now);
                return default;
            case BondCall.TcpSample:
                _bond.HandleTcpSample(SubflowOf(input), Required(input.Tcp, "tcp").ToSample(), _now);
                return default;
            case BondCall.ClockLate:
                _bond.HandleClockLate(new(Within(Required(input.Span, "span"), MaxSpanTicks)), _now);
                return default;
            case BondCall.Resumed:
                _bond.HandleResumedFromSuspend(_now);
                return default;
            case BondCall.Receive:
                _bond.HandleReceived(SubflowOf(input), RecordedBytes.Parse(Required(input.Bytes, "bytes"), MaxBytesAtOnce), _now);
                return default;
            case BondCall.Transmit:
                return Transmitted(_bond.PollTransmit(SubflowOf(input), _now, Buffer(input, Frame.MaxLength)), out written);
            case BondCall.TransmitMore:
                return Transmitted(_bond.PollMore(SubflowOf(input), _now, Buffer(input, Frame.MaxLength)), out written);
            case BondCall.Timeout:
                _bond.HandleTimeout(_now);
                return default;
            case BondCall.Close:
                _bond.Close((ProtocolError)Required(input.Code, "code"), input.Text ?? "", _now);
                return default;
            case BondCall.Open:
                return Open(input);
            default:
                return CallStream(input);
        }
    }

    private (int? Result, uint? Check) Open(BondInput input)
    {
        var opened = _bond.TryOpenStream(_now);
        if (opened is not null) _streams.Add(opened.Id.Value, opened);
        // Which stream it is follows from how many there were.
        return opened?.Id.Value == input.Stream ? default : (opened is null ? 0 : 1, null);
    }

    private (int? Result, uint? Check) CallStream(BondInput input)
    {
        if (!_streams.TryGetValue(Required(input.Stream, "stream"), out var stream)) throw new FormatException($"stream {input.Stream} is not open");
        switch (input.Call)
        {
            case BondCall.Write:
                return (_bond.Write(stream, Data(input, Required(input.Size, "size")), _now), null);
            case BondCall.Give:
                return (Give(stream, input), null);
            case BondCall.Finish:
                _bond.Finish(stream, _now);
                return default;
            case BondCall.Read:
                return (_bond.Read(stream, Buffer(input, 0), _now), null);
            case BondCall.Take:
                var taken = _bond.Take(stream, _parts, Required(input.Size, "size"), _now);
                ReturnParts();
                return (taken, null);
            case BondCall.Reset:
                _bond.Reset(stream, (StreamError)Required(input.Code, "code"), _now);
                return default;
            case BondCall.Stop:
                _bond.StopSending(stream, (StreamError)Required(input.Code, "code"), _now);
                return default;
            default:
                throw new FormatException($"a call \"{input.Call}\" of a stream");
        }
    }

    private int Give(StreamEndpoint stream, BondInput input)
    {
        var lengths = Required(input.Parts, "parts");
        long total = 0;
        foreach (var length in lengths)
        {
            if (length is < 0 or > SegmentPool.LargeLength) throw new FormatException("a part longer than a segment");
            total += length;
        }
        var data = Data(input, total);
        foreach (var length in lengths)
        {
            var segment = _bond.Options.Segments.Rent(SegmentPool.LargeLength);
            data[..length].CopyTo(segment);
            data = data[length..];
            _parts.Add(new(segment, 0, length));
        }
        var taken = _bond.Give(stream, _parts, _now);
        ReturnParts();
        return taken;
    }

    private void ReturnParts()
    {
        foreach (var part in _parts) _bond.Options.Segments.Return(part.Array!);
        _parts.Clear();
    }

    private (int? Result, uint? Check) Transmitted(int length, out ReadOnlySpan<byte> written)
    {
        written = _buffer.AsSpan(0, length);
        return (length, length > 0 ? RecordedBytes.Check(written, _hasPayload) : null);
    }

    private void TakeEvents()
    {
        while (_bond.TryPollEvent(out var seen))
        {
            if (seen is { Kind: BondEventKind.StreamOpened, Stream: { } opened }) _streams.TryAdd(opened.Id.Value, opened);
            if (seen is { Kind: BondEventKind.StreamClosed, Stream: { } closed }) _streams.Remove(closed.Id.Value);
            _explanation.Handle(seen, _now);
        }
    }

    /// <summary>The bytes written, or as many zeros if they were not recorded.</summary>
    private ReadOnlySpan<byte> Data(BondInput input, long length)
    {
        if (length is < 0 or > MaxBytesAtOnce) throw new FormatException("more bytes than a driver writes at once");
        if (input.Bytes is null) return new byte[length];
        var data = RecordedBytes.Parse(input.Bytes, (int)length);
        return data.Length == length ? data : throw new FormatException($"{data.Length} bytes where {length} were written");
    }

    private Span<byte> Buffer(BondInput input, int least)
    {
        var size = Required(input.Size, "size");
        if (size < least) throw new FormatException("a buffer shorter than a frame");
        // No call fills more; a longer one changes nothing.
        size = Math.Min(size, MaxBytesAtOnce);
        if (_buffer.Length < size) _buffer = new byte[size];
        return _buffer.AsSpan(0, size);
    }

    private Subflow SubflowOf(BondInput input) =>
        _subflows.TryGetValue(Required(input.Subflow, "subflow"), out var subflow) ? subflow : throw new FormatException($"subflow {input.Subflow} did not join");

    private string Describe(BondInput input)
    {
        var whom = input.Subflow is { } subflow ? $" of {_explanation.NameOf(subflow)}" : input.Stream is { } stream ? $" of stream {stream}" : "";
        return $"\"{RecordJson.Name(input.Call)}\"{whom}";
    }

    private void Differ(long line, string what)
    {
        _difference ??= $"line {line}: {what}";
        _explanation.Tell(_now, _difference);
    }

    private static long Within(long value, long most) => value >= 0 && value <= most ? value : throw new FormatException("a time no bond has seen");

    private static T Required<T>(T? value, string name)
        where T : struct => value ?? throw new FormatException($"\"{name}\" is missing");

    private static T Required<T>(T? value, string name)
        where T : class => value ?? throw new FormatException($"\"{name}\" is missing");
}

using System.Buffers;
using System.Text.Json;

namespace Bondline.Protocol;

/// <summary>Where the lines of a bond record go.</summary>
public interface IBondRecord
{
    /// <summary>The bytes of streams are recorded too.</summary>
    bool HasPayload { get; }

    /// <summary>Numbers the bonds of the record. Any thread.</summary>
    int NextBond();

    /// <summary>Takes one line, its end included. Called under the lock of any bond: it copies, and neither waits nor throws.</summary>
    void Append(ReadOnlySpan<byte> line);
}

/// <summary>A bond that writes down every call and what came of it, so that <see cref="BondReplay"/> can make it again (docs/record.md).</summary>
/// <remarks>A call is written when it is over, also if it throws. Calls on streams that are over change nothing and are left out.</remarks>
public sealed class RecordedBond : Bond
{
    private readonly IBondRecord _record;
    private readonly int _number;
    private readonly ArrayBufferWriter<byte> _line = new(512);
    private readonly Utf8JsonWriter _json;

    /// <param name="role">As for <see cref="Bond"/>.</param>
    /// <param name="options">As for <see cref="Bond"/>.</param>
    /// <param name="seed">As for <see cref="Bond"/>.</param>
    /// <param name="record">Where it is written down.</param>
    /// <param name="now">The current instant.</param>
    public RecordedBond(BondRole role, BondOptions options, ulong seed, IBondRecord record, Instant now)
        : base(role, options, seed)
    {
        _record = record;
        _number = record.NextBond();
        _json = new(_line, new() { SkipValidation = true });
        Append(new() { At = now.Microseconds, Bond = _number, Call = BondCall.Begin, Role = role, Seed = seed, Options = RecordedOptions.Of(options) });
    }

    /// <summary>The first line of a record, its end included.</summary>
    /// <param name="program">Who writes it, with its version.</param>
    /// <param name="began">The time of day, as people write it.</param>
    /// <param name="hasPayload">The bytes of streams are in it.</param>
    public static byte[] Header(string program, string began, bool hasPayload) =>
        [.. JsonSerializer.SerializeToUtf8Bytes(new(RecordHeader.Version, program, began, hasPayload), RecordJson.Default.RecordHeader), (byte)'\n'];

    /// <summary>Notes what the user knows a subflow by.</summary>
    public void NamePath(SubflowId subflow, string path, Instant now) => Append(new() { At = now.Microseconds, Bond = _number, Call = BondCall.Path, Subflow = subflow.Value, Text = path });

    public override Subflow AddSubflow(SubflowId id, SubflowPolicy policy, TimeSpan initialRtt, Instant now, bool isMultipath = false)
    {
        using (Line(new() { At = now.Microseconds, Bond = _number, Call = BondCall.AddSubflow, Subflow = id.Value, Policy = policy, Span = initialRtt.Ticks, IsMultipath = isMultipath ? true : null }))
            return base.AddSubflow(id, policy, initialRtt, now, isMultipath);
    }

    public override void RemoveSubflow(Subflow subflow, Instant now)
    {
        using (Line(Of(BondCall.RemoveSubflow, subflow, now))) base.RemoveSubflow(subflow, now);
    }

    public override void HandleLinkLost(Subflow subflow, SubflowReason why, Instant now)
    {
        using (Line(new() { At = now.Microseconds, Bond = _number, Call = BondCall.LinkLost, Subflow = subflow.Id.Value, Reason = why })) base.HandleLinkLost(subflow, why, now);
    }

    public override void HandleLinkRestored(Subflow subflow, Instant now)
    {
        using (Line(Of(BondCall.LinkRestored, subflow, now))) base.HandleLinkRestored(subflow, now);
    }

    public override void ChangePolicy(Subflow subflow, SubflowPolicy policy, Instant now)
    {
        using (Line(new() { At = now.Microseconds, Bond = _number, Call = BondCall.Policy, Subflow = subflow.Id.Value, Policy = policy })) base.ChangePolicy(subflow, policy, now);
    }

    public override void ChangeMode(BondMode mode, Instant now)
    {
        using (Line(new() { At = now.Microseconds, Bond = _number, Call = BondCall.Mode, Mode = mode })) base.ChangeMode(mode, now);
    }

    public override void HandleTcpSample(Subflow subflow, in TcpSample sample, Instant now)
    {
        using (Line(new() { At = now.Microseconds, Bond = _number, Call = BondCall.TcpSample, Subflow = subflow.Id.Value, Tcp = RecordedTcpSample.Of(sample) })) base.HandleTcpSample(subflow, sample, now);
    }

    public override void HandleClockLate(TimeSpan late, Instant now)
    {
        using (Line(new() { At = now.Microseconds, Bond = _number, Call = BondCall.ClockLate, Span = late.Ticks })) base.HandleClockLate(late, now);
    }

    public override void HandleResumedFromSuspend(Instant now)
    {
        using (Line(Of(BondCall.Resumed, now))) base.HandleResumedFromSuspend(now);
    }

    public override int HandleReceived(Subflow subflow, ReadOnlySpan<byte> input, Instant now)
    {
        using var line = Line(new() { At = now.Microseconds, Bond = _number, Call = BondCall.Receive, Subflow = subflow.Id.Value, Bytes = RecordedBytes.OfFrames(input, _record.HasPayload) });
        return base.HandleReceived(subflow, input, now); // the result follows from the frames
    }

    public override int PollTransmit(Subflow subflow, Instant now, Span<byte> buffer)
    {
        using var line = Line(new() { At = now.Microseconds, Bond = _number, Call = BondCall.Transmit, Subflow = subflow.Id.Value, Size = buffer.Length });
        return line.Transmitted(base.PollTransmit(subflow, now, buffer), buffer);
    }

    public override int PollMore(Subflow subflow, Instant now, Span<byte> buffer)
    {
        using var line = Line(new() { At = now.Microseconds, Bond = _number, Call = BondCall.TransmitMore, Subflow = subflow.Id.Value, Size = buffer.Length });
        return line.Transmitted(base.PollMore(subflow, now, buffer), buffer);
    }

    public override void HandleTimeout(Instant now)
    {
        using (Line(Of(BondCall.Timeout, now))) base.HandleTimeout(now);
    }

    public override StreamEndpoint? TryOpenStream(Instant now)
    {
        var input = Of(BondCall.Open, now);
        using var line = Line(input);
        var stream = base.TryOpenStream(now);
        input.Stream = stream?.Id.Value;
        return stream;
    }

    public override int Write(StreamEndpoint stream, ReadOnlySpan<byte> data, Instant now)
    {
        if (IsOver(stream)) return base.Write(stream, data, now);
        using var line = Line(new() { At = now.Microseconds, Bond = _number, Call = BondCall.Write, Stream = stream.Id.Value, Size = data.Length, Bytes = _record.HasPayload ? RecordedBytes.OfPayload(data) : null });
        return line.Returned(base.Write(stream, data, now));
    }

    public override int Give(StreamEndpoint stream, List<ArraySegment<byte>> parts, Instant now)
    {
        if (IsOver(stream)) return base.Give(stream, parts, now);
        using var line = Line(new()
        {
            At = now.Microseconds,
            Bond = _number,
            Call = BondCall.Give,
            Stream = stream.Id.Value,
            Parts = [.. parts.Select(part => part.Count)],
            Bytes = _record.HasPayload ? string.Concat(parts.Select(part => RecordedBytes.OfPayload(part))) : null,
        });
        return line.Returned(base.Give(stream, parts, now));
    }

    public override void Finish(StreamEndpoint stream, Instant now)
    {
        if (IsOver(stream)) return;
        using (Line(Of(BondCall.Finish, stream, now))) base.Finish(stream, now);
    }

    public override int Read(StreamEndpoint stream, Span<byte> destination, Instant now)
    {
        if (IsOver(stream)) return base.Read(stream, destination, now);
        using var line = Line(new() { At = now.Microseconds, Bond = _number, Call = BondCall.Read, Stream = stream.Id.Value, Size = destination.Length });
        return line.Returned(base.Read(stream, destination, now));
    }

    public override int Take(StreamEndpoint stream, List<ArraySegment<byte>> parts, int most, Instant now)
    {
        if (IsOver(stream)) return base.Take(stream, parts, most, now);
        using var line = Line(new() { At = now.Microseconds, Bond = _number, Call = BondCall.Take, Stream = stream.Id.Value, Size = most });
        return line.Returned(base.Take(stream, parts, most, now));
    }

    public override void Reset(StreamEndpoint stream, StreamError code, Instant now)
    {
        if (IsOver(stream)) return;
        using (Line(new() { At = now.Microseconds, Bond = _number, Call = BondCall.Reset, Stream = stream.Id.Value, Code = (ulong)code })) base.Reset(stream, code, now);
    }

    public override void StopSending(StreamEndpoint stream, StreamError code, Instant now)
    {
        if (IsOver(stream)) return;
        using (Line(new() { At = now.Microseconds, Bond = _number, Call = BondCall.Stop, Stream = stream.Id.Value, Code = (ulong)code })) base.StopSending(stream, code, now);
    }

    public override void Close(ProtocolError code, string reason, Instant now)
    {
        using (Line(new() { At = now.Microseconds, Bond = _number, Call = BondCall.Close, Code = (ulong)code, Text = reason })) base.Close(code, reason, now);
    }

    private bool IsOver(StreamEndpoint stream) => IsClosed || !ReferenceEquals(Streams.Find(stream.Id), stream);

    private BondInput Of(BondCall call, Instant now) => new() { At = now.Microseconds, Bond = _number, Call = call };

    private BondInput Of(BondCall call, Subflow subflow, Instant now) => new() { At = now.Microseconds, Bond = _number, Call = call, Subflow = subflow.Id.Value };

    private BondInput Of(BondCall call, StreamEndpoint stream, Instant now) => new() { At = now.Microseconds, Bond = _number, Call = call, Stream = stream.Id.Value };

    private OpenLine Line(BondInput input) => new(this, input);

    private void Append(BondInput input)
    {
        _line.ResetWrittenCount();
        _json.Reset();
        JsonSerializer.Serialize(_json, input, RecordJson.Default.BondInput);
        _line.Write("\n"u8);
        _record.Append(_line.WrittenSpan);
    }

    /// <summary>A line that is written when the call is over.</summary>
    private readonly ref struct OpenLine(RecordedBond bond, BondInput input)
    {
        public int Returned(int result)
        {
            input.Result = result;
            return result;
        }

        public int Transmitted(int length, ReadOnlySpan<byte> buffer)
        {
            input.Result = length;
            if (length > 0) input.Check = RecordedBytes.Check(buffer[..length], bond._record.HasPayload);
            return length;
        }

        public void Dispose() => bond.Append(input);
    }
}

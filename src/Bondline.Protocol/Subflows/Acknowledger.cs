namespace Bondline.Protocol;

/// <summary>Subflow acks: when one is due, what it says, and what one from the peer means.</summary>
/// <remarks>
/// An ACK carries the bytes processed of every subflow and goes out on the two subflows with the least round-trip time, so that acks survive the best path
/// (docs/protocol.md, "ACK"). It is due after 64 KiB or the ack delay, whichever comes first; on a very fast bond after up to 512 KiB.
/// </remarks>
//  | 0x12 | length (2) | count (varint) | count times: subflow id (varint), bytes processed (varint) |
internal sealed class Acknowledger(Bond bond)
{
    private const int LeastBytes = 64 * 1024, MostBytes = 512 * 1024;

    private long _elicited;            // bytes that elicit an ack, ever
    private long _sinceDue;
    private int _threshold = LeastBytes;
    private Instant _dueAt;

    public Instant Deadline { get; private set; } = Instant.Never;

    public void HandleEliciting(int bytes, bool isUrgent, Instant now)
    {
        _elicited += bytes;
        _sinceDue += bytes;
        if (_sinceDue >= _threshold || isUrgent)
        {
            // Reached within a millisecond: acks this often would only cost.
            if (_sinceDue >= _threshold) _threshold = now - _dueAt < TimeSpan.FromMilliseconds(1) ? Math.Min(MostBytes, _threshold * 2) : LeastBytes;
            Demand(now);
        }
        else if (Deadline == Instant.Never)
        {
            Deadline = now + bond.Options.AckDelay;
        }
    }

    public void HandleTimeout(Instant now)
    {
        if (now >= Deadline) Demand(now);
    }

    /// <summary>A subflow that was to carry an ACK cannot: others do.</summary>
    public void HandleLost(Subflow subflow, Instant now)
    {
        if (!subflow.IsAckWanted) return;
        subflow.IsAckWanted = false;
        Demand(now);
    }

    /// <summary>Writes an ACK if <paramref name="subflow"/> is to carry one, or may carry one beside other frames.</summary>
    /// <returns>The bytes written.</returns>
    public int Write(Subflow subflow, Span<byte> destination, bool isBesideOthers, Instant now)
    {
        if (!subflow.IsAckWanted && !(isBesideOthers && Deadline != Instant.Never && IsCarrier(subflow))) return 0;
        var length = Compose(destination);
        if (length == 0) return 0;
        subflow.IsAckWanted = false;
        if (Deadline != Instant.Never) DemandFromOther(subflow, now);
        return length;
    }

    /// <exception cref="ProtocolException">It acknowledges bytes never sent, or is malformed.</exception>
    public void HandleAck(Frame frame, Transmitter transmitter, Instant now)
    {
        var body = new BodyReader(frame.Type, frame.Body);
        var count = body.ReadNumber();
        if (count > 1024) throw new ProtocolException(ProtocolError.FrameMalformed, $"An ACK names {count} subflows.");
        for (ulong i = 0; i < count; i++)
        {
            var id = new SubflowId(body.ReadNumber());
            var processed = (long)body.ReadNumber();
            if (bond.FindSubflow(id) is not { } subflow) continue; // gone meanwhile
            if (processed > subflow.BytesSent)
                throw new ProtocolException(ProtocolError.AckBeyondSent, $"An ACK says {processed} bytes of {id}; {subflow.BytesSent} were sent.");
            if (processed > subflow.BytesAcked) transmitter.HandleAcked(subflow, processed, now);
        }
        body.End();
    }

    private int Compose(Span<byte> destination)
    {
        var subflows = bond.AllSubflows;
        var needed = 1 + 2 + VarInt.MaxLength + subflows.Count * 2 * VarInt.MaxLength;
        if (destination.Length < needed) return 0;
        destination[0] = (byte)FrameType.Ack;
        var position = 3 + VarInt.Write(destination[3..], (ulong)subflows.Count);
        for (var i = 0; i < subflows.Count; i++)
        {
            position += VarInt.Write(destination[position..], subflows[i].Id.Value);
            position += VarInt.Write(destination[position..], (ulong)subflows[i].BytesReceived);
        }
        VarInt.WriteFixed(destination[1..], (ulong)(position - 3), 2);
        return position;
    }

    private void Demand(Instant now)
    {
        Deadline = Instant.Never;
        _sinceDue = 0;
        _dueAt = now;
        var (first, second) = Carriers();
        if (first is not null) first.IsAckWanted = true;
        if (second is not null) second.IsAckWanted = true;
    }

    /// <summary>An ACK went out beside other frames before it was due: the second carrier gets its own when it is due.</summary>
    private void DemandFromOther(Subflow written, Instant now)
    {
        var (first, second) = Carriers();
        if (second is null || (!ReferenceEquals(first, written) && !ReferenceEquals(second, written)))
        {
            if (second is null && ReferenceEquals(first, written)) Deadline = Instant.Never;
            if (Deadline == Instant.Never) _sinceDue = 0;
            return;
        }
        var other = ReferenceEquals(first, written) ? second : first!;
        Deadline = Instant.Never;
        _sinceDue = 0;
        _dueAt = now;
        other.IsAckWanted = true;
    }

    private bool IsCarrier(Subflow subflow)
    {
        var (first, second) = Carriers();
        return ReferenceEquals(first, subflow) || ReferenceEquals(second, subflow);
    }

    /// <summary>The two subflows whose answers are quickest: active ones first; metered ones only while there is no other.</summary>
    private (Subflow? First, Subflow? Second) Carriers()
    {
        Subflow? first = null, second = null;
        var subflows = bond.AllSubflows;
        for (var i = 0; i < subflows.Count; i++)
        {
            var subflow = subflows[i];
            if (subflow.Policy == SubflowPolicy.Off || subflow.State == SubflowState.Closed || Eligibility.IsSpared(subflow, bond)) continue;
            if (first is null || IsBetter(subflow, first))
            {
                second = first;
                first = subflow;
            }
            else if (second is null || IsBetter(subflow, second))
            {
                second = subflow;
            }
        }
        return (first, second);
    }

    private static bool IsBetter(Subflow a, Subflow b) => a.State != b.State ? a.State < b.State : a.Rtt.Min < b.Rtt.Min;
}

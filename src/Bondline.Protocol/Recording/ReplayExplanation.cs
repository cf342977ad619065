using System.Globalization;
using System.Text;

namespace Bondline.Protocol;

/// <summary>Tells why an engine did what it did, by looking at it before and after each call. The engine itself knows nothing of this.</summary>
internal sealed class ReplayExplanation(Bond bond, int number, Action<ReplayedDecision> tell, bool tellsWrites)
{
    /// <summary>Frames sent again are told together while they follow each other so closely.</summary>
    private static readonly TimeSpan Burst = TimeSpan.FromMilliseconds(250);

    private readonly Dictionary<ulong, string> _paths = [];
    private readonly Dictionary<ulong, ReplayedSubflow> _tallies = [];
    private readonly List<ReplayedSubflow> _subflows = [];
    private readonly Dictionary<ulong, (SubflowState State, SubflowReason Reason)> _states = [];
    private readonly Dictionary<ulong, ulong> _sentUpTo = []; // of each stream
    private readonly Dictionary<ulong, string> _refusals = []; // told last, of each subflow
    private readonly List<Resent> _burst = [];
    private Instant _burstEnd;
    private long _owedBefore;
    private bool _hasChanged; // the health of a subflow, in this call
    private string _choice = "";

    private enum Cause
    {
        /// <summary>Its first subflow is silent or gone.</summary>
        Moved,

        /// <summary>It is later than it should be.</summary>
        Late,

        /// <summary>Nothing else is left to send, and here it arrives sooner.</summary>
        Tail,

        /// <summary>Small frames are sent twice.</summary>
        Small,

        /// <summary>Mode redundant.</summary>
        Redundant,
    }

    public IReadOnlyList<ReplayedSubflow> Subflows => _subflows;

    public void Name(ulong subflow, string path) => _paths[subflow] = path;

    public string NameOf(ulong subflow) => _paths.TryGetValue(subflow, out var path) ? $"{path}#{subflow}" : $"subflow {subflow}";

    public void Tell(Instant at, string text)
    {
        Flush();
        tell(new(number, at, text));
    }

    // ---------------------------------------------------------------- around a call

    public void Before(BondInput input, Subflow? subflow)
    {
        _owedBefore = bond.Backlog.Owed;
        _hasChanged = false;
        if (tellsWrites && subflow is not null && input.Call is BondCall.Transmit or BondCall.TransmitMore) _choice = DescribeChoice(new(input.At));
    }

    public void After(BondInput input, Instant now, ReadOnlySpan<byte> written)
    {
        if (now - _burstEnd > Burst) Flush();
        if (_hasChanged && bond.Backlog.Owed > _owedBefore) Tell(now, $"{Size(bond.Backlog.Owed - _owedBefore)} that may not have arrived wait to be sent again");
        switch (input.Call)
        {
            case BondCall.ClockLate when input.Span > 0:
                Tell(now, $"this process was held up for {Time(new(input.Span.Value))}: no silence counts until now");
                break;
            case BondCall.Policy when input.Policy is { } policy:
                Tell(now, $"{NameOf(input.Subflow!.Value)} is to be used as {RecordJson.Name(policy)}");
                break;
            case BondCall.Mode when input.Mode is { } mode:
                Tell(now, $"the mode is {RecordJson.Name(mode)} from now on");
                break;
            case BondCall.Close:
                Tell(now, $"this end closes the bond: {(ProtocolError)input.Code!.Value} {input.Text}".TrimEnd());
                break;
            case BondCall.Transmit or BondCall.TransmitMore when Find(input.Subflow!.Value) is { } subflow:
                HandleWritten(subflow, now, written);
                break;
        }
    }

    public void Handle(in BondEvent seen, Instant now)
    {
        switch (seen.Kind)
        {
            case BondEventKind.SubflowChanged:
                HandleChanged(seen.Subflow!, now);
                break;
            case BondEventKind.BondClosed:
                Tell(now, $"the peer closes the bond: {(ProtocolError)seen.Code} {seen.Reason}".TrimEnd());
                break;
            case BondEventKind.StreamReset when (StreamError)seen.Code == StreamError.SlowReader:
                Tell(now, $"{seen.Stream!.Id} is reset: its reader left bytes unread for half a minute while others had no room");
                break;
            case BondEventKind.StreamClosed:
                _sentUpTo.Remove(seen.Stream!.Id.Value);
                break;
        }
    }

    /// <summary>Tells of the frames sent again so far.</summary>
    public void Flush()
    {
        foreach (var resent in _burst)
        {
            var source = resent.Source is { } id ? NameOf(id) : "a subflow that is gone";
            var why = resent.Cause switch
            {
                Cause.Moved => $"that {source} had not delivered",
                Cause.Late => $"of which {source} is late: sent there up to {Time(resent.Age)} before",
                Cause.Tail => $"that {source} has not delivered yet: nothing else is left to send, and they arrive sooner here",
                Cause.Redundant => $"that {source} carries too: the mode is redundant",
                _ => $"that {source} carries too: small frames go over two",
            };
            tell(new(number, resent.At, $"{NameOf(resent.Target)} sends {Size(resent.Bytes)} {why}"));
        }
        _burst.Clear();
    }

    // ---------------------------------------------------------------- health

    private void HandleChanged(Subflow subflow, Instant now)
    {
        var name = NameOf(subflow.Id.Value);
        var hasBefore = _states.TryGetValue(subflow.Id.Value, out var before);
        if (hasBefore && before == (subflow.State, subflow.Reason)) return;
        _states[subflow.Id.Value] = (subflow.State, subflow.Reason);
        _hasChanged = true;
        switch (subflow.State)
        {
            case SubflowState.Active when !hasBefore:
                _tallies[subflow.Id.Value] = new(name);
                _subflows.Add(_tallies[subflow.Id.Value]);
                Tell(now, $"{name} joins: {RecordJson.Name(subflow.Policy)}, round trip {Time(subflow.SmoothedRtt)}");
                break;
            case SubflowState.Active when subflow.Reason == SubflowReason.Unheard:
                Tell(now, $"{name} is not heard: its PING of {Time(now.Since(subflow.PingSentAt))} ago was not answered, though others bring acknowledgements");
                break;
            case SubflowState.Active:
                Tell(now, before.State == SubflowState.Active ? $"{name} is heard again" : $"{name} answers again after {Time(now.Since(subflow.LostAt))}");
                break;
            case SubflowState.Suspect or SubflowState.Dead when subflow.Reason is SubflowReason.Silence or SubflowReason.Mtu or SubflowReason.Unheard:
                Tell(now, $"{name} is {RecordJson.Name(subflow.State)}: {DescribeSilence(subflow, now)}");
                break;
            case SubflowState.Suspect or SubflowState.Dead:
                Tell(now, $"{name} is {RecordJson.Name(subflow.State)}: {Words(subflow.Reason)}");
                break;
            default:
                Tell(now, $"the connection of {name} is over");
                break;
        }
    }

    private string DescribeSilence(Subflow subflow, Instant now)
    {
        var patience = subflow.State == SubflowState.Dead ? subflow.DeadAfter(bond.Options) : subflow.SuspectAfter(bond.Options);
        var text = new StringBuilder($"no answer for {Time(now.Since(subflow.AwaitingSince))}, and {Time(patience)} is patience enough with a round trip of {Time(subflow.SmoothedRtt)}");
        if (subflow.Reason == SubflowReason.Mtu) text.Append("; it was a large frame, small ones had arrived");
        foreach (var other in bond.Subflows)
            if (!ReferenceEquals(other, subflow) && other.State == SubflowState.Active) text.Append($"; {NameOf(other.Id.Value)} answered {Time(now.Since(other.LastProgress))} ago");
        return text.ToString();
    }

    private static string Words(SubflowReason reason) => reason switch
    {
        SubflowReason.Carrier => "its link has no carrier",
        SubflowReason.Address => "its address is gone",
        SubflowReason.Route => "its route is gone",
        SubflowReason.Peer => "the peer says that its link is lost",
        SubflowReason.Suspend => "this machine slept",
        _ => RecordJson.Name(reason),
    };

    // ---------------------------------------------------------------- what was written

    private void HandleWritten(Subflow subflow, Instant now, ReadOnlySpan<byte> written)
    {
        var tally = _tallies[subflow.Id.Value];
        var hasStream = false;
        while (Frame.TryRead(written, out var frame, out var length))
        {
            written = written[length..];
            if (frame.Type is not (FrameType.Stream or FrameType.StreamEnd)) continue;
            hasStream = true;
            var sent = StreamFrame.Parse(frame);
            var end = sent.Offset + (ulong)sent.Payload.Length;
            var isNew = !_sentUpTo.TryGetValue(sent.Stream.Value, out var before) || sent.Offset >= before;
            if (isNew && bond.Streams.Find(sent.Stream) is not null) _sentUpTo[sent.Stream.Value] = end;
            if (isNew) tally.NewBytes += sent.Payload.Length;
            else HandleAgain(subflow, tally, sent, now);
            if (tellsWrites && isNew) Tell(now, $"{tally.Name} sends {sent.Stream} from {sent.Offset.ToString("N0", CultureInfo.InvariantCulture)}, {Size(sent.Payload.Length)}: {_choice}");
        }
        if (hasStream) _refusals.Remove(subflow.Id.Value);
        else if (bond.Backlog.IsWaiting) HandleRefused(subflow, tally, now);
    }

    private void HandleRefused(Subflow subflow, ReplayedSubflow tally, Instant now)
    {
        string why;
        if (subflow.State != SubflowState.Active)
        {
            tally.TimesUnwell++;
            why = $"it is {RecordJson.Name(subflow.State)}";
        }
        else if (!Eligibility.IsUsable(subflow, bond))
        {
            tally.TimesSpared++;
            why = subflow.IsProven ? "others come first" : "that large frames pass is not proven yet";
        }
        else if (!subflow.HasCredit)
        {
            tally.TimesFull++;
            why = "as much is under way on it as its cap allows";
        }
        else
        {
            tally.TimesLeft++;
            why = "another delivers sooner, or the receiver's window is full";
        }
        if (!tellsWrites || (_refusals.TryGetValue(subflow.Id.Value, out var last) && last == why)) return;
        _refusals[subflow.Id.Value] = why;
        Tell(now, $"{tally.Name} takes nothing of what waits: {why}: {_choice}");
    }

    private void HandleAgain(Subflow target, ReplayedSubflow tally, in StreamFrame sent, Instant now)
    {
        var length = sent.Payload.Length;
        var (source, sentAt, cause) = FindCause(target, sent);
        if (cause is Cause.Small or Cause.Redundant) tally.CopiedBytes += length;
        else tally.AgainBytes += length;
        if (cause is Cause.Small or Cause.Redundant && !tellsWrites) return; // all the time
        var age = source is null ? TimeSpan.Zero : now.Since(sentAt);
        var known = _burst.FindIndex(resent => resent.Target == target.Id.Value && resent.Source == source?.Id.Value && resent.Cause == cause);
        if (known < 0) _burst.Add(new(now, target.Id.Value, source?.Id.Value, cause, length, age));
        else _burst[known] = _burst[known] with { Bytes = _burst[known].Bytes + length, Age = age > _burst[known].Age ? age : _burst[known].Age };
        _burstEnd = now;
    }

    /// <summary>Who carried these bytes before.</summary>
    private (Subflow? Source, Instant SentAt, Cause Cause) FindCause(Subflow target, in StreamFrame sent)
    {
        foreach (var other in bond.Subflows)
        {
            if (ReferenceEquals(other, target)) continue;
            for (var i = 0; i < other.Sent.Count; i++)
            {
                ref var frame = ref other.Sent[i];
                if (frame.Stream?.Id != sent.Stream || frame.Type is not (FrameType.Stream or FrameType.StreamEnd) || sent.Offset < frame.Start || sent.Offset > frame.End) continue;
                if (sent.Offset == frame.End && frame.Start < frame.End) continue;
                var cause = other.State != SubflowState.Active ? Cause.Moved
                    : bond.Mode == BondMode.Redundant ? Cause.Redundant
                    : !frame.IsCopied ? Cause.Small
                    : _owedBefore > 0 ? Cause.Late
                    : Cause.Tail;
                return (other, frame.SentAt, cause);
            }
        }
        return (null, default, Cause.Moved);
    }

    /// <summary>Every subflow with when it would deliver the next frame, or why it does not count.</summary>
    private string DescribeChoice(Instant now)
    {
        var text = new StringBuilder();
        foreach (var subflow in bond.Subflows)
        {
            if (text.Length > 0) text.Append(", ");
            text.Append(NameOf(subflow.Id.Value)).Append(' ');
            if (subflow.State != SubflowState.Active) text.Append(RecordJson.Name(subflow.State));
            else if (!Eligibility.IsUsable(subflow, bond)) text.Append("in reserve");
            else text.Append($"there in {Time(TimeSpan.FromSeconds(Math.Min(subflow.FinishTime(Subflow.Quantum), 3600)))}");
            if (!subflow.HasCredit) text.Append(" but full");
            else if (subflow.IsWriting && now - subflow.WritingSince > TimeSpan.FromMilliseconds(4)) text.Append(" but stuck in a write");
            text.Append($" ({Size(subflow.UnackedBytes)} of {Size(subflow.CapBytes)} under way)");
        }
        return text.ToString();
    }

    private Subflow? Find(ulong id)
    {
        foreach (var subflow in bond.Subflows)
            if (subflow.Id.Value == id) return subflow;
        return null;
    }

    private static string Size(long bytes) => bytes switch
    {
        < 1000 => string.Create(CultureInfo.InvariantCulture, $"{bytes} bytes"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.0} kB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.0} MB"),
    };

    private static string Time(TimeSpan span) => span < TimeSpan.FromSeconds(10)
        ? string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0.0} ms")
        : string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.0} s");

    /// <summary>Bytes one subflow sent that another had sent before.</summary>
    private readonly record struct Resent(Instant At, ulong Target, ulong? Source, Cause Cause, long Bytes, TimeSpan Age);
}

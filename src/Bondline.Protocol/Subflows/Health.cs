namespace Bondline.Protocol;

/// <summary>Tells living subflows from silent ones: SUSPECT after tens of milliseconds, so that being wrong is cheap, DEAD after about a second.</summary>
/// <remarks>docs/protocol.md, "Health". Only answers count: bytes read prove nothing about the direction we send in.</remarks>
internal sealed class Health(Bond bond, Transmitter transmitter)
{
    /// <summary>Between two PINGs of a subflow in use.</summary>
    public static readonly TimeSpan BusyPing = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan Recheck = TimeSpan.FromMilliseconds(5), QuietPing = TimeSpan.FromSeconds(1),
        IdlePing = TimeSpan.FromSeconds(15), RecentlyUsed = TimeSpan.FromSeconds(10);

    /// <summary>Each subflow that died of silence since stream bytes were last delivered doubles the patience with the next, up to so many times.</summary>
    /// <remarks>On a path so slow that the first bytes take longer than the patience, replacements would follow each other for ever.</remarks>
    private const int MostDoublings = 5;

    /// <summary>A subflow that has answered for so long shows that the patience was enough: who only receives would otherwise keep what bad hours taught it for days.</summary>
    private static readonly TimeSpan Lasting = TimeSpan.FromMinutes(1);

    /// <summary>So often lateness of our own restarts the clock of one silence: in a process that is always late a silent path would never be found.</summary>
    private const int MostRestarts = 8;

    private Instant _usedAt;
    private int _deathsInVain;

    public Instant NextTimeout
    {
        get
        {
            var next = transmitter.RetryAt;
            foreach (var subflow in bond.AllSubflows)
            {
                next = Instant.Earlier(next, subflow.CheckAt);
                if (subflow.State is SubflowState.Active or SubflowState.Suspect && !subflow.IsPingOutstanding && !subflow.IsWriting) next = Instant.Earlier(next, subflow.NextPing);
                next = Instant.Earlier(next, Instant.Later(Transmitter.LateAt(subflow), subflow.NextLateCheck));
                next = Instant.Earlier(next, UnheardAt(subflow));
            }
            return next;
        }
    }

    public void HandleTimeout(Instant now)
    {
        transmitter.HandleTimeout(now);
        for (var i = 0; i < bond.AllSubflows.Count; i++)
        {
            var subflow = bond.AllSubflows[i];
            if (now >= Transmitter.LateAt(subflow) && now >= subflow.NextLateCheck)
            {
                transmitter.CopyLate(subflow, now);
                subflow.NextLateCheck = now + Recheck;
            }
            CheckSilence(subflow, now);
            CheckHeard(subflow, now);
            CheckDrain(subflow, now);
        }
    }

    public void HandleProgress(Subflow subflow, Instant now)
    {
        if (subflow.IsProving) return; // small frames arrive where large ones do not
        subflow.LastProgress = now;
        subflow.LateRestarts = 0;
        subflow.AwaitingSince = subflow.HasOutstanding || subflow.IsPingOutstanding ? now : Instant.Never;
        subflow.CheckAt = subflow.AwaitingSince == Instant.Never ? Instant.Never : now + subflow.SuspectAfter(bond.Options) / 2;
        if (subflow.State is SubflowState.Suspect or SubflowState.Dead && !subflow.IsLinkLost) Revive(subflow, now);
    }

    public void HandlePong(Subflow subflow, ulong number, Instant now)
    {
        if (!subflow.IsPingOutstanding || number != subflow.PingNumber) return; // late or repeated
        subflow.IsPingOutstanding = false;
        var wasUnheard = subflow is { State: SubflowState.Active, Reason: SubflowReason.Unheard };
        if (wasUnheard) subflow.Reason = SubflowReason.None;
        subflow.IsProven |= subflow.IsPingPadded;
        var sample = now - subflow.PingSentAt;
        if (subflow.State == SubflowState.Active && subflow.PingSentAt >= subflow.ActiveSince)
        {
            if (subflow.PingSentAt - subflow.ActiveSince >= Lasting) _deathsInVain = 0;
            subflow.Rtt.Add(sample, now);
            subflow.Loop.HandleRoundTrip(subflow.Rtt.Min, bond.Options.AckDelay);
        }
        if (transmitter.HasUnsent || subflow.HasOutstanding) _usedAt = now;
        subflow.NextPing = subflow.PingSentAt + (Eligibility.IsSpared(subflow, bond) ? IdlePing : subflow.HasOutstanding || transmitter.HasUnsent ? BusyPing : now - _usedAt < RecentlyUsed ? QuietPing : IdlePing);
        if (!subflow.IsProven) subflow.NextPing = now;
        HandleProgress(subflow, now);
        if (wasUnheard) bond.Raise(new(BondEventKind.SubflowChanged, Subflow: subflow));
    }

    /// <summary>Bytes of streams arrive: acks go out, and which subflows can carry them must be known.</summary>
    public void HandleReceiving(Instant now)
    {
        if (now - _usedAt < QuietPing) return;
        _usedAt = now;
        foreach (var subflow in bond.AllSubflows)
            if (subflow.NextPing > now + QuietPing && !Eligibility.IsSpared(subflow, bond)) subflow.NextPing = now + QuietPing;
    }

    public void HandleDelivered() => _deathsInVain = 0;

    public void HandleLost(Subflow subflow, SubflowReason why, Instant now)
    {
        if (subflow.State is SubflowState.Active or SubflowState.Suspect) Degrade(subflow, SubflowState.Dead, why, now);
        subflow.Reason = why;
        bond.Raise(new(BondEventKind.SubflowDead, Subflow: subflow));
    }

    public void HandleTcpSample(Subflow subflow, in TcpSample sample, Instant now)
    {
        if (subflow.Tcp is { } last)
        {
            var acked = sample.BytesAcked - last.BytesAcked;
            if (acked < 256 * 1024 && now - subflow.TcpAt < TimeSpan.FromSeconds(2)) return; // too little to tell a share
            var share = acked > 0 ? (double)(sample.BytesRetransmitted - last.BytesRetransmitted) / acked : 0;
            subflow.LossRate = subflow.LossRate * 0.75 + Math.Min(1, share) * 0.25;
        }
        subflow.Tcp = sample;
        subflow.TcpAt = now;
    }

    public void HandleClockLate(TimeSpan late, Instant now)
    {
        foreach (var subflow in bond.AllSubflows)
        {
            CapPolicy.HandlePause(subflow, late, now);
            if (subflow.AwaitingSince == Instant.Never || subflow.LateRestarts >= MostRestarts) continue;
            subflow.LateRestarts++;
            subflow.AwaitingSince = now;
            subflow.CheckAt = now + subflow.SuspectAfter(bond.Options) / 2;
            subflow.NextLateCheck = now + TimeSpan.FromMilliseconds(20);
        }
    }

    public void HandleResumedFromSuspend(Instant now)
    {
        foreach (var subflow in bond.AllSubflows)
        {
            if (subflow.State != SubflowState.Active) continue;
            Degrade(subflow, SubflowState.Suspect, SubflowReason.Suspend, now);
            subflow.NextPing = now;
            subflow.AwaitingSince = now;
            subflow.CheckAt = now + subflow.DeadAfter(bond.Options);
        }
    }

    private void CheckSilence(Subflow subflow, Instant now)
    {
        if (subflow.AwaitingSince == Instant.Never || subflow.State is SubflowState.Dead or SubflowState.Closed)
        {
            subflow.CheckAt = Instant.Never;
            return;
        }
        var silence = now - subflow.AwaitingSince;
        var suspectAfter = subflow.SuspectAfter(bond.Options);
        var deadAfter = subflow.DeadAfter(bond.Options) * (1 << _deathsInVain);
        if (silence >= deadAfter)
        {
            _deathsInVain = Math.Min(MostDoublings, _deathsInVain + 1);
            Degrade(subflow, SubflowState.Dead, subflow.Reason is SubflowReason.None or SubflowReason.Unheard ? WhySilent(subflow) : subflow.Reason, now);
            bond.Raise(new(BondEventKind.SubflowDead, Subflow: subflow));
            return;
        }
        if (subflow.State == SubflowState.Active && silence >= suspectAfter / 2)
        {
            // All silent means the peer or the host pauses; only an answer elsewhere makes this subflow the culprit, so ask for one in time.
            if (!AnotherAnswered(subflow, now, suspectAfter)) AskOthers(subflow, silence >= suspectAfter, now);
            else if (silence >= suspectAfter) Degrade(subflow, SubflowState.Suspect, WhySilent(subflow), now);
        }
        subflow.CheckAt = subflow.State == SubflowState.Suspect ? subflow.AwaitingSince + deadAfter
            : silence < suspectAfter / 2 ? subflow.AwaitingSince + suspectAfter / 2
            : now + Recheck;
    }

    private static SubflowReason WhySilent(Subflow subflow) => subflow.IsProving ? SubflowReason.Mtu : SubflowReason.Silence;

    /// <summary>When the way back is known to be broken, though acks by other ways say that the way there is not. Only an agent can do something about it: dial another.</summary>
    private Instant UnheardAt(Subflow subflow) =>
        bond.Role == BondRole.Agent && subflow is { State: SubflowState.Active, Reason: SubflowReason.None, IsPingOutstanding: true } ? subflow.PingSentAt + subflow.DeadAfter(bond.Options) : Instant.Never;

    private void CheckHeard(Subflow subflow, Instant now)
    {
        if (now < UnheardAt(subflow)) return;
        subflow.Reason = SubflowReason.Unheard;
        bond.Raise(new(BondEventKind.SubflowChanged, Subflow: subflow));
    }

    private bool AnotherAnswered(Subflow subflow, Instant now, TimeSpan within)
    {
        foreach (var other in bond.AllSubflows)
            if (!ReferenceEquals(other, subflow) && other.State == SubflowState.Active && other.LastProgress > subflow.AwaitingSince && now - other.LastProgress < within) return true;
        return false;
    }

    /// <param name="subflow">The silent one.</param>
    /// <param name="isLate">Those that cost money are asked too: every answer that takes a little longer would be too often.</param>
    /// <param name="now">The current instant.</param>
    private void AskOthers(Subflow subflow, bool isLate, Instant now)
    {
        foreach (var other in bond.AllSubflows)
            if (!ReferenceEquals(other, subflow) && other.State == SubflowState.Active && !other.IsPingOutstanding && (isLate || !Eligibility.IsSpared(other, bond))) other.NextPing = Instant.Earlier(other.NextPing, now);
    }

    private void CheckDrain(Subflow subflow, Instant now)
    {
        // Idle there is nothing to drain, and one late ack when bytes come again would decide alone.
        if (subflow.State != SubflowState.Active || subflow.IsStartup || subflow.IsMultipath || !subflow.HasOutstanding || !subflow.Loop.IsStale(now) || subflow.NextDrain > now) return;
        subflow.NextDrain = now + TimeSpan.FromSeconds(1);
        CapPolicy.BeginDrain(subflow, now);
    }

    private void Degrade(Subflow subflow, SubflowState state, SubflowReason reason, Instant now)
    {
        var wasActive = subflow.State == SubflowState.Active;
        subflow.State = state;
        subflow.Reason = reason;
        subflow.LostAt = now;
        if (wasActive) HandleAbsence(subflow, now);
        transmitter.MoveAway(subflow, now);
        bond.Raise(new(BondEventKind.SubflowChanged, Subflow: subflow));
    }

    /// <summary>Acks come back over the quickest subflow: without it they take longer on all others, whose caps must cover that at once.</summary>
    public void HandleAbsence(Subflow subflow, Instant now)
    {
        var quickest = TimeSpan.MaxValue;
        foreach (var other in bond.AllSubflows)
            if (!ReferenceEquals(other, subflow) && other.State == SubflowState.Active && other.Rtt.Min < quickest) quickest = other.Rtt.Min;
        if (quickest == TimeSpan.MaxValue || quickest <= subflow.Rtt.Min) return;
        foreach (var other in bond.AllSubflows)
        {
            if (other.State != SubflowState.Active) continue;
            other.Loop.HandleReturnLonger((quickest - subflow.Rtt.Min) / 2, now);
            CapPolicy.Update(other);
        }
    }

    private void Revive(Subflow subflow, Instant now)
    {
        // A short absence was a hiccup; after a long one the network may be another, so probe it as a new one.
        if (now - subflow.LostAt > TimeSpan.FromMilliseconds(500))
        {
            subflow.BeginStartup();
            subflow.Loop.Forget(now);
            subflow.Rtt.Forget();
            subflow.IsProven = false;
            subflow.NextPing = now;
        }
        subflow.Rate.Stop();
        subflow.State = SubflowState.Active;
        subflow.Reason = SubflowReason.None;
        subflow.ActiveSince = now;
        subflow.IsCopiedOut = false;
        subflow.IsDraining = false;
        CapPolicy.Update(subflow);
        transmitter.Control.HandleUsable(subflow);
        bond.Raise(new(BondEventKind.SubflowChanged, Subflow: subflow));
    }
}

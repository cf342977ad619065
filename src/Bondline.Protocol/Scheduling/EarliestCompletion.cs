namespace Bondline.Protocol;

/// <summary>Decides whether a subflow may take the next bytes: they go where they will be delivered first, with what the receiver can absorb as slack (earliest completion first).</summary>
/// <remarks>Pure: it looks at the subflows and never sends. Writers pull, so the question is always asked for one subflow.</remarks>
internal static class EarliestCompletion
{
    /// <summary>A write that takes longer is waiting for the socket: its subflow has no room, whatever its cap says.</summary>
    private static readonly TimeSpan SlowWrite = TimeSpan.FromMilliseconds(4);

    /// <summary>May <paramref name="asking"/> take bulk bytes?</summary>
    /// <param name="asking">The subflow whose writer asks.</param>
    /// <param name="bond">Its subflows and its mode.</param>
    /// <param name="waiting">All bytes that wait to be sent, these included.</param>
    /// <param name="slackBytes">How many bytes may overtake them: what the windows and buffers still hold, and what waits at all.</param>
    /// <param name="now">The current instant.</param>
    /// <param name="except">A subflow that will not take these bytes, so nobody may leave them to it.</param>
    public static bool MayTake(Subflow asking, Bond bond, long waiting, double slackBytes, Instant now, Subflow? except = null)
    {
        if (!asking.HasCredit || !Eligibility.IsUsable(asking, bond)) return false;
        // The same length whoever asks: two that each find the other faster would both wait for ever.
        var length = Math.Min(waiting, Subflow.Quantum);
        var mine = asking.FinishTime(length);
        var best = mine;
        long room = 0; // what faster subflows can take at once
        double rate = 0; // of the faster ones
        var all = bond.AllSubflows;
        for (var i = 0; i < all.Count; i++)
        {
            var other = all[i];
            if (ReferenceEquals(other, asking) || ReferenceEquals(other, except) || !Eligibility.IsUsable(other, bond)) continue;
            var finish = other.FinishTime(length);
            var isFirst = other.Policy == asking.Policy ? finish < mine : other.Policy == SubflowPolicy.Prefer;
            if (!isFirst) continue;
            best = Math.Min(best, finish);
            rate += other.RateBytesPerSecond;
            if (other.HasCredit && !IsBlocked(other, now)) room += other.CapBytes - other.UnackedBytes;
        }
        if (rate == 0) return true;
        // While these bytes are under way the faster subflows deliver (mine - best) * rate others: more than there are, or more than fit, and waiting for the faster ones is better.
        return room < waiting && (mine - best) * rate <= slackBytes;
    }

    /// <summary>The usable subflow that delivers <paramref name="length"/> bytes first, whether or not it has credit, a preferred one that has before all others; <paramref name="except"/> and those stuck in a write do not count.</summary>
    public static Subflow? Fastest(Bond bond, int length, Subflow? except, Instant now) => Fastest(bond, length, except, now, Eligibility.IsUsable);

    /// <summary>The same among those that may carry a copy of a small frame.</summary>
    public static Subflow? FastestToDouble(Bond bond, int length, Subflow except, Instant now) => Fastest(bond, length, except, now, Eligibility.MayDouble);

    private static Subflow? Fastest(Bond bond, int length, Subflow? except, Instant now, Func<Subflow, Bond, bool> isEligible)
    {
        var all = bond.AllSubflows;
        Subflow? best = null, stuck = null;
        double bestFinish = double.MaxValue;
        var isBestPreferred = false;
        for (var i = 0; i < all.Count; i++)
        {
            var subflow = all[i];
            if (ReferenceEquals(subflow, except) || !isEligible(subflow, bond)) continue;
            if (IsBlocked(subflow, now))
            {
                stuck ??= subflow;
                continue;
            }
            var finish = subflow.FinishTime(length);
            var isPreferred = subflow is { Policy: SubflowPolicy.Prefer, HasCredit: true };
            if (isPreferred == isBestPreferred ? finish >= bestFinish : isBestPreferred) continue;
            best = subflow;
            bestFinish = finish;
            isBestPreferred = isPreferred;
        }
        return best ?? stuck;
    }

    /// <summary>When the first write under way will have taken so long that its subflow counts as stuck.</summary>
    public static Instant NextBlocked(List<Subflow> all, Instant now)
    {
        var next = Instant.Never;
        for (var i = 0; i < all.Count; i++)
            if (all[i].IsWriting && !IsBlocked(all[i], now)) next = Instant.Earlier(next, all[i].WritingSince + SlowWrite + TimeSpan.FromMicroseconds(100));
        return next;
    }

    private static bool IsBlocked(Subflow subflow, Instant now) => subflow.IsWriting && now - subflow.WritingSince > SlowWrite;
}

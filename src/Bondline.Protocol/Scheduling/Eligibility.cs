namespace Bondline.Protocol;

/// <summary>Which subflows policies and the mode let carry what (docs/protocol.md, "Policies and modes"). One that is not proven to carry large frames waits while another is.</summary>
internal static class Eligibility
{
    /// <summary>It may carry new data now.</summary>
    public static bool IsUsable(Subflow subflow, Bond bond)
    {
        if (!IsCandidate(subflow, bond)) return false;
        if (IsSharing(bond.Mode)) return true;
        foreach (var other in bond.AllSubflows)
            if (IsRival(other, subflow) && Rank(other, bond.Mode) == Rank(subflow, bond.Mode) && IsBefore(other, subflow, bond.Mode)) return false;
        return true;
    }

    /// <summary>It may carry copies of small frames: in the mode for the least latency those in reserve do.</summary>
    public static bool MayDouble(Subflow subflow, Bond bond) => bond.Mode == BondMode.LowestLatency ? IsCandidate(subflow, bond) : IsUsable(subflow, bond);

    /// <summary>It costs money, and another one can carry acks and control frames.</summary>
    public static bool IsSpared(Subflow subflow, Bond bond)
    {
        if (subflow.Policy != SubflowPolicy.Metered) return false;
        foreach (var other in bond.AllSubflows)
            if (other is { State: SubflowState.Active, Policy: not (SubflowPolicy.Metered or SubflowPolicy.Off) }) return true;
        return false;
    }

    /// <summary>No other subflow may carry new data now.</summary>
    public static bool IsAlone(Subflow subflow, Bond bond)
    {
        foreach (var other in bond.AllSubflows)
            if (!ReferenceEquals(other, subflow) && IsUsable(other, bond)) return false;
        return true;
    }

    /// <summary>Active, and no active one has a policy that comes first.</summary>
    private static bool IsCandidate(Subflow subflow, Bond bond)
    {
        if (subflow.State != SubflowState.Active || subflow.Policy == SubflowPolicy.Off) return false;
        if (!subflow.IsProven && HasProven(bond)) return false;
        var rank = Rank(subflow, bond.Mode);
        if (rank == 0) return true;
        foreach (var other in bond.AllSubflows)
            if (IsRival(other, subflow) && Rank(other, bond.Mode) < rank) return false;
        return true;
    }

    private static bool HasProven(Bond bond)
    {
        foreach (var other in bond.AllSubflows)
            if (other is { State: SubflowState.Active, IsProven: true, Policy: not SubflowPolicy.Off }) return true;
        return false;
    }

    /// <summary>Proven ones, where there are any, are ranked among themselves.</summary>
    private static bool IsRival(Subflow other, Subflow subflow) => other.State == SubflowState.Active && other.IsProven == subflow.IsProven;

    /// <summary>Where bytes are shared, a preferred one is only filled first.</summary>
    private static int Rank(Subflow subflow, BondMode mode) => subflow.Policy switch
    {
        SubflowPolicy.Prefer => 0,
        SubflowPolicy.Normal => IsSharing(mode) ? 0 : 1,
        SubflowPolicy.Backup => 2,
        SubflowPolicy.Metered => 3,
        _ => int.MaxValue,
    };

    private static bool IsSharing(BondMode mode) => mode is BondMode.Auto or BondMode.Redundant;

    /// <summary>Of two of one rank, which is the one that is used. The least round trip has no queue of its own bulk in it; the lower id is the same at both ends.</summary>
    private static bool IsBefore(Subflow a, Subflow b, BondMode mode) =>
        mode == BondMode.LowestLatency && a.Rtt.Min != b.Rtt.Min ? a.Rtt.Min < b.Rtt.Min : a.Id.Value < b.Id.Value;
}

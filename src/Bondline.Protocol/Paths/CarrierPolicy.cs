using System.Globalization;

namespace Bondline.Protocol;

/// <summary>What the subflows of a bond are made of.</summary>
public enum Carrier
{
    /// <summary>A TCP connection on each network.</summary>
    Bond,

    /// <summary>One connection that the kernel spreads over the networks (Multipath TCP, RFC 8684).</summary>
    Multipath,
}

/// <summary>Which <see cref="Carrier"/> the user asks for.</summary>
public enum CarrierMode
{
    /// <summary>The bond, unless the kernel reaches more networks.</summary>
    Auto,
    Bond,
    Multipath,
}

/// <summary>What is known of both carriers at one moment.</summary>
/// <param name="Networks">That lead to the relay, as far as the system says: interfaces, or more where the kernel has endpoints for several uplinks of one.</param>
/// <param name="Reached">Of them, those on which the bond ever had a subflow: one that fails now and then is an outage, which the kernel would not cure.</param>
/// <param name="Active">Of them, those on which the bond has a live subflow.</param>
/// <param name="Possible">Those that the kernel has endpoints for and could use now; 0 if it has none, that cannot be seen, or it may not be used.</param>
/// <param name="IsForbidden">It may not be used: it would lead over networks that the user wants otherwise.</param>
/// <param name="Kernel">Networks the kernel's connection uses now; 0 if there is none.</param>
/// <param name="IsFallen">That connection is plain TCP: the peer, or something on the way, does not speak MPTCP.</param>
internal readonly record struct CarrierFacts(int Networks, int Reached, int Active, int Possible, bool IsForbidden, int Kernel, bool IsFallen);

/// <summary>Decides what carries the bond. With <see cref="CarrierMode.Auto"/> that is the bond, which was measured to be better at everything it can do; where
/// it stays on fewer networks than there are, both are tried side by side and the one that reaches more is kept.</summary>
/// <remarks>docs/decisions/bond-before-mptcp.md. A pure function of what it is told; not thread safe.</remarks>
internal sealed class CarrierPolicy
{
    /// <summary>Longer than a join over any path that works.</summary>
    public static readonly TimeSpan Settle = TimeSpan.FromSeconds(5);

    /// <summary>Between two comparisons while nothing about the networks changes.</summary>
    public static readonly TimeSpan Again = TimeSpan.FromMinutes(5);

    private const string NotSetUp = "kernel MPTCP is not set up for several networks here",
        Gone = "kernel MPTCP has no endpoint on a working network any more",
        Forbidden = "kernel MPTCP would use networks that are not to be used so",
        Better = "it loses nothing and waits for nothing when a network fails; kernel MPTCP is taken where it reaches more networks";

    private readonly bool _isAvailable;
    private readonly CarrierMode _mode;
    private Stage _stage;
    private Instant _since, _notBefore = new(long.MinValue);
    private string? _doubt;
    private CarrierFacts _last;

    /// <param name="mode">What the user asks for.</param>
    /// <param name="isAvailable">This system has sockets of MPTCP, or may come to have them.</param>
    public CarrierPolicy(CarrierMode mode, bool isAvailable)
    {
        (_mode, _isAvailable) = (mode, isAvailable);
        _stage = mode == CarrierMode.Multipath ? Stage.Multipath : Stage.Bond;
        Reason = mode switch
        {
            CarrierMode.Multipath => "asked for",
            CarrierMode.Bond => "asked for",
            _ when !isAvailable => "this system has no kernel MPTCP",
            _ => NotSetUp,
        };
    }

    private enum Stage
    {
        Bond,
        Comparing,
        Multipath,
    }

    /// <summary>What carries, or the better known one while both are tried.</summary>
    public Carrier Carrier { get; private set; }

    /// <summary>Why, as a clause for people.</summary>
    public string Reason { get; private set; }

    /// <summary>There is, or was, more than the bond to choose from: people are told what was chosen.</summary>
    public bool HasChoice { get; private set; }

    /// <summary>The kernel's connection is to be dialled and kept.</summary>
    public bool UsesKernel => _stage != Stage.Bond;

    /// <summary>A subflow on each network is to be dialled and kept.</summary>
    public bool UsesNetworks => _stage != Stage.Multipath;

    /// <summary>When <see cref="Update"/> has something to decide by itself.</summary>
    public Instant NextTimeout { get; private set; } = Instant.Never;

    /// <summary>The kernel's connection may come to be used at all.</summary>
    public bool MayUseKernel => _isAvailable && _mode != CarrierMode.Bond;

    /// <summary>Other networks than before: whatever was found out about the old ones is void.</summary>
    public void HandleChanged(Instant now)
    {
        _notBefore = new(long.MinValue);
        _since = now;
        if (_mode == CarrierMode.Auto && _stage == Stage.Multipath) Compare("the networks have changed", now);
    }

    /// <summary>Takes what is known now.</summary>
    /// <returns>True if <see cref="UsesKernel"/>, <see cref="UsesNetworks"/>, <see cref="Carrier"/> or <see cref="Reason"/> changed.</returns>
    public bool Update(in CarrierFacts seen, Instant now)
    {
        var before = (_stage, Carrier, Reason);
        if (seen != _last && (_stage == Stage.Bond ? seen.Reached != _last.Reached || seen.Possible != _last.Possible : seen.Kernel != _last.Kernel || seen.IsFallen != _last.IsFallen)) _since = now;
        _last = seen;
        NextTimeout = Instant.Never;
        if (_mode == CarrierMode.Multipath) Carrier = Carrier.Multipath;
        else Decide(seen, now);
        if (Reason is NotSetUp or Better or Gone or Forbidden)
            Reason = seen.IsForbidden ? Forbidden : seen.Possible > 1 ? Better : seen.Possible == 0 && Reason == Gone ? Gone : NotSetUp;
        HasChoice |= seen.Possible > 1 || Carrier == Carrier.Multipath;
        return before != (_stage, Carrier, Reason);
    }

    private void Decide(in CarrierFacts seen, Instant now)
    {
        switch (_stage)
        {
            case Stage.Bond when _mode == CarrierMode.Auto && _isAvailable && seen.Possible > Math.Max(seen.Reached, 1):
                if (IsDue(Instant.Later(_since + Settle, _notBefore), now)) Compare($"the bond reaches {Of(seen.Reached, seen.Networks)}", now);
                break;

            case Stage.Comparing or Stage.Multipath when seen.Possible == 0:
                // At once: bytes on a network that they were kept from are worse than none for a moment.
                (_stage, Carrier, _since) = (Stage.Bond, Carrier.Bond, now);
                Reason = seen.IsForbidden ? Forbidden : Gone;
                break;

            case Stage.Multipath when seen.IsFallen:
                Compare("kernel MPTCP fell back to TCP", now);
                break;

            case Stage.Multipath when seen.Kernel < 2 && seen.Networks > 1:
                if (IsDue(_since + Settle, now)) Compare($"kernel MPTCP uses {Of(seen.Kernel, seen.Networks)}", now);
                break;

            case Stage.Comparing when seen.Active > 0 && (seen.Active >= seen.Networks || (seen.IsFallen && seen.Active >= seen.Kernel)):
                Choose(Carrier.Bond, seen, now);
                break;

            case Stage.Comparing when seen.Active > 0 || seen.Kernel > 0:
                if (!IsDue(_since + Settle, now)) break;
                if (seen.Kernel > Math.Max(seen.Active, 1) && !seen.IsFallen) Choose(Carrier.Multipath, seen, now);
                else if (seen.Active > 0) Choose(Carrier.Bond, seen, now);
                else (Carrier, Reason) = (Carrier.Multipath, "no connection of the bond's own reaches the relay"); // and both are tried on
                break;
        }
    }

    private void Compare(string doubt, Instant now)
    {
        (_stage, _doubt, _since) = (Stage.Comparing, doubt, now);
        NextTimeout = now + Settle;
    }

    private void Choose(Carrier chosen, in CarrierFacts seen, Instant now)
    {
        (_stage, Carrier, _since) = (chosen == Carrier.Bond ? Stage.Bond : Stage.Multipath, chosen, now);
        _notBefore = now + Again;
        Reason = chosen == Carrier.Multipath
            ? $"kernel MPTCP reaches {Of(seen.Kernel, seen.Networks)}, the bond {seen.Active.ToString(CultureInfo.InvariantCulture)}"
            : seen.Active >= seen.Networks ? "the bond reaches every network" : $"{_doubt}, and {(seen.IsFallen ? "the bond works" : "kernel MPTCP no more of them")}";
    }

    private bool IsDue(Instant at, Instant now)
    {
        if (now >= at) return true;
        NextTimeout = at;
        return false;
    }

    private static string Of(int some, int all) => string.Create(CultureInfo.InvariantCulture, $"{some} of {all} networks");
}

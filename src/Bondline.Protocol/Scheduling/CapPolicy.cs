namespace Bondline.Protocol;

/// <summary>How much a subflow may have in flight: its rate times the time an acknowledgement takes without a queue and some milliseconds more, so queues stay short and little is owed after a failure.</summary>
/// <remarks>
/// The extra lets a faster path show itself; it is also the queue an interactive frame meets, and as long as this process may pause without
/// the path running dry. Where it does pause, a path that is alone gets more of it. Start-up doubles per round trip, as TCP's
/// slow start, until a queue builds or the rate stops growing. Reasons and measurements: docs/decisions and docs/protocol.md, "In-flight cap".
/// </remarks>
internal static class CapPolicy
{
    private static readonly TimeSpan Extra = TimeSpan.FromMilliseconds(7), LeastInterval = TimeSpan.FromMilliseconds(80), LeastStartupInterval = TimeSpan.FromMilliseconds(10),
        DrainFor = TimeSpan.FromMilliseconds(200), DrainExtra = TimeSpan.FromMilliseconds(5), StartupQueue = TimeSpan.FromMilliseconds(20), LeastCapDrainInterval = TimeSpan.FromSeconds(10);

    /// <summary>Added at most, lest the queue looks like a longer path and is drained; and how long a pause is remembered.</summary>
    private static readonly TimeSpan MostForPauses = TimeSpan.FromMilliseconds(13), PauseMemory = TimeSpan.FromSeconds(10);

    /// <summary>Beyond the least round trip, of a subflow the kernel spreads over several paths: what comes by the quick ones waits for the slow ones, and the kernel fills their queues.</summary>
    /// <remarks>50 ms more or less cost a tenth of the rate or doubled the wait of an interactive frame (docs/decisions/bond-before-mptcp.md).</remarks>
    private static readonly TimeSpan MultipathWindow = TimeSpan.FromMilliseconds(100);

    private const long LeastMultipathCap = 256 * 1024;

    /// <summary>A fast path's caches and memory matter more than its pauses.</summary>
    private const double MostBytesForPauses = 512 * 1024;

    /// <summary>From this share of retransmitted bytes on, acks pause for a round trip so often that two bandwidth-delay products keep the pipe full.</summary>
    private const double LossyShare = 0.001;

    private const double DrainShare = 0.75;

    /// <summary>Over one, so that a rate measured under too low a cap grows from interval to interval instead of confirming the cap.</summary>
    private const double Gain = 1.06;

    /// <param name="subflow">The subflow the peer acknowledged bytes of.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="wasLimited">The cap, not the sender, limited it.</param>
    /// <param name="newest">The newest acknowledged frame.</param>
    /// <param name="now">The current instant.</param>
    public static void HandleAcked(Subflow subflow, long bytes, bool wasLimited, in SentFrame newest, Instant now)
    {
        if (now - subflow.PausedAt > PauseMemory) subflow.Pause = TimeSpan.Zero;
        subflow.Loop.Add(now - newest.SentAt, newest.IsDrained, now);
        if (subflow.IsDraining && (now >= subflow.DrainUntil || subflow.Loop.IsDrainMeasured(now)))
        {
            subflow.IsDraining = false;
            EndDrain(subflow, now);
        }
        var interval = subflow.IsStartup ? Longer(subflow.Loop.Base, LeastStartupInterval) : Longer(subflow.Loop.Base * 1.5, LeastInterval);
        if (subflow.IsDraining) subflow.Rate.HandleLimited();
        var result = subflow.Rate.HandleAck(subflow.BytesAcked, newest.SentAt, interval, now);
        if (result != RateInterval.Running) subflow.Loop.HandleInterval(subflow.Rate.BytesPerSecond, result == RateInterval.Counted && wasLimited, now);
        if (subflow.IsStartup) Grow(subflow, bytes, wasLimited, result == RateInterval.Counted, newest, now);
        Update(subflow);
    }

    /// <summary>This process did not run for a while, and nothing was sent meanwhile.</summary>
    public static void HandlePause(Subflow subflow, TimeSpan length, Instant now)
    {
        length = Shorter(length, MostForPauses);
        if (length < subflow.Pause) return;
        subflow.Pause = length;
        subflow.PausedAt = now;
    }

    /// <summary>Lets the queue of a subflow run empty to measure its loop again.</summary>
    public static void BeginDrain(Subflow subflow, Instant now)
    {
        subflow.IsDraining = true;
        subflow.DrainUntil = now + DrainFor + Longer(subflow.Loop.Base, subflow.Rtt.Smoothed) * 2;
        subflow.Loop.BeginDrain();
        Update(subflow);
    }

    public static void Update(Subflow subflow)
    {
        if (subflow.IsMultipath)
        {
            subflow.CapBytes = Math.Max(LeastMultipathCap, subflow.IsStartup ? subflow.StartupCap : (long)(subflow.Rate.BytesPerSecond * (MultipathWindow + subflow.Rtt.Min).TotalSeconds));
            return;
        }
        if (subflow.IsStartup)
        {
            subflow.CapBytes = subflow.StartupCap;
            return;
        }
        if (subflow.IsDraining)
        {
            // Even the least cap may be a queue.
            subflow.CapBytes = Math.Max(2 * subflow.FrameLimit, (long)(subflow.Rate.BytesPerSecond * DrainWindow(subflow).TotalSeconds));
            return;
        }
        var window = Window(subflow, subflow.Loop.Base);
        if (subflow.LossRate > LossyShare) window = Longer(subflow.Loop.Base * 2, window);
        subflow.CapBytes = Math.Max(Subflow.MinimumCapBytes, (long)(subflow.Rate.BytesPerSecond * window.TotalSeconds));
    }

    private static void EndDrain(Subflow subflow, Instant now)
    {
        var before = subflow.Loop.Base;
        if (!subflow.Loop.EndDrain(now) || subflow.Rate.BytesPerSecond * Window(subflow, before).TotalSeconds > Subflow.MinimumCapBytes) return;
        // What the least cap lets through in a loop thought to be far shorter is the cap's rate and not the path's. Else it is a slow path, whose acks have their queue before them.
        if (subflow.Loop.Base > before * 2) subflow.BeginStartup();
        else subflow.NextDrain = now + LeastCapDrainInterval;
    }

    private static TimeSpan Window(Subflow subflow, TimeSpan loop) => (loop + Extra + (subflow.IsAlone ? ForPauses(subflow) : TimeSpan.Zero)) * Gain;

    private static TimeSpan ForPauses(Subflow subflow)
    {
        var rate = subflow.Rate.BytesPerSecond;
        return rate * subflow.Pause.TotalSeconds <= MostBytesForPauses ? subflow.Pause : TimeSpan.FromSeconds(MostBytesForPauses / rate);
    }

    /// <summary>What is in flight fits the path without a queue, so a frame written now measures the path alone.</summary>
    public static bool IsDrained(Subflow subflow) => subflow.UnackedBytes <= subflow.Rate.BytesPerSecond * DrainWindow(subflow).TotalSeconds + Subflow.Quantum;

    /// <summary>An estimate a quarter too high still leaves no queue, nor does a base that has a queue of the peer's bulk in it.</summary>
    private static TimeSpan DrainWindow(Subflow subflow)
    {
        var share = subflow.Loop.Base * DrainShare;
        var trip = subflow.Rtt.Min + DrainExtra;
        return share < trip ? share : trip;
    }

    private static void Grow(Subflow subflow, long bytes, bool wasLimited, bool counted, in SentFrame newest, Instant now)
    {
        if (wasLimited) subflow.StartupCap += bytes;
        var latency = now - newest.SentAt;
        if (!subflow.IsMultipath && !subflow.Rtt.IsOld && latency > subflow.Loop.Base * 1.5 + StartupQueue && subflow.StartupCap > Subflow.MinimumCapBytes * 2)
        {
            // A queue has built up, so what was delivered while this frame was under way is what the path carries.
            if (subflow.Rate.Samples == 0) subflow.Rate.Seed((subflow.BytesAcked - newest.AckedBefore) / latency.TotalSeconds);
            subflow.IsStartup = false;
        }
        if (!counted || !wasLimited) return;
        if (subflow.Rate.BytesPerSecond > subflow.StartupBestRate * 1.25)
        {
            subflow.StartupBestRate = subflow.Rate.BytesPerSecond;
            subflow.StartupFlatRounds = 0;
        }
        else if (++subflow.StartupFlatRounds >= 3)
        {
            subflow.IsStartup = false;
        }
    }

    private static TimeSpan Shorter(TimeSpan a, TimeSpan b) => a < b ? a : b;

    private static TimeSpan Longer(TimeSpan a, TimeSpan b) => a > b ? a : b;
}

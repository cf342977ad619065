namespace Bondline.Protocol;

/// <summary>How much a subflow may have in flight: its rate times its least round trip and ten milliseconds more, so queues stay short and little is owed after a failure.</summary>
/// <remarks>
/// The extra covers the ack delay and lets a faster path show itself; it is also the queue an interactive frame meets. Start-up doubles per round trip, as TCP's
/// slow start, until a queue builds or the rate stops growing. Reasons and measurements: docs/decisions and docs/protocol.md, "In-flight cap".
/// </remarks>
internal static class CapPolicy
{
    private static readonly TimeSpan Extra = TimeSpan.FromMilliseconds(10), LeastInterval = TimeSpan.FromMilliseconds(40), LeastStartupInterval = TimeSpan.FromMilliseconds(10);

    /// <summary>From this share of retransmitted bytes on, acks pause for a round trip so often that two bandwidth-delay products keep the pipe full.</summary>
    private const double LossyShare = 0.001;

    /// <param name="subflow">The subflow the peer acknowledged bytes of.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="wasLimited">The cap, not the sender, limited it.</param>
    /// <param name="latency">From writing the newest acknowledged frame to now.</param>
    /// <param name="options">The bond's options.</param>
    /// <param name="now">The current instant.</param>
    public static void HandleAcked(Subflow subflow, long bytes, bool wasLimited, TimeSpan latency, BondOptions options, Instant now)
    {
        var interval = subflow.IsStartup ? Longer(subflow.Rtt.Min, LeastStartupInterval) : Longer(subflow.Rtt.Smoothed * 1.5, LeastInterval);
        var counted = subflow.Rate.HandleAck(subflow.BytesAcked, interval, now);
        if (subflow.IsStartup) Grow(subflow, bytes, wasLimited, counted, latency, options);
        Update(subflow, now);
    }

    public static void Update(Subflow subflow, Instant now)
    {
        if (subflow.IsStartup)
        {
            subflow.CapBytes = subflow.StartupCap;
            return;
        }
        var rate = subflow.Rate.BytesPerSecond;
        var window = subflow.Rtt.Min + Extra;
        if (subflow.LossRate > LossyShare) window = Longer(subflow.Rtt.Min * 2, window);
        if (IsDraining(subflow, now)) window = subflow.Rtt.Min * 0.8;
        subflow.CapBytes = Math.Max(Subflow.MinimumCapBytes, (long)(rate * window.TotalSeconds));
    }

    /// <summary>What is in flight fits the path without a queue, so a PING sent now measures the path alone.</summary>
    public static bool IsDrained(Subflow subflow) => subflow.UnackedBytes <= subflow.Rate.BytesPerSecond * subflow.Rtt.Min.TotalSeconds * 0.9;

    public static bool IsDraining(Subflow subflow, Instant now) => now < subflow.DrainUntil;

    private static void Grow(Subflow subflow, long bytes, bool wasLimited, bool counted, TimeSpan latency, BondOptions options)
    {
        if (wasLimited) subflow.StartupCap += bytes;
        var tolerated = subflow.Rtt.Min * 1.25 + options.AckDelay + Extra;
        if (latency > tolerated && subflow.StartupCap > Subflow.MinimumCapBytes * 2)
        {
            if (subflow.Rate.Samples == 0) subflow.Rate.Seed(subflow.StartupCap / latency.TotalSeconds);
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

    private static TimeSpan Longer(TimeSpan a, TimeSpan b) => a > b ? a : b;
}

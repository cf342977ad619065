namespace Bondline.Protocol;

/// <summary>What an acknowledgement did to the running interval of a rate.</summary>
internal enum RateInterval
{
    Running,

    /// <summary>It ended with a sample of what the network carries.</summary>
    Counted,

    /// <summary>It ended, but the sender limited it.</summary>
    Limited,
}

/// <summary>How fast a subflow delivers: acknowledged bytes over intervals of at least one and a half round trips; the largest of the last intervals that the network, not the sender, limited.</summary>
internal struct RateEstimator
{
    private const int Kept = 8;

    private static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(2);

    private RateSamples _samples;
    private int _next;
    private Instant _since, _sentSince;
    private long _ackedAtStart;
    private bool _isLimited, _isRunning;

    [System.Runtime.CompilerServices.InlineArray(Kept)]
    private struct RateSamples
    {
        private double _first;
    }

    /// <summary>Zero until the first sample.</summary>
    public double BytesPerSecond { get; private set; }

    /// <summary>Completed intervals that counted.</summary>
    public int Samples { get; private set; }

    /// <summary>A first guess, from what start-up had in flight.</summary>
    public void Seed(double bytesPerSecond)
    {
        _samples[_next] = BytesPerSecond = bytesPerSecond;
        _next = (_next + 1) % Kept;
        Samples++;
    }

    /// <summary>The sender had room and nothing to send: the running interval can only raise the estimate.</summary>
    public void HandleLimited() => _isLimited = true;

    /// <summary>The running interval says nothing; the next acknowledgement begins one.</summary>
    public void Stop() => _isRunning = false;

    /// <summary>Takes the cumulative acknowledgement.</summary>
    /// <param name="acked">Bytes acknowledged since the subflow began.</param>
    /// <param name="sentAt">When the newest of them were written.</param>
    /// <param name="minimumInterval">Shorter intervals are not measured.</param>
    /// <param name="now">The current instant.</param>
    public RateInterval HandleAck(long acked, Instant sentAt, TimeSpan minimumInterval, Instant now)
    {
        if (!_isRunning)
        {
            Restart(acked, sentAt, now);
            return RateInterval.Running;
        }
        var elapsed = now - _since;
        if (elapsed < minimumInterval) return RateInterval.Running;
        // Acks that come in lumps are no faster than their frames were sent (as BBR's delivery rate).
        var sending = sentAt - _sentSince;
        var rate = (acked - _ackedAtStart) / (elapsed > sending ? elapsed : sending).TotalSeconds;
        // A limited interval says "at least this": of a path nothing is known of yet, that would be a rate far too low.
        var counts = !_isLimited || (Samples > 0 && rate > BytesPerSecond);
        if (counts)
        {
            _samples[_next] = rate;
            _next = (_next + 1) % Kept;
            Samples++;
            // The largest of two seconds, and at least of three: long round trips make long intervals.
            var kept = Math.Clamp((int)(KeptFor / minimumInterval), 3, Kept);
            BytesPerSecond = 0;
            for (var i = 1; i <= kept; i++) BytesPerSecond = Math.Max(BytesPerSecond, _samples[(_next - i + Kept) % Kept]);
        }
        Restart(acked, sentAt, now);
        return counts ? RateInterval.Counted : RateInterval.Limited;
    }

    private void Restart(long acked, Instant sentAt, Instant now)
    {
        _since = now;
        _sentSince = sentAt;
        _ackedAtStart = acked;
        _isLimited = false;
        _isRunning = true;
    }
}

namespace Bondline.Protocol;

/// <summary>How fast a subflow delivers: acknowledged bytes over intervals of at least one and a half round trips; the largest of the last intervals that the network, not the sender, limited.</summary>
internal struct RateEstimator
{
    private const int Kept = 8;

    private RateSamples _samples;
    private int _next;
    private Instant _since;
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

    /// <summary>Sending begins after a pause: what was not sent is not measured.</summary>
    public void Restart(long acked, Instant now)
    {
        _since = now;
        _ackedAtStart = acked;
        _isLimited = false;
        _isRunning = true;
    }

    /// <summary>Takes the cumulative acknowledgement.</summary>
    /// <returns>True if an interval ended with a sample that counts.</returns>
    public bool HandleAck(long acked, TimeSpan minimumInterval, Instant now)
    {
        if (!_isRunning)
        {
            Restart(acked, now);
            return false;
        }
        var elapsed = now - _since;
        if (elapsed < minimumInterval) return false;
        var rate = (acked - _ackedAtStart) / elapsed.TotalSeconds;
        // A limited interval says "at least this": of a path nothing is known of yet, that would be a rate far too low.
        var counts = !_isLimited || (Samples > 0 && rate > BytesPerSecond);
        if (counts)
        {
            _samples[_next] = rate;
            _next = (_next + 1) % Kept;
            Samples++;
            BytesPerSecond = 0;
            for (var i = 0; i < Kept; i++) BytesPerSecond = Math.Max(BytesPerSecond, _samples[i]);
        }
        Restart(acked, now);
        return counts;
    }
}

namespace Bondline.Protocol;

/// <summary>Round-trip time of a subflow from PING and PONG: smoothed as in RFC 9002 section 5.3, and its minimum over about ten seconds.</summary>
internal struct RttEstimator
{
    private static readonly TimeSpan MinimumLifetime = TimeSpan.FromSeconds(10), RecentLifetime = TimeSpan.FromSeconds(1);

    private TimeSpan _recentMin, _previousRecentMin;
    private Instant _recentSince, _minAt;
    private bool _isDoubtful;

    public RttEstimator(TimeSpan initial, Instant now)
    {
        Smoothed = Min = _recentMin = _previousRecentMin = initial;
        Variation = initial / 2;
        _recentSince = _minAt = now;
    }

    public TimeSpan Smoothed { get; private set; }

    public TimeSpan Variation { get; private set; }

    public TimeSpan Min { get; private set; }

    /// <summary>The minimum is old or in doubt: time to let the queue drain and measure again.</summary>
    public readonly bool IsMinimumStale(Instant now) => _isDoubtful || now - _minAt > MinimumLifetime;

    public void Add(TimeSpan sample, Instant now)
    {
        if (sample < TimeSpan.FromMicroseconds(1)) sample = TimeSpan.FromMicroseconds(1);
        Variation = (Variation * 3 + (Smoothed - sample).Duration()) / 4;
        Smoothed = (Smoothed * 7 + sample) / 8;
        if (now - _recentSince > RecentLifetime)
        {
            _previousRecentMin = _recentMin;
            _recentMin = sample;
            _recentSince = now;
        }
        else if (sample < _recentMin)
        {
            _recentMin = sample;
        }
        if (sample <= Min)
        {
            Min = sample;
            _minAt = now;
            _isDoubtful = false;
        }
        // The cap lets a queue of some ten milliseconds stand at most: a second that never came near the minimum is a queue of others, or another path.
        else if (Lesser(_recentMin, _previousRecentMin) > Min * 1.25 + TimeSpan.FromMilliseconds(30) && now - _recentSince > RecentLifetime / 2)
        {
            _isDoubtful = true;
        }
    }

    /// <summary>A sample taken while the queue was drained: it is the new minimum.</summary>
    public void AddDrained(TimeSpan sample, Instant now)
    {
        Add(sample, now);
        Min = sample;
        _minAt = now;
        _isDoubtful = false;
    }

    private static TimeSpan Lesser(TimeSpan a, TimeSpan b) => a < b ? a : b;
}

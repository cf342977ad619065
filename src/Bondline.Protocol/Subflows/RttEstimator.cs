namespace Bondline.Protocol;

/// <summary>Round-trip time of a subflow from PING and PONG: smoothed as in RFC 9002 section 5.3, and its minimum over ten to twenty seconds.</summary>
internal struct RttEstimator
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    private TimeSpan _periodMin, _previousPeriodMin;
    private Instant _periodSince;
    private bool _isOld;

    public RttEstimator(TimeSpan initial, Instant now)
    {
        Smoothed = _periodMin = _previousPeriodMin = initial;
        Variation = initial / 2;
        _periodSince = now;
    }

    public TimeSpan Smoothed { get; private set; }

    public TimeSpan Variation { get; private set; }

    public readonly TimeSpan Min => _periodMin < _previousPeriodMin ? _periodMin : _previousPeriodMin;

    /// <summary>What is known is of an earlier path.</summary>
    public readonly bool IsOld => _isOld;

    /// <summary>The path may be another one now: the next sample counts alone.</summary>
    public void Forget() => _isOld = true;

    public void Add(TimeSpan sample, Instant now)
    {
        if (sample < TimeSpan.FromMicroseconds(1)) sample = TimeSpan.FromMicroseconds(1);
        if (_isOld)
        {
            this = new(sample, now);
            return;
        }
        Variation = (Variation * 3 + (Smoothed - sample).Duration()) / 4;
        Smoothed = (Smoothed * 7 + sample) / 8;
        if (now - _periodSince > Period)
        {
            _previousPeriodMin = _periodMin;
            _periodMin = sample;
            _periodSince = now;
        }
        else if (sample < _periodMin)
        {
            _periodMin = sample;
        }
    }
}

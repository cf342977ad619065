namespace Bondline.Protocol;

/// <summary>The time from writing a frame to its acknowledgement on a subflow without a queue of its own: the way there, the receiver's ack delay, and the way back over whatever subflow brings the ack.</summary>
/// <remarks>
/// It is what a cap must cover. The subflow's round trip may be longer (acks come over the quickest subflow) or shorter (they wait behind the peer's own bulk).
/// Averages, not single samples, because a cap below what an ack usually takes starves the subflow: the rate measured under it shrinks, and the cap with it.
/// It rises only by what is measured while the subflow drains, or its own queue would be taken for the path and the cap would feed it.
/// </remarks>
internal struct LoopEstimator
{
    /// <summary>Of samples in an average that counts.</summary>
    private const int Enough = 4;

    /// <summary>A rate fallen so far under an unchanged cap may mean that acks take longer now.</summary>
    private const double FallenShare = 0.85;

    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(10), GuessLifetime = TimeSpan.FromSeconds(1);

    private readonly TimeSpan _guess;
    private TimeSpan _sum, _drainedSum;
    private int _count, _drainedCount;
    private Instant _measuredAt, _drainedSince;
    private double _rateMark;
    private bool _isDoubtful, _isMeasured;

    public LoopEstimator(TimeSpan initial, Instant now)
    {
        Base = _guess = initial;
        _measuredAt = now;
    }

    public TimeSpan Base { get; private set; }

    /// <summary>Time to drain the subflow and measure again: the last time is long ago, acks take much longer of late, or the rate fell.</summary>
    public readonly bool IsStale(Instant now) => _isDoubtful || now - _measuredAt > Lifetime;

    /// <summary>Until bulk has measured it, the loop is taken to be a PONG and at most the peer's ack delay more: the work of a handshake may have made the first guess far too long, and an idle path may have become longer.</summary>
    /// <param name="least">The least round trip of late, which forgets.</param>
    /// <param name="ackDelay">Of the peer.</param>
    public void HandleRoundTrip(TimeSpan least, TimeSpan ackDelay)
    {
        if (_isMeasured) return;
        Base = _guess < least ? least : _guess > least + ackDelay ? least + ackDelay : _guess;
    }

    /// <summary>Acks will come back over a slower subflow. A guess, good enough until a drain soon measures it.</summary>
    public void HandleReturnLonger(TimeSpan by, Instant now)
    {
        if (!_isMeasured) return; // the first guess is a round trip of its own
        Base += by;
        _sum = default; // what came over the quicker one says nothing any more
        _count = 0;
        _measuredAt = Instant.Earlier(_measuredAt, now - Lifetime + GuessLifetime);
    }

    /// <summary>The path may be another one now: what was measured is a first guess again.</summary>
    public void Forget(Instant now) => this = new(Base, now);

    public void Add(TimeSpan sample, bool wasDrained, Instant now)
    {
        _sum += sample;
        _count++;
        if (!wasDrained) return;
        if (_drainedCount++ == 0) _drainedSince = now;
        _drainedSum += sample;
    }

    /// <summary>An interval of the rate's measurement ended.</summary>
    public void HandleInterval(double rate, bool wasLimited, Instant now)
    {
        if (_count >= Enough && wasLimited)
        {
            var average = _sum / _count;
            if (average <= Base) Measured(average, now);
            else if (average > Base * 1.25 + TimeSpan.FromMilliseconds(25)) _isDoubtful = true;
            _rateMark = Math.Max(_rateMark, rate);
            if (rate < _rateMark * FallenShare)
            {
                _rateMark = rate;
                _isDoubtful = true;
            }
        }
        _sum = default;
        _count = 0;
    }

    public void BeginDrain()
    {
        _drainedSum = default;
        _drainedCount = 0;
    }

    /// <summary>Whether the samples of the drain are enough.</summary>
    public readonly bool IsDrainMeasured(Instant now) => _drainedCount >= Enough && now - _drainedSince >= TimeSpan.FromMilliseconds(20);

    /// <summary>The drain is over, by its samples or by its time.</summary>
    /// <returns>False if there are none.</returns>
    public bool EndDrain(Instant now)
    {
        if (_drainedCount == 0) return false;
        Measured(_drainedSum / _drainedCount, now);
        return true;
    }

    private void Measured(TimeSpan average, Instant now)
    {
        Base = average;
        _measuredAt = now;
        _isDoubtful = false;
        _isMeasured = true;
    }
}

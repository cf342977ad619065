namespace Bondline.Protocol;

/// <summary>Bytes that may be spent: they come back at a rate, up to a depth.</summary>
internal struct TokenBucket
{
    private double _tokens;
    private Instant _filledAt;
    private bool _isStarted;

    /// <summary>Takes <paramref name="bytes"/> if they are there.</summary>
    public bool TryTake(long bytes, double bytesPerSecond, double depthBytes, Instant now)
    {
        Fill(bytesPerSecond, depthBytes, now);
        if (_tokens < bytes) return false;
        _tokens -= bytes;
        return true;
    }

    /// <summary>Takes <paramref name="bytes"/> whether or not they are there; a debt is limited to one depth.</summary>
    public void Take(long bytes, double bytesPerSecond, double depthBytes, Instant now)
    {
        Fill(bytesPerSecond, depthBytes, now);
        _tokens = Math.Max(-depthBytes, _tokens - bytes);
    }

    public bool Has(long bytes, double bytesPerSecond, double depthBytes, Instant now)
    {
        Fill(bytesPerSecond, depthBytes, now);
        return _tokens >= bytes;
    }

    private void Fill(double bytesPerSecond, double depthBytes, Instant now)
    {
        if (!_isStarted) _tokens = depthBytes;
        else _tokens = Math.Min(depthBytes, _tokens + (now - _filledAt).TotalSeconds * bytesPerSecond);
        _isStarted = true;
        _filledAt = now;
    }
}

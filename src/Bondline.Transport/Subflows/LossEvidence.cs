using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Tells a path that loses all the time from one that lost a burst: at its start, when a queue overflowed, or while it was silent.</summary>
/// <remarks>Each quarter of a megabyte in which over 0.1 % was sent again speaks for the first, each clean one a third as much for the second.</remarks>
internal struct LossEvidence
{
    private const long FirstBytes = 1 << 20, WindowBytes = 256 << 10;

    private const double LossyShare = 0.001, CleanWeight = 1.0 / 3, Enough = 3;

    private long _acked, _retransmitted;
    private double _score;
    private bool _isStarted;

    /// <summary>The path keeps losing. Stays so.</summary>
    public bool IsLossy { get; private set; }

    /// <summary>Takes the kernel's cumulative numbers; a start of one megabyte does not count.</summary>
    public void Add(in TcpSample sample)
    {
        if (IsLossy || sample.BytesAcked < FirstBytes) return;
        var acked = sample.BytesAcked - _acked;
        if (_isStarted && acked < WindowBytes) return;
        if (_isStarted) _score = sample.BytesRetransmitted - _retransmitted > acked * LossyShare ? _score + 1 : Math.Max(0, _score - CleanWeight);
        (_isStarted, _acked, _retransmitted) = (true, sample.BytesAcked, sample.BytesRetransmitted);
        IsLossy = _score >= Enough;
    }
}

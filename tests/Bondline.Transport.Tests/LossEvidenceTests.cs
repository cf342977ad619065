using Bondline.Protocol;
using Xunit;

namespace Bondline.Transport.Tests;

public sealed class LossEvidenceTests
{
    private const int PacketBytes = 1448;

    [Theory]
    [InlineData(0.003, true)]
    [InlineData(0.01, true)]
    [InlineData(0.0002, false)]
    public void A_path_that_keeps_losing_is_lossy(double share, bool isLossy)
    {
        var random = new Random(7);
        var evidence = new LossEvidence();
        long acked = 0, again = 0;
        for (var i = 0; i < 16_000; i++) // 23 MB
        {
            acked += PacketBytes;
            if (random.NextDouble() < share) again += PacketBytes;
            if (i % 30 == 0) evidence.Add(Sample(acked, again));
        }
        Assert.Equal(isLossy, evidence.IsLossy);
    }

    [Fact]
    public void A_burst_is_no_evidence_however_large()
    {
        var evidence = new LossEvidence();
        long again = 0;
        for (long acked = 0; acked < 100 << 20; acked += 64 << 10)
        {
            if (acked < 1 << 20 || acked % (20 << 20) == 0) again += 200_000; // slow start, and a silence now and then
            evidence.Add(Sample(acked, again));
        }
        Assert.False(evidence.IsLossy);
    }

    private static TcpSample Sample(long acked, long again) => new(default, default, default, 0, false, default, 0, again, acked, 0);
}

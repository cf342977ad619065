using Xunit;

namespace Bondline.Protocol.Tests.Subflows;

/// <summary>Whether a subflow counts as writing: one that is stuck in a write must not be waited for.</summary>
public sealed class WritingTests
{
    private readonly Bond _bond = new(BondRole.Agent, BondOptions.Default with { Segments = new() }, 1);
    private readonly byte[] _record = new byte[Frame.MaxLength];
    private readonly Instant _now = new(1);

    [Fact]
    public void A_subflow_counts_as_writing_until_it_asks_again()
    {
        var subflow = _bond.AddSubflow(new(0), SubflowPolicy.Normal, TimeSpan.FromMilliseconds(10), _now);
        while (_bond.PollTransmit(subflow, _now, _record) > 0)
        {
        }
        var stream = _bond.TryOpenStream(_now)!;
        _bond.Write(stream, "first"u8, _now);
        Assert.True(_bond.PollTransmit(subflow, _now, _record) > 0);
        Assert.Equal(0, _bond.PollMore(subflow, _now, _record));
        Assert.True(subflow.IsWriting);
        _bond.Write(stream, "second"u8, _now);
        Assert.True(_bond.PollMore(subflow, _now, _record) > 0);
        Assert.True(subflow.IsWriting);
        Assert.Equal(0, _bond.PollTransmit(subflow, _now, _record));
        Assert.False(subflow.IsWriting);
    }

    [Fact]
    public void A_ping_that_a_stuck_write_holds_back_is_no_deadline()
    {
        var subflow = _bond.AddSubflow(new(0), SubflowPolicy.Normal, TimeSpan.FromMilliseconds(10), _now);
        var stream = _bond.TryOpenStream(_now)!;
        _bond.Write(stream, new byte[8], _now);
        Assert.True(_bond.PollTransmit(subflow, _now, _record) > 0);
        Assert.Equal(0, _bond.PollMore(subflow, _now, _record));
        subflow.IsPingOutstanding = false;
        subflow.NextPing = _now;
        var later = _now + TimeSpan.FromMilliseconds(10);
        _bond.HandleTimeout(later);
        Assert.True(_bond.NextTimeout > later, $"{_bond.NextTimeout} at {later}");
    }
}

using Xunit;

namespace Bondline.Protocol.Tests.Streams;

public class StreamTableTests
{
    [Fact]
    public void A_peer_that_leaves_an_ordinal_out_gets_no_further_than_the_limit_beyond_it()
    {
        const int limit = 200;
        var table = new StreamTable(BondRole.Relay, limit);
        for (ulong ordinal = 1; ordinal < limit; ordinal++) OpenAndClose(table, ordinal);
        Assert.Equal(ProtocolError.StreamLimit, Assert.Throws<ProtocolException>(() => OpenAndClose(table, limit)).Error);
        OpenAndClose(table, 0);
        OpenAndClose(table, limit);
    }

    [Fact]
    public void An_id_is_opened_once()
    {
        var table = new StreamTable(BondRole.Relay, 200);
        OpenAndClose(table, 0);
        Assert.False(table.IsOpenedNow(StreamId.FromOrdinal(BondRole.Agent, 0)));
    }

    private static void OpenAndClose(StreamTable table, ulong ordinal)
    {
        var id = StreamId.FromOrdinal(BondRole.Agent, ordinal);
        Assert.True(table.IsOpenedNow(id));
        var stream = new StreamEndpoint(id, 0, 0, SegmentPool.Shared);
        table.Add(stream);
        table.Remove(stream);
    }
}

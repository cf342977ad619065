using Xunit;

namespace Bondline.Linux.Tests.Multipath;

public sealed class MultipathCountersTests
{
    private const string Text = """
        TcpExt: SyncookiesSent SyncookiesRecv
        TcpExt: 1 2
        MPTcpExt: MPCapableSYNTX MPCapableSYNACKRX MPCurrEstab NewerThanUs
        MPTcpExt: 12 11 3 7
        IpExt: InNoRoutes
        IpExt: 5
        """;

    [Fact]
    public void The_kernels_lines_are_read_by_name()
    {
        var counters = MultipathCounters.Parse(Text)!;
        Assert.Equal(12, counters["MPCapableSYNTX"]);
        Assert.Equal(11, counters["MPCapableSYNACKRX"]);
        Assert.Equal(7, counters["NewerThanUs"]);
        Assert.Equal(0, counters["Blackhole"]);
        Assert.Equal(4, counters.Values.Count);
    }

    [Fact]
    public void What_is_added_is_the_difference_but_a_level_stays_a_level()
    {
        var later = MultipathCounters.Parse(Text)!;
        var earlier = MultipathCounters.Parse("MPTcpExt: MPCapableSYNTX MPCurrEstab\nMPTcpExt: 10 9\n")!;
        var between = later.Since(earlier);
        Assert.Equal(2, between["MPCapableSYNTX"]);
        Assert.Equal(11, between["MPCapableSYNACKRX"]);
        Assert.Equal(3, between["MPCurrEstab"]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("TcpExt: A\nTcpExt: 1\n")]
    [InlineData("MPTcpExt: A B\n")]
    public void A_kernel_without_them_has_none(string text) => Assert.Null(MultipathCounters.Parse(text));

    [Fact]
    public void Lines_that_do_not_fit_each_other_give_what_fits()
    {
        var counters = MultipathCounters.Parse("MPTcpExt: A B C D\nMPTcpExt: 1 x 18446744073709551615\n")!;
        Assert.Equal(1, counters["A"]);
        Assert.False(counters.Values.ContainsKey("B"));
        Assert.Equal(-1, counters["C"]);
        Assert.False(counters.Values.ContainsKey("D"));
    }

    [Fact]
    public void Every_truncation_is_harmless()
    {
        for (var length = 0; length < Text.Length; length++) MultipathCounters.Parse(Text[..length])?.Since(MultipathCounters.Parse(Text)!);
    }

    [Fact]
    public void This_kernel_has_every_counter_we_explain()
    {
        var counters = MultipathCounters.Read()!;
        // What came after the kernel of Debian 12, Linux 6.1.
        string[] late =
        [
            "Blackhole", "MPCapableSYNTXDrop", "MPCapableSYNTXDisabled", "MPCapableEndpAttempt", "MPFallbackTokenInit", "MPJoinRejected", "MPJoinSynBackupRx", "MPJoinSynAckBackupRx",
            "MPJoinSynTx", "MPJoinSynTxCreatSkErr", "MPJoinSynTxBindErr", "MPJoinSynTxConnectErr", "DSSCorruptionFallback", "DSSCorruptionReset", "MPCapableDataFallback", "MD5SigFallback",
            "DssFallback", "SimultConnectFallback", "FallbackFailed", "WinProbe", "MPCurrEstab", "RcvWndConflict", "AddAddrTx", "AddAddrTxDrop", "EchoAddTx", "RmAddrTx", "RmAddrTxDrop",
            "MPFastcloseTx", "MPFastcloseRx", "MPRstTx", "MPRstRx", "RcvWndShared", "SndWndShared",
        ];
        Assert.Equal([], MultipathCounter.All.Select(counter => counter.Name).Where(name => !counters.Values.ContainsKey(name)).Except(late));
    }
}

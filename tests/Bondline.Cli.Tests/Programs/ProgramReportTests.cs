using Bondline.Linux;
using Xunit;

namespace Bondline.Cli.Tests;

[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class ProgramReportTests
{
    [Fact]
    public void Sockets_connections_subflows_and_fallbacks_are_told() => Assert.Equal(
        """
        bondline run: curl made 3 TCP sockets, all MPTCP sockets.
          While it ran, in this network namespace: 2 MPTCP connections made, with 4 further subflows; 1 fell back to plain TCP.
          While it ran, in this network namespace: 1 MPTCP connection taken, with 0 further subflows; 0 fell back to plain TCP.
        """,
        Write(false, new AnswerCounts { Multipath = 3 }, "MPCapableSYNTX MPCapableSYNACKRX MPCapableFallbackSYNACK MPJoinSynTx MPJoinSynAckRx MPCapableACKRX", "3 2 1 5 4 1"));

    [Fact]
    public void What_stayed_plain_is_told_with_reasons() => Assert.Equal(
        "bondline run: curl made 12 TCP sockets, 1 of them MPTCP sockets; plain: 2 the kernel gave no MPTCP socket, 9 in another control group.\n  While it ran, in this network namespace: no MPTCP connections.",
        Write(false, new AnswerCounts { Multipath = 1, Refused = 2, OtherGroup = 9 }, "MPCapableSYNTX", "0"));

    [Fact]
    public void Nothing_is_told_of_what_others_did_if_the_program_did_nothing()
    {
        Assert.Equal("bondline run: curl made no TCP sockets.", Write(false, default(AnswerCounts), "MPCapableSYNACKRX MPJoinSynTx", "7 1"));
        Assert.Equal("bondline run: curl made 1 TCP socket, an MPTCP socket.", Write(false, new AnswerCounts { Multipath = 1 }, null, ""));
        Assert.StartsWith("bondline run: how the sockets of curl were made is not known", Write(false, null, null, ""), StringComparison.Ordinal);
    }

    [Fact]
    public void The_object_has_the_same_facts()
    {
        Assert.Equal(
            """{"event":"run","program":"curl","exitCode":7,"multipathSockets":3,"plainSockets":1,"plainReasons":["1 as another user"],"connections":2,"fellBack":1,"subflows":4,"connectionsTaken":1,"takenFellBack":0,"subflowsTaken":0}""",
            Write(true, new AnswerCounts { Multipath = 3, OtherUser = 1 }, "MPCapableSYNTX MPCapableSYNACKRX MPCapableFallbackSYNACK MPJoinSynTx MPJoinSynAckRx MPCapableACKRX", "3 2 1 5 4 1"));
        Assert.Equal("""{"event":"run","program":"curl","exitCode":7}""", Write(true, null, null, ""));
        Assert.Equal(
            """{"event":"run","program":"curl","exitCode":7,"obstacle":"MPTCP is off","connections":0,"fellBack":0,"subflows":0,"connectionsTaken":0,"takenFellBack":0,"subflowsTaken":0}""",
            new ProgramReport(isJson: true).Write("curl", 7, answers: null, MultipathCounters.Parse("MPTcpExt: MPCapableSYNTX\nMPTcpExt: 0\n"), "MPTCP is off"));
    }

    private static string Write(bool isJson, AnswerCounts? answers, string? names, string numbers) =>
        new ProgramReport(isJson).Write("curl", 7, answers, names is null ? null : MultipathCounters.Parse($"MPTcpExt: {names}\nMPTcpExt: {numbers}\n"));
}

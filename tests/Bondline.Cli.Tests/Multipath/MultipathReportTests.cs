using System.Net;
using System.Text.Json;
using Bondline.Linux;
using Xunit;

namespace Bondline.Cli.Tests.Multipath;

public sealed class MultipathReportTests
{
    private static readonly LocalInterfaces Interfaces = new(
    [
        new(new LinkMessage(2, 1, 0x1_0043, "eth0", null), [new AddressMessage(2, IPAddress.Parse("192.0.2.2"), 24, 0x80)], []),
        new(new LinkMessage(3, 1, 0x1_0043, "wlan0", null), [new AddressMessage(3, IPAddress.Parse("2001:db8:1111:2222:3333:4444:5555:6666"), 64, 0x80)], []),
    ]);

    private static readonly TcpInfo Numbers = new(
        TimeSpan.FromMilliseconds(12.13), default, default, DeliveryRate: 6_000_000, false, default, 0, BytesAcked: 6_000_000, BytesRetransmitted: 12_000, NotSentBytes: 0)
    {
        CongestionWindow = 38,
        BytesSent = 6_100_000,
        BytesReceived = 600_000_000,
    };

    [Fact]
    public void A_connection_is_shown_with_its_subflows_and_whose_it_is()
    {
        var report = new ConnectionReport(Interfaces, new Dictionary<uint, SocketOwner> { [7] = new(1234, "curl\e[31m") }, new Dictionary<SubflowKey, SubflowRate>());
        Assert.Equal(
            """
            192.0.2.2:51234 -> 203.0.113.5:443  MPTCP, 2 subflows  curl?[31m (1234)
              12.0 MB out, 1.20 GB in, 40 kB again over another subflow; token 0000002a
              eth0   192.0.2.2:51234
                     rtt 12.1 ms, cwnd 38, 48.0 Mbit/s; 6.1 MB out, 600.0 MB in, 12 kB again
              wlan0  192.168.1.5:40123 -> 203.0.113.9:443  backup  fin-wait-1
                     rtt 12.1 ms, cwnd 38, 48.0 Mbit/s; 6.1 MB out, 600.0 MB in, 12 kB again
            """,
            string.Join('\n', report.Lines([Connection()])));
    }

    [Fact]
    public void What_is_long_takes_a_line_more_and_none_is_wider_than_a_terminal()
    {
        var local = IPEndPoint.Parse("[2001:db8:1111:2222:3333:4444:5555:6666]:51234");
        var remote = IPEndPoint.Parse("[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:443");
        var subflow = Subflow(local, remote, MultipathSubflowFlags.AskedFor, 0);
        var connection = new MultipathConnection(
            new() { State = SocketState.Established, Local = local, Remote = remote, Inode = 7 },
            new MultipathInfo(42, HasFallenBack: true, 0, 2, 0, 0),
            [subflow]);
        var rates = new Dictionary<SubflowKey, SubflowRate> { [SubflowKey.Of(subflow)] = new(123_456_789, 123_456_789) };
        string[] lines = [.. new ConnectionReport(Interfaces, new Dictionary<uint, SocketOwner> { [7] = new(1_234_567, "long-program-xx") }, rates).Lines([connection])];
        Assert.All(lines, line => Assert.InRange(line.Length, 1, 80));
        Assert.Contains(lines, line => line.Contains("plain TCP: the peer's answer had no MPTCP option", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("  wlan0  [2001:db8:1111", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("988 out 988 in Mbit/s", StringComparison.Ordinal));
    }

    [Fact]
    public void Rates_are_those_since_the_last_look()
    {
        var before = Connection().Subflows;
        InetSocket[] after = [before[0] with { Tcp = Numbers with { BytesAcked = 7_000_000, BytesReceived = 600_500_000 } }, Subflow(IPEndPoint.Parse("192.0.2.9:1"), IPEndPoint.Parse("192.0.2.8:1"), default, 2)];
        var (key, rate) = Assert.Single(SubflowRate.Measure(before, after, TimeSpan.FromSeconds(2)));
        Assert.Equal(SubflowKey.Of(before[0]), key);
        Assert.Equal(new(500_000, 250_000), rate);
    }

    [Fact]
    public void A_connection_is_one_line_of_json()
    {
        var report = new ConnectionReport(Interfaces, new Dictionary<uint, SocketOwner>(), new Dictionary<SubflowKey, SubflowRate>());
        var line = JsonSerializer.Serialize(ConnectionLine.Of(Connection(), report, new Dictionary<uint, SocketOwner>(), new Dictionary<SubflowKey, SubflowRate>()), MptcpJson.Lines.ConnectionLine);
        Assert.StartsWith(
            """{"event":"connection","token":"0000002a","state":"established","mode":"mptcp","local":"192.0.2.2:51234","remote":"203.0.113.5:443","userId":0,"sentBytes":12000000,"receivedBytes":1200000000,"retransmittedBytes":40000,"subflows":[{"interface":"eth0","local":"192.0.2.2:51234","remote":"203.0.113.5:443","state":"established","localId":0,"remoteId":0,"backup":false,"rttMs":12.13,"cwnd":38,"rateMbps":48,"sentBytes":6100000,"receivedBytes":600000000,"retransmittedBytes":12000},""",
            line, StringComparison.Ordinal);
    }

    [Fact]
    public void Counters_are_explained_in_groups_and_trouble_is_marked()
    {
        var counters = MultipathCounters.Parse("MPTcpExt: MPCapableSYNTX MPCapableSYNACKRX MPCapableFallbackSYNACK Newer\nMPTcpExt: 3 0 1 5\n")!;
        Assert.Equal(
            """
            Connections
                      3  MPCapableSYNTX           this machine asked a peer for MPTCP
            Fallback
            !         1  MPCapableFallbackSYNACK  the peer's answer had no MPTCP option: it
                                                  does not speak it, or something on the way
                                                  took the option out
            """,
            string.Join('\n', CounterReport.Totals(counters, isAll: false)));
        var all = string.Join('\n', CounterReport.Totals(counters, isAll: true));
        Assert.Contains("          0  MPCapableSYNACKRX", all, StringComparison.Ordinal);
        Assert.EndsWith("Others of this kernel\n          5  Newer", all, StringComparison.Ordinal);
        Assert.Empty(CounterReport.Totals(MultipathCounters.Parse("MPTcpExt: MPCapableSYNTX\nMPTcpExt: 0\n")!, isAll: false));
    }

    [Fact]
    public void What_moves_is_shown_with_its_time()
    {
        var before = MultipathCounters.Parse("MPTcpExt: MPCapableSYNTX MPCurrEstab Blackhole\nMPTcpExt: 3 2 0\n")!;
        var after = MultipathCounters.Parse("MPTcpExt: MPCapableSYNTX MPCurrEstab Blackhole\nMPTcpExt: 5 1 0\n")!;
        Assert.Equal(
            """
            12:03:04       =1  MPCurrEstab              connections that speak MPTCP now
            12:03:04       +2  MPCapableSYNTX           this machine asked a peer for MPTCP
            """,
            string.Join('\n', CounterReport.Changes(before, after, new(12, 3, 4))));
    }

    [Fact]
    public void No_line_of_a_report_on_counters_is_wider_than_a_terminal()
    {
        var names = string.Join(' ', MultipathCounter.All.Select(counter => counter.Name));
        var zeros = MultipathCounters.Parse($"MPTcpExt: {names}\nMPTcpExt: {string.Join(' ', MultipathCounter.All.Select(_ => "0"))}\n")!;
        var many = MultipathCounters.Parse($"MPTcpExt: {names}\nMPTcpExt: {string.Join(' ', MultipathCounter.All.Select(_ => "99999"))}\n")!;
        Assert.All([.. CounterReport.Totals(many, isAll: true), .. CounterReport.Changes(zeros, many, default)], line => Assert.InRange(line.Length, 1, 80));
    }

    [Theory]
    [InlineData(MultipathEventKind.Created, "connection created: 192.0.2.2:1000 -> 203.0.113.5:443, called by the peer, takes joins at announced addresses only")]
    [InlineData(MultipathEventKind.Established, "connection established: 192.0.2.2:1000 -> 203.0.113.5:443, takes joins at announced addresses only")]
    [InlineData(MultipathEventKind.Closed, "connection closed")]
    [InlineData(MultipathEventKind.Announced, "peer announces 192.0.2.2:1000 -> 203.0.113.5:443 (id 4)")]
    [InlineData(MultipathEventKind.Removed, "peer takes back id 4")]
    [InlineData(MultipathEventKind.SubflowEstablished, "subflow established: eth0 192.0.2.2:1000 -> 203.0.113.5:443 (id 1 to 4), backup")]
    [InlineData(MultipathEventKind.SubflowClosed, "subflow closed: eth0 192.0.2.2:1000 -> 203.0.113.5:443 (id 1 to 4): Connection refused, reset by the peer: something on the way interferes (it may work again soon)")]
    [InlineData(MultipathEventKind.SubflowPriority, "subflow is backup now: eth0 192.0.2.2:1000 -> 203.0.113.5:443 (id 1 to 4)")]
    [InlineData(MultipathEventKind.Lost, "some events were lost: they came faster than they were read")]
    [InlineData((MultipathEventKind)99, "event-99: 192.0.2.2:1000 -> 203.0.113.5:443")]
    public void Each_event_is_a_line(MultipathEventKind kind, string sentence) => Assert.Equal(
        $"12:03:04.005  0000002a  {sentence}", EventReport.Line(Event(kind), Interfaces, new(12, 3, 4, 5)));

    [Fact]
    public void An_event_is_one_line_of_json_without_what_it_does_not_have()
    {
        var at = DateTimeOffset.Parse("2026-11-29T12:03:04Z", System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(
            """{"event":"subflow-closed","at":"2026-11-29T12:03:04+00:00","token":"0000002a","local":"192.0.2.2:1000","remote":"203.0.113.5:443","localId":1,"remoteId":4,"interface":"eth0","backup":true,"serverSide":true,"deniesJoinsToFirstAddress":true,"errno":111,"error":"Connection refused","resetReason":6,"resetIsTransient":true}""",
            JsonSerializer.Serialize(EventLine.Of(Event(MultipathEventKind.SubflowClosed), Interfaces, at), MptcpJson.Lines.EventLine));
        Assert.Equal(
            """{"event":"lost","at":"2026-11-29T12:03:04+00:00"}""",
            JsonSerializer.Serialize(EventLine.Of(new() { Kind = MultipathEventKind.Lost }, Interfaces, at), MptcpJson.Lines.EventLine));
    }

    [Fact]
    public void Every_failure_of_the_kernel_has_a_code()
    {
        foreach (var failure in Enum.GetValues<MultipathFailure>())
            Assert.Contains(Commands.MptcpCommand.From(new(failure, "no")).Code, ErrorTable.All);
    }

    [Theory]
    [InlineData("usage", "mptcp", "endpoint", "add")]
    [InlineData("usage", "mptcp", "endpoint", "add", "dev", "eth0")]
    [InlineData("usage", "mptcp", "endpoint", "add", "192.0.2.1", "nobackup")]
    [InlineData("usage", "mptcp", "endpoint", "add", "192.0.2.1", "id", "0")]
    [InlineData("usage", "mptcp", "endpoint", "delete", "192.0.2.1", "subflow")]
    [InlineData("usage", "mptcp", "endpoint", "change", "192.0.2.1")]
    [InlineData("usage", "mptcp", "endpoint", "change", "192.0.2.1", "subflow")]
    [InlineData("usage", "mptcp", "limits", "set", "subflows")]
    [InlineData("usage", "mptcp", "limits", "set", "subflows", "9")]
    [InlineData("usage", "mptcp", "limits", "set", "paths", "2")]
    [InlineData("usage", "mptcp", "check", "a b")]
    [InlineData("usage", "mptcp", "check", "host:0")]
    public async Task Each_mistake_ends_with_its_code(string code, params string[] arguments)
    {
        await using var host = new TestHost();
        Assert.Equal((int)ErrorTable.ExitCodeOf(code), await host.RunAsync(arguments));
        Assert.Contains($"({code})", host.Error, StringComparison.Ordinal);
    }

    private static MultipathConnection Connection()
    {
        var (local, remote) = (IPEndPoint.Parse("192.0.2.2:51234"), IPEndPoint.Parse("203.0.113.5:443"));
        return new(
            new() { State = SocketState.Established, Local = local, Remote = remote, Inode = 7 },
            new MultipathInfo(42, HasFallenBack: false, 1, 2, 0, 0) { BytesSent = 12_000_000, BytesReceived = 1_200_000_000, BytesRetransmitted = 40_000 },
            [
                Subflow(local, remote, MultipathSubflowFlags.AskedFor | MultipathSubflowFlags.AgreedByPeer, 0),
                Subflow(IPEndPoint.Parse("192.168.1.5:40123"), IPEndPoint.Parse("203.0.113.9:443"), MultipathSubflowFlags.JoinAskedFor | MultipathSubflowFlags.BackupOfOurs, 1) with
                {
                    InterfaceIndex = 3,
                    State = SocketState.FinWait1,
                },
            ]);
    }

    private static InetSocket Subflow(IPEndPoint local, IPEndPoint remote, MultipathSubflowFlags flags, int id) =>
        new() { State = SocketState.Established, Local = local, Remote = remote, Tcp = Numbers, Subflow = new(42, 0, flags, id, 0), IsSubflow = true };

    private static MultipathEvent Event(MultipathEventKind kind) => new()
    {
        Kind = kind,
        Token = 42,
        Local = IPEndPoint.Parse("192.0.2.2:1000"),
        Remote = IPEndPoint.Parse("203.0.113.5:443"),
        LocalId = 1,
        RemoteId = 4,
        IsBackup = true,
        Error = 111,
        InterfaceIndex = 2,
        ResetReason = 6,
        ResetFlags = 1,
        IsServerSide = true,
        Flags = MultipathEventFlags.DeniesJoinsToFirstAddress,
    };
}

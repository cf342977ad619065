using Bondline.Agent;
using Bondline.Protocol;
using Bondline.Relay;
using Bondline.Transport;
using Xunit;

namespace Bondline.Cli.Tests;

public sealed class ReportTests
{
    private readonly StringWriter _output = new() { NewLine = "\n" }, _error = new() { NewLine = "\n" };

    [Fact]
    public void Json_lines_are_as_scripts_know_them()
    {
        TellEverything(new JsonReport(_output));
        Assert.Equal(
            """
            {"event":"ready","url":"http://calm-otter.lab.test:8000","local":"http://127.0.0.1:3000","carrier":"bond"}
            {"event":"path","path":"eth0","state":"connecting"}
            {"event":"path","path":"eth0","state":"active","rttMs":10.2}
            {"event":"path","path":"eth0","state":"active","rttMs":10.2,"policy":"backup"}
            {"event":"path","path":"tun0","state":"left-out","reason":"vpn","detail":"it is a VPN; name it in --paths to use it"}
            {"event":"error","code":"local-unreachable","message":"nothing listens on http://127.0.0.1:3000: it's \"down\"."}
            {"event":"error","code":"name-taken","message":"no. Take another --name."}
            {"event":"stats","upBytes":1500000,"downBytes":2,"framingBytes":6,"reinjectedBytes":3,"duplicatedBytes":4,"duplicatesReceivedBytes":7,"streams":5,"paths":[{"path":"eth0","state":"active","rttMs":10.2,"rateMbps":48.1,"upBytes":10,"downBytes":20,"reinjectedBytes":3},{"path":"usb0","state":"active","rttMs":10.2,"rateMbps":48.1,"upBytes":10,"downBytes":20,"reinjectedBytes":3,"policy":"metered","budgetUsedBytes":12500000,"budgetBytes":500000000}]}

            """,
            _output.ToString());
    }

    [Fact]
    public void Plain_lines_put_results_on_standard_output_and_the_rest_on_standard_error()
    {
        TellEverything(new PlainReport(_output, _error, isQuiet: false));
        Assert.Equal(
            """
            http://calm-otter.lab.test:8000 -> http://127.0.0.1:3000
            up 1.5 MB, down 0.0 MB, 5 streams, reinjected 0.0 MB, duplicated 0.0 MB | eth0 active 10.2 ms 48.1 Mbit/s | usb0 active 10.2 ms 48.1 Mbit/s | usb0 12.5 of 500 MB

            """,
            _output.ToString());
        Assert.Equal(
            """
            path eth0: connecting
            path eth0: active 10.2 ms
            path eth0: active backup 10.2 ms
            path tun0: left-out (it is a VPN; name it in --paths to use it)
            warning: nothing listens on http://127.0.0.1:3000: it's "down" (local-unreachable). More: bondline help local-unreachable
            warning: no (name-taken). Take another --name; more: bondline help name-taken

            """,
            _error.ToString());
    }

    [Fact]
    public void Nothing_a_relay_or_a_network_says_reaches_the_terminal_as_a_command()
    {
        const string hostile = "a\e]0;title\a\r\nb";
        var report = new PlainReport(_output, _error, isQuiet: false);
        LocalTarget.TryParse("3000", TunnelKind.Http, out var target);
        report.TunnelReady(target!, $"http://{hostile}");
        report.PathChanged(new(hostile, PathState.Dead, "declined", hostile, null));
        report.Problem(new(hostile, hostile, hostile));
        Assert.DoesNotContain('\e', _output.ToString() + _error);
        Assert.Equal(3, (_output.ToString() + _error).Count(character => character == '\n'));
        Assert.DoesNotContain('\e', ErrorReport.Line("superseded", hostile, null));
    }

    [Fact]
    public void Plain_lines_say_what_carries_where_there_is_a_choice()
    {
        var report = new PlainReport(_output, _error, isQuiet: false);
        report.CarrierChanged(new(Carrier.Bond, "kernel MPTCP is not set up", HasChoice: false));
        Assert.Equal("", _error.ToString());
        report.CarrierChanged(new(Carrier.Multipath, "it reaches more", HasChoice: true));
        report.CarrierChanged(new(Carrier.Bond, "the bond reaches every network", HasChoice: true));
        Assert.Equal("carrier: mptcp (it reaches more)\ncarrier: bond (the bond reaches every network)\n", _error.ToString());
    }

    [Fact]
    public void A_relays_lines_say_who_came_by_Multipath_TCP()
    {
        var bytes = new BondStatistics { BytesSent = 1_500_000, BytesReceived = 2_000_000, FramingBytesSent = 6, Streams = 5 };
        var none = new RelayStatistics(bytes, 3, 0, new(12, 0, 0, 0, 0));
        var some = new RelayStatistics(bytes, 3, 1, new(12, 3, 2, 4, 7.0 / 3));
        string[] lines = [RelayReport.Statistics(none, isJson: false), RelayReport.Statistics(some, isJson: false), RelayReport.Statistics(some, isJson: true)];
        Assert.Equal(
            """
            up 2.0 MB, down 1.5 MB, 3 agents, 5 streams, 12 visitors, reinjected 0.0 MB, duplicated 0.0 MB
            up 2.0 MB, down 1.5 MB, 3 agents (1 by MPTCP), 5 streams, 12 visitors (3 by MPTCP, 2 with several subflows, 4 at most, 2.3 on average), reinjected 0.0 MB, duplicated 0.0 MB
            {"event":"stats","upBytes":2000000,"downBytes":1500000,"framingBytes":6,"reinjectedBytes":0,"duplicatedBytes":0,"duplicatesReceivedBytes":0,"streams":5,"agents":3,"multipathAgents":1,"visitors":12,"multipathVisitors":3,"spreadVisitors":2,"mostVisitorSubflows":4,"averageVisitorSubflows":2.33}
            """,
            string.Join('\n', lines));
    }

    private static void TellEverything(IAgentReport report)
    {
        LocalTarget.TryParse("3000", TunnelKind.Http, out var target);
        var rtt = TimeSpan.FromMilliseconds(10.24);
        report.TunnelReady(target!, "http://calm-otter.lab.test:8000");
        report.PathChanged(new("eth0", PathState.Connecting, null, null, null));
        report.PathChanged(new("eth0", PathState.Active, null, null, rtt));
        report.PathChanged(new("eth0", PathState.Active, null, null, rtt * 2)); // only the RTT: no news
        report.PathChanged(new("eth0", PathState.Active, null, null, rtt) { Policy = SubflowPolicy.Backup });
        report.PathChanged(new("tun0", PathState.LeftOut, "vpn", "it is a VPN; name it in --paths to use it", null));
        report.Problem(new("local-unreachable", "nothing listens on http://127.0.0.1:3000: it's \"down\""));
        report.Problem(new("name-taken", "no", "Take another --name"));
        var bytes = new BondStatistics { BytesSent = 1_500_000, BytesReceived = 2, FramingBytesSent = 6, BytesReinjected = 3, BytesDuplicated = 4, DuplicateBytesReceived = 7 };
        var eth0 = new SubflowSnapshot(new(1), "eth0", SubflowState.Active, SubflowReason.None, SubflowPolicy.Normal, rtt, rtt, 48.1e6 / 8, 10, 20, 3, null, null);
        report.Statistics(new(bytes, 5, [eth0, eth0 with { Path = "usb0", Policy = SubflowPolicy.Metered }]) { Budgets = [new(new("usb0", 500_000_000, BudgetPeriod.Day), 12_500_000)] });
    }
}

using Bondline.Agent;
using Bondline.Cli.Screen;
using Bondline.Protocol;
using Bondline.Transport;
using Xunit;

namespace Bondline.Cli.Tests.Screen;

public sealed class ScreenModelTests
{
    private readonly ManualTime _time = new();
    private readonly LocalTarget _target;
    private readonly ScreenModel _model;
    private readonly Dictionary<string, (long Sent, long Reinjected)> _bytes = [];

    public ScreenModelTests()
    {
        LocalTarget.TryParse("3000", TunnelKind.Http, out var target);
        _target = target!;
        _model = new([_target], null, [new("usb0", SubflowPolicy.Backup)], _time);
    }

    [Fact]
    public void A_path_that_falls_silent_is_told_with_what_moved_where()
    {
        Start("eth0", "wlan0");
        Report("wlan0", PathState.Suspect, "silence");
        _bytes["eth0"] = (5_000_000, 1_200_000);
        Pass(0.25);
        Assert.Equal("wlan0 went silent, 1.2 MB moved to eth0, nothing lost", LastEvent());
        _bytes["eth0"] = (6_000_000, 1_400_000);
        Pass(0.5);
        Assert.Equal("wlan0 went silent, 1.4 MB moved to eth0, nothing lost", LastEvent()); // the same event
        Assert.Single(_model.View().Events, told => told.Text.Contains("silent", StringComparison.Ordinal));
        Report("wlan0", PathState.Active);
        Assert.Equal("wlan0 is back", LastEvent());
    }

    [Fact]
    public void A_blink_is_no_news()
    {
        Start("eth0", "wlan0");
        var events = _model.View().Events.Count;
        Report("wlan0", PathState.Suspect, "silence");
        Pass(0.1);
        Report("wlan0", PathState.Active);
        Pass(1);
        Assert.Equal(events, _model.View().Events.Count);
    }

    [Theory]
    [InlineData("carrier", "wlan0 lost its link; eth0 carries on, nothing lost")]
    [InlineData("address", "wlan0 lost its address; eth0 carries on, nothing lost")]
    public void A_lost_link_is_told_at_once(string reason, string told)
    {
        Start("eth0", "wlan0");
        Report("wlan0", PathState.Closed, reason);
        Pass(0.01);
        Assert.Equal(told, LastEvent());
    }

    [Fact]
    public void A_paused_network_says_so_and_returns_as_what_it_was()
    {
        Start("eth0", "usb0");
        Assert.Equal(SubflowPolicy.Off, _model.TogglePause("usb0"));
        Report("usb0", PathState.LeftOut, "policy");
        Pass(0.4);
        Assert.Equal("usb0 was paused; eth0 carries on, nothing lost", LastEvent());
        var paused = _model.View().Paths[1];
        Assert.Equal((true, 0), (paused.IsPaused, _model.Totals.Absences)); // it did not go away by itself
        Assert.EndsWith("; p: use it again", paused.Trouble, StringComparison.Ordinal);
        Assert.Equal(SubflowPolicy.Backup, _model.TogglePause("usb0"));
        Report("usb0", PathState.Active);
        Assert.Equal("usb0 is back", LastEvent());
        Assert.Equal(SubflowPolicy.Normal, _model.TogglePause("gone0"));
    }

    [Fact]
    public void With_every_network_gone_connections_are_said_to_wait()
    {
        Start("eth0");
        Report("eth0", PathState.Dead, "silence");
        Pass(0.4);
        Pass(0.4);
        Pass(0.4);
        Assert.Equal("no network reaches the relay: connections wait and go on when one returns", LastEvent());
        Pass(11.2);
        Report("eth0", PathState.Active);
        Pass(0.1);
        Assert.Equal("the relay is reached again after 12 s", LastEvent());
    }

    [Fact]
    public void Rates_shares_and_history_come_from_the_counters()
    {
        Start("eth0", "wlan0");
        _bytes["eth0"] = (3_000_000, 0);
        _bytes["wlan0"] = (1_000_000, 0);
        Pass(1);
        var view = _model.View();
        Assert.Equal((24e6, 0.75, 24e6), (view.Paths[0].UpBitsPerSecond, view.Paths[0].Share, view.Paths[0].History[^1]));
        _bytes["eth0"] = (1000, 0); // a new bond counts its subflows from the start
        Pass(1);
        Assert.Equal((8000, 3_001_000), (_model.View().Paths[0].UpBitsPerSecond, _model.View().Paths[0].Bytes));
    }

    [Fact]
    public void The_checks_of_the_start_come_once_and_together()
    {
        _model.PathChanged(new("tun0", PathState.LeftOut, "vpn", "a VPN", null));
        _model.LocalServiceAway(_target);
        _model.Check("relay.example:443", "no BBR");
        _model.Check("relay.example:443", "no BBR");
        Assert.Equal(["relay.example:443 takes visitors for this agent", "tun0 is not used: a VPN", "no BBR"], _model.View().Events.Select(told => told.Text));
        _model.LocalServiceBack(_target);
        Assert.Equal("http://127.0.0.1:3000 answers again", LastEvent());
        Assert.False(_model.View().Tunnels[0].IsAway);
    }

    [Fact]
    public void What_is_kept_is_bounded()
    {
        Start("eth0");
        for (var i = 0; i < 1000; i++)
        {
            _model.RequestServed(_target, new(1, new string('M', 5000), new string('t', 5000), 200, long.MaxValue));
            _model.Note(EventKind.Note, new string('e', 5000));
            _model.PathChanged(new($"veth{i}", PathState.LeftOut, "virtual", "a virtual interface", null));
        }
        _model.RequestsUntold(int.MaxValue);
        _model.RequestsUntold(-1);
        var view = _model.View();
        Assert.Equal((200, 200, 1000L + int.MaxValue), (view.Served.Count, view.Events.Count, view.Requests));
        Assert.All(view.Events, told => Assert.InRange(told.Text.Length, 0, 1000));
        Assert.Equal("eth0", Assert.Single(view.Paths).Name);
        Assert.InRange(view.LeftOut.Count, 1, 64);
    }

    [Fact]
    public void What_is_used_of_a_budget_is_shown_with_its_network()
    {
        Start("eth0", "usb0");
        var budget = new PathBudget("usb0", 1000, BudgetPeriod.Day);
        _model.Sample(new(default, 0, []) { Budgets = [new(budget, 250), new(budget with { Path = "gone0" }, 1)] });
        Assert.Equal([null, 0.25], _model.View().Paths.Select(path => path.BudgetUsed));
    }

    private string LastEvent() => _model.View().Events[^1].Text;

    private void Start(params string[] paths)
    {
        foreach (var path in paths)
        {
            _bytes[path] = (0, 0);
            Report(path, PathState.Active);
        }
        _model.TunnelReady(_target, "http://calm-otter.lab.test");
        _model.Check("relay.example:443", null);
        Pass(1);
    }

    private void Report(string path, PathState state, string? reason = null) => _model.PathChanged(new(path, state, reason, null, null));

    private void Pass(double seconds)
    {
        _time.Advance(TimeSpan.FromSeconds(seconds));
        var id = 0ul;
        _model.Sample(new(default, 0,
            [.. _bytes.Select(path => new SubflowSnapshot(new(id++), path.Key, SubflowState.Active, SubflowReason.None, SubflowPolicy.Normal, default, default, 0, path.Value.Sent, 0, path.Value.Reinjected, null, null))]));
    }

    private sealed class ManualTime : TimeProvider
    {
        private long _ticks = TimeSpan.TicksPerDay;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override long GetTimestamp() => _ticks;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddTicks(_ticks);

        public void Advance(TimeSpan span) => _ticks += span.Ticks;
    }
}

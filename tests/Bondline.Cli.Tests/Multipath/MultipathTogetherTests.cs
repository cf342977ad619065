using System.Net;
using Bondline.Cli.Multipath;
using Xunit;

namespace Bondline.Cli.Tests.Multipath;

/// <summary>Several that change the same machine: commands at the same time, commands one after the other, and what somebody does between them.</summary>
public sealed class MultipathTogetherTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly FakeMachine _machine = new(
        new("eth0", 2, "10.2.0.2") { Defaults = [("10.2.0.1", 100)], ReplyFilter = "1" },
        new("eth1", 3, "10.3.0.2") { NarrowGateway = "10.3.0.1", ReplyFilter = "1" },
        FakeInterface.Uplink("wlan0", 4, 600));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_two_that_enable_at_the_same_time_the_second_finds_everything_done(bool isPersistent)
    {
        var before = _machine.Dump();
        using SemaphoreSlim isHalfDone = new(0), goOn = new(0);
        _machine.OnWait = () => goOn.Release(); // the second one begins while the first is in the middle of it
        _machine.OnStep = (number, isAfter) =>
        {
            if (number != 6 || isAfter) return;
            isHalfDone.Release();
            if (!goOn.Wait(Limit)) throw new TimeoutException("Nobody waited for the lock.");
        };
        var first = Task.Run(() => EnableAsync(isPersistent));
        Assert.True(await isHalfDone.WaitAsync(Limit));
        var second = await Task.Run(() => EnableAsync()).WaitAsync(Limit);
        Assert.NotEqual(0, (await first.WaitAsync(Limit)).Changes);
        Assert.Equal(0, second.Changes);
        Assert.Equal(3, _machine.AllEndpoints.Count);
        Disable();
        Assert.Equal(before, _machine.Dump());
    }

    [Fact]
    public async Task What_an_earlier_command_made_stays_when_a_later_one_fails_that_made_it_once_more()
    {
        var before = _machine.Dump();
        await EnableAsync();
        _machine.Set("net.ipv4.conf.eth0.rp_filter", "1");
        _machine.RemoveEndpoint(IPAddress.Parse("10.4.0.2"));
        _machine.Plug(FakeInterface.Uplink("usb0", 5, 700));
        _machine.OnStep = (_, isAfter) =>
        {
            if (isAfter || _machine.AllEndpoints.Count < 3) return;
            _machine.OnStep = null; // usb0's
            throw new CommandException("kernel-refused", "no");
        };
        await Assert.ThrowsAsync<CommandException>(() => EnableAsync());
        Assert.Equal("2", _machine.ReadSysctl("net.ipv4.conf.eth0.rp_filter"));
        Assert.Equal(2, _machine.AllEndpoints.Count); // the one that was away is that of the command that failed
        Assert.Equal(3, _machine.Limits().Subflows);
        _machine.Unplug("usb0");
        Disable();
        Assert.Equal(before, _machine.Dump());
    }

    [Fact]
    public async Task An_endpoint_that_is_written_down_already_stays_so_when_it_is_there_already()
    {
        var before = _machine.Dump();
        await EnableAsync();
        var there = new EndpointChange(IPAddress.Parse("10.4.0.2"), "wlan0", 4);
        Assert.Equal("endpoint-exists", Assert.Throws<CommandException>(() => new MultipathSetup(_machine).Make(there, MultipathJournal.OfNamespace(_machine))).Code);
        Disable();
        Assert.Equal(before, _machine.Dump());
    }

    [Theory]
    [InlineData("0x0", "0")]
    [InlineData("0x0", "1")]
    [InlineData("0x1", "0")]
    public async Task Endpoints_that_NetworkManager_takes_over_are_undone_with_its_flags(string flags, string wasEnabled)
    {
        _machine.Set("net.mptcp.enabled", wasEnabled);
        _machine.Manage("eth0", flags);
        _machine.Manage("wlan0", flags);
        var before = _machine.Dump();
        await EnableAsync();
        await EnableAsync(isPersistent: true);
        Assert.Equal(3, _machine.AllEndpoints.Count);
        Assert.Equal(["eth1"], MultipathJournal.OfNamespace(_machine).Changes.OfType<EndpointChange>().Select(change => change.Interface));
        Disable();
        Assert.Equal(before, _machine.Dump());
    }

    [Fact]
    public async Task A_route_that_NetworkManager_takes_away_with_its_new_flags_is_made_again()
    {
        _machine.Manage("eth1");
        var before = _machine.Dump();
        await EnableAsync();
        await EnableAsync(isPersistent: true);
        Assert.Contains(_machine.Picture().Single(state => state.Link.Name == "eth1").Routes, route => route.IsDefault);
        Disable();
        Assert.Equal(before, _machine.Dump());
    }

    [Fact]
    public async Task An_endpoint_that_NetworkManager_could_not_take_over_yet_stays_ours()
    {
        var connection = _machine.Manage("wlan0");
        var before = _machine.Dump();
        await EnableAsync();
        _machine.IsReapplyRefused = true;
        await EnableAsync(isPersistent: true);
        Assert.Equal("0x22", _machine.FlagsOf(connection));
        Disable();
        Assert.Equal(before, _machine.Dump());
    }

    [Fact]
    public async Task What_somebody_set_of_a_connection_since_keeps_its_endpoint()
    {
        var connection = _machine.Manage("wlan0");
        await EnableAsync();
        await EnableAsync(isPersistent: true);
        _machine.SetFlags(connection, "0x2a");
        Disable();
        Assert.Equal("10.4.0.2", Assert.Single(_machine.AllEndpoints).Address.ToString());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Whoever_follows_the_networks_leaves_what_was_given_to_NetworkManager(bool isFollowingBefore)
    {
        _machine.Manage("wlan0");
        await EnableAsync();
        using var stop = new CancellationTokenSource();
        var report = new WatchReport();
        var running = isFollowingBefore ? await FollowAsync() : null;
        _machine.IsReapplyRefused = true; // NetworkManager takes it later: until then it is written down as ours
        await EnableAsync(isPersistent: true);
        running ??= await FollowAsync();
        _machine.Changed();
        _machine.Plug(FakeInterface.Uplink("usb0", 5, 700));
        Assert.Equal("ip mptcp limits set subflows 4", await report.NextAsync());
        Assert.Equal("added usb0 10.5.0.2", await report.NextAsync());
        _machine["wlan0"].HasCarrier = false;
        _machine.Unplug("usb0");
        Assert.Equal("deleted usb0 10.5.0.2: the interface is gone", await report.NextAsync());
        Assert.Contains(_machine.AllEndpoints, endpoint => endpoint.Address.Equals(IPAddress.Parse("10.4.0.2")));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);

        async Task<Task> FollowAsync()
        {
            var watch = new MultipathWatch(_machine, null, report, TimeProvider.System).RunAsync(stop.Token);
            Assert.StartsWith("following", await report.NextAsync(), StringComparison.Ordinal);
            return watch;
        }
    }

    [Fact]
    public async Task Whoever_follows_the_networks_waits_for_one_that_holds_the_lock_for_long_and_says_so_once()
    {
        const string Held = "failed: another bondline has held /run/bondline-mptcp/lock for long, and the networks are not followed until it gives it back";
        using var stop = new CancellationTokenSource();
        var report = new WatchReport();
        _machine.IsLockHeld = true;
        var running = new MultipathWatch(_machine, [], report, TimeProvider.System).RunAsync(stop.Token);
        Assert.Equal(Held, await report.NextAsync());
        _machine.IsLockHeld = false;
        while (await report.NextAsync() is var line && line != "added wlan0 10.4.0.2") Assert.NotEqual(Held, line);
        _machine.IsLockHeld = true;
        _machine["wlan0"].HasCarrier = false;
        var isWaiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _machine.OnWait = () => isWaiting.TrySetResult();
        _machine.Changed();
        await isWaiting.Task.WaitAsync(Limit);
        _machine.IsLockHeld = false; // and nothing changes any more
        Assert.Equal("deleted wlan0 10.4.0.2: no carrier", await report.NextAsync());
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Theory]
    [InlineData(true, "another bondline has held /run/bondline-mptcp/lock for long")]
    [InlineData(false, "8 changes could not be undone, the first of them \"ip mptcp endpoint add 10.4.0.2 dev wlan0 subflow\": not now")]
    public async Task An_agent_that_cannot_undo_what_was_set_up_for_it_says_how_to(bool isLockHeld, string why)
    {
        using var stop = new CancellationTokenSource();
        var notes = new List<string>();
        var agent = new CarrierNetworks(_machine, notes.Add);
        var running = agent.RunAsync(isAskedFor: true, stop.Token);
        await agent.WhenReady.WaitAsync(Limit);
        Assert.Equal(3, _machine.AllEndpoints.Count);
        _machine.IsLockHeld = isLockHeld;
        _machine.OnStep = (_, _) => throw new CommandException("kernel-refused", "not now");
        await stop.CancelAsync();
        await running.WaitAsync(Limit);
        Assert.Equal($"the kernel's MPTCP stays as it was set up for this agent: {why}; \"sudo bondline mptcp disable\" undoes it", notes[^1]);
        Assert.Equal(3, _machine.AllEndpoints.Count);
    }

    private Task<EnablingResult> EnableAsync(bool isPersistent = false) =>
        new MultipathEnabling(_machine).EnableAsync([], isPersistent, isDryRun: false, new Silent(), CancellationToken.None);

    private void Disable() => new MultipathEnabling(_machine).Disable((_, _) => { }, CancellationToken.None);

    private sealed class Silent : IMultipathReport
    {
        public void Changing(MultipathChange change) { }

        public void Remark(MultipathChange change, string remark) { }
    }
}

using System.Net;
using Bondline.Cli.Multipath;
using Bondline.Linux;
using Xunit;

namespace Bondline.Cli.Tests.Multipath;

public sealed class MultipathWatchTests : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly FakeMachine _machine = new(FakeInterface.Uplink("eth0", 2), FakeInterface.Uplink("wlan0", 3, 600));
    private readonly RunningWatch _watch = new();

    public ValueTask DisposeAsync() => _watch.DisposeAsync();

    [Fact]
    public async Task It_does_what_enable_does_and_disable_undoes_it()
    {
        var before = _machine.Dump();
        await StartAsync();
        Assert.Equal(["10.2.0.2", "10.3.0.2"], _machine.AllEndpoints.Select(endpoint => $"{endpoint.Address}"));
        Assert.Equal("1", _machine.ReadSysctl("net.mptcp.enabled"));
        Disable();
        Assert.False(await _watch.Running.WaitAsync(Limit));
        Assert.Equal(before, _machine.Dump());
    }

    [Fact]
    public async Task A_lost_network_loses_its_endpoint_and_a_returned_one_has_it_back()
    {
        await StartAsync();
        _machine["wlan0"].HasCarrier = false;
        _machine.Changed();
        Assert.Equal("deleted wlan0 10.3.0.2: no carrier", await _watch.Report.NextAsync());
        _machine["wlan0"].HasCarrier = true;
        _machine.Changed();
        Assert.Equal("added wlan0 10.3.0.2", await _watch.Report.NextAsync());
    }

    [Fact]
    public async Task A_network_that_is_plugged_in_is_used_with_all_it_needs_and_what_it_needed_goes_with_disable()
    {
        var before = _machine.Dump();
        await StartAsync();
        _machine.Plug(FakeInterface.Uplink("usb0", 4, 700));
        Assert.Equal("ip mptcp limits set subflows 3", await _watch.Report.NextAsync());
        Assert.Equal("added usb0 10.4.0.2", await _watch.Report.NextAsync());
        _machine.Plug(new("usb1", 5, "10.5.0.2") { NarrowGateway = "10.5.0.1" });
        Assert.Equal("ip route add default via 10.5.0.1 dev usb1 metric 1100 proto static", await _watch.Report.NextAsync());
        Assert.Equal("ip mptcp limits set subflows 4", await _watch.Report.NextAsync());
        Assert.Equal("added usb1 10.5.0.2", await _watch.Report.NextAsync());
        _machine.Unplug("usb0");
        Assert.Equal("deleted usb0 10.4.0.2: the interface is gone", await _watch.Report.NextAsync());
        _machine.Unplug("usb1");
        await _watch.Report.NextAsync();
        Disable();
        Assert.Equal(before, _machine.Dump());
    }

    [Fact]
    public async Task A_new_address_takes_the_place_of_the_old_one()
    {
        await StartAsync();
        _machine["wlan0"].Addresses = ["10.3.0.77"];
        _machine.Changed();
        Assert.Equal("added wlan0 10.3.0.77", await _watch.Report.NextAsync());
        Assert.Equal("deleted wlan0 10.3.0.2: the interface has another address now", await _watch.Report.NextAsync());
    }

    [Fact]
    public async Task Stopped_it_leaves_the_endpoints_and_started_again_it_knows_them_for_its_own()
    {
        await StartAsync();
        await _watch.StopAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _watch.Running);
        Assert.Equal(2, _machine.AllEndpoints.Count);
        _machine["wlan0"].HasCarrier = false;
        var again = new WatchReport();
        using var stop = new CancellationTokenSource();
        var running = new MultipathWatch(_machine, [], again, TimeProvider.System).RunAsync(stop.Token);
        Assert.Equal("following eth0", await again.NextAsync());
        Assert.Equal("deleted wlan0 10.3.0.2: no carrier", await again.NextAsync());
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Fact]
    public async Task Endpoints_of_others_and_of_NetworkManager_are_left_alone()
    {
        _machine.SetEndpoint(new(0, IPAddress.Parse("10.2.0.2"), 0, MultipathEndpointFlags.Subflow | MultipathEndpointFlags.FullMesh, 2));
        _machine.Manage("wlan0");
        await new MultipathEnabling(_machine).EnableAsync([], isPersistent: true, isDryRun: false, new WatchReport(), CancellationToken.None);
        await StartAsync(additions: 0);
        _machine["eth0"].HasCarrier = false;
        _machine["wlan0"].HasCarrier = false;
        _machine.Changed();
        _machine.Plug(FakeInterface.Uplink("usb0", 4, 700));
        Assert.Equal("added usb0 10.4.0.2", await _watch.Report.NextAsync());
        Assert.Equal(3, _machine.AllEndpoints.Count);
    }

    [Fact]
    public async Task Less_waits_unsent_while_there_are_several_networks_until_disable()
    {
        _machine.Set(SysctlChange.MaxUnsentBytes, "4294967295");
        _machine["wlan0"].HasCarrier = false;
        var before = _machine.Dump();
        await StartAsync(additions: 1);
        Assert.Equal("4294967295", _machine.ReadSysctl(SysctlChange.MaxUnsentBytes));
        _machine["wlan0"].HasCarrier = true;
        _machine.Changed();
        Assert.Equal("sysctl -w net.ipv4.tcp_notsent_lowat=131072", await _watch.Report.NextAsync());
        Assert.Equal("added wlan0 10.3.0.2", await _watch.Report.NextAsync());
        Assert.Equal("131072", _machine.ReadSysctl(SysctlChange.MaxUnsentBytes));
        _machine["wlan0"].HasCarrier = false;
        Disable();
        Assert.False(await _watch.Running.WaitAsync(Limit));
        Assert.Equal(before, _machine.Dump());
    }

    [Fact]
    public async Task Whoever_lets_more_wait_unsent_again_is_left_in_peace()
    {
        _machine.Set(SysctlChange.MaxUnsentBytes, "4294967295");
        await StartAsync();
        _machine.Set(SysctlChange.MaxUnsentBytes, "4294967295");
        _machine.Plug(FakeInterface.Uplink("usb0", 4, 700));
        Assert.Equal("ip mptcp limits set subflows 3", await _watch.Report.NextAsync());
        Assert.Equal("added usb0 10.4.0.2", await _watch.Report.NextAsync());
        Assert.Equal("4294967295", _machine.ReadSysctl(SysctlChange.MaxUnsentBytes));
    }

    [Fact]
    public async Task An_agent_lets_the_sockets_of_others_be()
    {
        _machine.Set(SysctlChange.MaxUnsentBytes, "4294967295");
        await RunAgentAsync(Environment.ProcessId, () =>
        {
            Assert.Equal("4294967295", _machine.ReadSysctl(SysctlChange.MaxUnsentBytes));
            return Task.CompletedTask;
        });
    }

    [Fact]
    public async Task What_the_kernel_refuses_is_said_once_and_tried_again()
    {
        await StartAsync();
        _machine.OnStep = (_, isAfter) =>
        {
            if (!isAfter && _machine.AllEndpoints.Count == 2) throw new CommandException("kernel-refused", "no room");
        };
        _machine.Plug(FakeInterface.Uplink("usb0", 4, 700));
        Assert.Equal("failed: no room", await _watch.Report.NextAsync());
        _machine.Changed();
        _machine.Changed();
        _machine.OnStep = null;
        _machine.Plug(FakeInterface.Uplink("usb1", 5, 700));
        string[] both = [await _watch.Report.NextAsync(), await _watch.Report.NextAsync(), await _watch.Report.NextAsync()];
        Assert.Contains("added usb0 10.4.0.2", both);
    }

    [Fact]
    public async Task Named_interfaces_may_come_later_and_others_are_not_used()
    {
        _watch.Begin(_machine, ["usb0"]);
        while (await _watch.Report.NextAsync() != "following ") { }
        Assert.Empty(_machine.AllEndpoints);
        _machine.Plug(FakeInterface.Uplink("usb0", 4, 700));
        while (await _watch.Report.NextAsync() != "added usb0 10.4.0.2") { }
        Assert.Single(_machine.AllEndpoints);
    }

    [Fact]
    public async Task What_agents_set_up_is_undone_when_the_last_of_them_ends()
    {
        var before = _machine.Dump();
        _machine.Processes.UnionWith([11, 12]);
        await RunAgentAsync(11, () => RunAgentAsync(12, async () =>
        {
            Assert.Equal([11, 12], MultipathJournal.OfNamespace(_machine).Agents!);
            new MultipathEnabling(_machine).Leave(11);
            Assert.Equal(2, _machine.AllEndpoints.Count);
            await Task.CompletedTask;
        }));
        new MultipathEnabling(_machine).Leave(12);
        Assert.Equal(before, _machine.Dump());
    }

    [Fact]
    public async Task What_a_killed_agent_left_goes_with_the_next_one()
    {
        var before = _machine.Dump();
        await RunAgentAsync(11, () => Task.CompletedTask); // not among the processes any more
        Assert.Equal(2, _machine.AllEndpoints.Count);
        _machine.Processes.Add(12);
        await RunAgentAsync(12, () => Task.CompletedTask, additions: 0);
        new MultipathEnabling(_machine).Leave(12);
        Assert.Equal(before, _machine.Dump());
    }

    [Fact]
    public async Task What_a_user_enables_while_an_agent_runs_stays_at_the_agents_end()
    {
        _machine.Processes.Add(11);
        await RunAgentAsync(11, () => new MultipathEnabling(_machine).EnableAsync([], isPersistent: false, isDryRun: false, new WatchReport(), CancellationToken.None));
        new MultipathEnabling(_machine).Leave(11);
        Assert.Equal(2, _machine.AllEndpoints.Count);
        Assert.Equal("1", _machine.ReadSysctl("net.mptcp.enabled"));
    }

    [Fact]
    public async Task An_agent_uses_the_interfaces_that_were_named_and_nothing_where_nothing_was_enabled()
    {
        _watch.Begin(_machine, null);
        Assert.False(await _watch.Running.WaitAsync(Limit));
        Assert.Empty(_machine.AllEndpoints);
        await new MultipathEnabling(_machine).EnableAsync(["eth0"], isPersistent: false, isDryRun: false, new WatchReport(), CancellationToken.None);
        _machine.Processes.Add(11);
        await RunAgentAsync(11, () => Task.CompletedTask, additions: 0);
        _watch.Begin(_machine, null);
        Assert.Equal("following eth0", await _watch.Report.NextAsync());
        _machine.Plug(FakeInterface.Uplink("usb0", 4, 700));
        _machine["eth0"].HasCarrier = false;
        _machine.Changed();
        Assert.Equal("deleted eth0 10.2.0.2: no carrier", await _watch.Report.NextAsync());
        Assert.Empty(_machine.AllEndpoints);
    }

    [Fact]
    public async Task An_endpoint_that_another_process_of_this_program_brought_back_is_taken_away_with_its_network_all_the_same()
    {
        await StartAsync();
        _machine["wlan0"].HasCarrier = false;
        _machine.Changed();
        Assert.Equal("deleted wlan0 10.3.0.2: no carrier", await _watch.Report.NextAsync());
        _machine["wlan0"].HasCarrier = true; // and the other one sees it first
        var back = new EndpointChange(IPAddress.Parse("10.3.0.2"), "wlan0", 3);
        new MultipathSetup(_machine).Make(back, MultipathJournal.OfNamespace(_machine));
        _machine.Changed();
        _machine.Plug(FakeInterface.Uplink("usb0", 4, 700));
        while (await _watch.Report.NextAsync() != "added usb0 10.4.0.2") { }
        _machine["wlan0"].HasCarrier = false;
        _machine.Changed();
        Assert.Equal("deleted wlan0 10.3.0.2: no carrier", await _watch.Report.NextAsync());
    }

    [Fact]
    public async Task Without_the_right_it_does_not_begin()
    {
        _machine.MayChange = false;
        _watch.Begin(_machine, []);
        Assert.Equal("right-missing", (await Assert.ThrowsAsync<CommandException>(() => _watch.Running)).Code);
        Assert.Equal(0, _machine.Steps);
    }

    /// <summary>What an agent that is carried does until it is stopped, but for taking leave.</summary>
    private async Task RunAgentAsync(int process, Func<Task> meanwhile, int additions = 2)
    {
        var report = new WatchReport();
        using var stop = new CancellationTokenSource();
        var running = new MultipathWatch(_machine, null, report, TimeProvider.System, process).RunAsync(stop.Token);
        while (!(await report.NextAsync()).StartsWith("following", StringComparison.Ordinal)) { }
        while (additions > 0 && _machine.AllEndpoints.Count < 2) await report.NextAsync();
        await meanwhile();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    /// <param name="additions">How many endpoints it adds at first.</param>
    private async Task StartAsync(int additions = 2)
    {
        _watch.Begin(_machine, []);
        while (!(await _watch.Report.NextAsync()).StartsWith("following", StringComparison.Ordinal)) { }
        while (additions > 0)
            if ((await _watch.Report.NextAsync()).StartsWith("added", StringComparison.Ordinal))
                additions--;
    }

    private void Disable() => new MultipathEnabling(_machine).Disable((_, _) => { }, CancellationToken.None);
}

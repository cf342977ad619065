using System.Net;
using Bondline.Cli.Multipath;
using Bondline.Linux;
using Xunit;

namespace Bondline.Cli.Tests.Multipath;

public sealed class MultipathEnablingTests
{
    /// <summary>Machines on which every kind of change has to be made.</summary>
    public static TheoryData<string, bool> Machines => new() { { "plain", false }, { "plain", true }, { "managed", true }, { "mixed", true }, { "legacy", false } };

    [Theory]
    [MemberData(nameof(Machines))]
    public async Task Disabling_restores_everything(string kind, bool isPersistent)
    {
        var machine = Machine(kind);
        var before = machine.Dump();
        await EnableAsync(machine, isPersistent);
        Assert.NotEqual(before, machine.Dump());
        Disable(machine);
        Assert.Equal(before, machine.Dump());
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public async Task Interrupted_at_any_step_it_is_undone_as_well(string kind, bool isPersistent)
    {
        var steps = await CountAsync(kind, isPersistent);
        for (var stop = 0; stop < steps; stop++)
        {
            foreach (var isAfter in (bool[])[false, true])
            {
                var machine = Machine(kind);
                var before = machine.Dump();
                StopAt(machine, stop, isAfter);
                await Assert.ThrowsAsync<StoppedException>(() => EnableAsync(machine, isPersistent));
                machine.OnStep = null;
                Disable(machine);
                Assert.Equal(before, machine.Dump());
            }
        }
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public async Task Refused_at_any_step_everything_before_it_is_undone_at_once(string kind, bool isPersistent)
    {
        var steps = await CountAsync(kind, isPersistent);
        for (var refused = 0; refused < steps; refused++)
        {
            var machine = Machine(kind);
            var before = machine.Dump();
            var step = refused;
            machine.OnStep = (number, isAfter) =>
            {
                if (number == step && !isAfter) throw new CommandException("kernel-refused", "no");
            };
            await Assert.ThrowsAsync<CommandException>(() => EnableAsync(machine, isPersistent));
            Assert.Equal(before, machine.Dump());
        }
    }

    [Theory]
    [InlineData("plain", false)]
    [InlineData("plain", true)]
    [InlineData("managed", true)]
    [InlineData("managed", false)]
    [InlineData("mixed", true)]
    [InlineData("mixed", false)]
    public async Task Refused_at_any_step_what_was_enabled_before_stays(string kind, bool wasPersistent)
    {
        for (var refused = 0; ; refused++)
        {
            var machine = Machine(kind);
            var fresh = machine.Dump();
            await EnableAsync(machine, wasPersistent, "eth0", "wlan0");
            var before = Sorted(machine);
            var step = machine.Steps + refused;
            machine.OnStep = (number, isAfter) =>
            {
                if (number == step && !isAfter) throw new CommandException("kernel-refused", "no");
            };
            try
            {
                await EnableAsync(machine, isPersistent: true);
                Assert.InRange(refused, 5, 200); // all were refused once
                return;
            }
            catch (CommandException)
            {
                Assert.Equal(before, Sorted(machine));
            }

            Disable(machine);
            Assert.Equal(fresh, machine.Dump());
        }

        // Two changes of one kind are undone in any order.
        static IEnumerable<string> Sorted(FakeMachine machine) => machine.Dump().Split('\n').Select(line => line.TrimEnd(',')).Order(StringComparer.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Machines))]
    public async Task Disabling_may_be_interrupted_and_done_again(string kind, bool isPersistent)
    {
        var counted = Machine(kind);
        await EnableAsync(counted, isPersistent);
        var enabling = counted.Steps;
        Disable(counted);
        for (var stop = enabling; stop < counted.Steps; stop++)
        {
            foreach (var isAfter in (bool[])[false, true])
            {
                var machine = Machine(kind);
                var before = machine.Dump();
                await EnableAsync(machine, isPersistent);
                StopAt(machine, stop, isAfter);
                Assert.Throws<StoppedException>(() => Disable(machine));
                machine.OnStep = null;
                Disable(machine);
                Assert.Equal(before, machine.Dump());
            }
        }
    }

    [Fact]
    public async Task Enabled_twice_with_another_network_in_between_it_is_all_undone()
    {
        var machine = Machine("plain");
        var before = machine.Dump();
        await EnableAsync(machine, isPersistent: false);
        var first = machine.Dump();
        await EnableAsync(machine, isPersistent: false);
        Assert.Equal(first, machine.Dump());
        foreach (var index in (int[])[7, 8]) machine.Plug(FakeInterface.Uplink($"usb{index}", index, 900));
        Assert.Equal(3, (await EnableAsync(machine, isPersistent: false)).Changes); // two endpoints, limits
        foreach (var index in (int[])[7, 8]) machine.Unplug($"usb{index}");
        Disable(machine);
        Assert.Equal(before, machine.Dump());
    }

    [Fact]
    public async Task After_a_restart_what_stayed_is_undone_and_what_the_kernel_forgot_is_not()
    {
        foreach (var kind in (string[])["plain", "managed", "mixed"])
        {
            var machine = Machine(kind);
            var restarted = Machine(kind);
            restarted.Restart();
            await EnableAsync(machine, isPersistent: true);
            machine.Restart();
            Assert.Equal("1", machine.ReadSysctl("net.mptcp.enabled"));
            machine.SetLimits(new(3, 1)); // somebody else's since
            restarted.SetLimits(new(3, 1));
            Disable(machine);
            Assert.Equal(restarted.Dump(), machine.Dump());
        }
    }

    [Fact]
    public async Task Settings_that_were_changed_before_they_are_kept_are_undone_after_a_restart_too()
    {
        var machine = Machine("plain");
        await EnableAsync(machine, isPersistent: false);
        await EnableAsync(machine, isPersistent: true);
        machine.Restart();
        Assert.Equal(("1", "2"), (machine.ReadSysctl("net.mptcp.enabled"), machine.ReadSysctl("net.ipv4.conf.eth0.rp_filter")));
        Disable(machine);
        Assert.Equal(("0", "1"), (machine.ReadSysctl("net.mptcp.enabled"), machine.ReadSysctl("net.ipv4.conf.eth0.rp_filter")));
        Assert.Empty(machine.Files);
    }

    [Fact]
    public async Task What_somebody_changed_since_is_left_as_it_is()
    {
        var machine = Machine("plain");
        await EnableAsync(machine, isPersistent: true);
        machine.Set("net.ipv4.conf.eth0.rp_filter", "0");
        machine.SetLimits(new(8, 0));
        machine.RemoveEndpoint(IPAddress.Parse("10.2.0.2"));
        machine.SetEndpoint(new(0, IPAddress.Parse("10.2.0.2"), 0, MultipathEndpointFlags.Subflow | MultipathEndpointFlags.Backup, 2));
        machine.SetFile(MultipathFiles.Settings, "net.mptcp.enabled = 0\n");
        var outcomes = Disable(machine);
        Assert.Equal("0", machine.ReadSysctl("net.ipv4.conf.eth0.rp_filter"));
        Assert.Equal(8, machine.Limits().Subflows);
        Assert.Equal(IPAddress.Parse("10.2.0.2"), Assert.Single(machine.AllEndpoints).Address);
        Assert.Equal([MultipathFiles.Settings], machine.Files.Keys);
        Assert.Equal(4, outcomes.Count(outcome => outcome == UndoOutcome.Left));
    }

    [Fact]
    public async Task A_dry_run_says_the_same_and_changes_nothing()
    {
        foreach (var (kind, isPersistent) in Machines.Select(row => row.Data))
        {
            var machine = Machine(kind);
            var said = new Report();
            var would = await new MultipathEnabling(machine).EnableAsync([], isPersistent, isDryRun: true, said, CancellationToken.None);
            Assert.Equal(0, machine.Steps);
            var made = new Report();
            Assert.Equal(would.Changes, (await new MultipathEnabling(machine).EnableAsync([], isPersistent, isDryRun: false, made, CancellationToken.None)).Changes);
            Assert.Equal(made.Commands, said.Commands);
        }
    }

    [Fact]
    public async Task A_service_runs_the_watch_and_follows_what_is_named()
    {
        var machine = Machine("plain");
        await EnableAsync(machine, isPersistent: true);
        Assert.Contains("\nExecStart=/usr/local/bin/bondline mptcp watch\n", machine.Files[MultipathFiles.Unit], StringComparison.Ordinal);
        Assert.Contains("net.mptcp.enabled = 1\n-net.ipv4.conf.eth0.rp_filter = 2\n", machine.Files[MultipathFiles.Settings], StringComparison.Ordinal);
        Assert.Equal(["systemctl daemon-reload", "systemctl enable bondline-mptcp.service", "systemctl start bondline-mptcp.service"], machine.Commands);
        await new MultipathEnabling(machine).EnableAsync(["eth0", "eth1"], isPersistent: true, isDryRun: false, new Report(), CancellationToken.None);
        Assert.Contains("mptcp watch eth0 eth1\n", machine.Files[MultipathFiles.Unit], StringComparison.Ordinal);
        var before = Machine("plain").Dump();
        Disable(machine);
        Assert.Equal(before, machine.Dump());
    }

    [Fact]
    public async Task NetworkManager_keeps_the_endpoints_of_what_it_manages_and_no_service_does()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2), FakeInterface.Uplink("wlan0", 3, 600));
        var (ethernet, wifi) = (machine.Manage("eth0"), machine.Manage("wlan0", "0x62")); // a backup already
        await EnableAsync(machine, isPersistent: true);
        Assert.Equal(("0x22", "0x62"), (machine.FlagsOf(ethernet), machine.FlagsOf(wifi)));
        Assert.Equal([$"nmcli connection modify {ethernet} connection.mptcp-flags 0x22", "nmcli device reapply eth0"], machine.Commands);
        Assert.DoesNotContain(MultipathFiles.Unit, machine.Files.Keys);
        Assert.Equal(["10.2.0.2"], machine.AllEndpoints.Select(endpoint => endpoint.Address.ToString()));
        Disable(machine);
        Assert.Equal(("0x0", "0x62"), (machine.FlagsOf(ethernet), machine.FlagsOf(wifi)));
        Assert.Empty(machine.AllEndpoints);
        Assert.Empty(machine.Files);
    }

    [Fact]
    public async Task What_NetworkManager_applies_again_keeps_the_route_that_an_interface_was_given()
    {
        var machine = Machine("managed");
        await EnableAsync(machine, isPersistent: true);
        Assert.Equal("0x2a", machine.FlagsOf(machine["eth2"].Connection!));
        Assert.Contains(machine.Picture().Single(state => state.Link.Name == "eth2").Routes, route => route.IsDefault);
    }

    [Fact]
    public async Task An_endpoint_that_NetworkManager_kept_before_is_never_taken_away()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2), FakeInterface.Uplink("wlan0", 3, 600));
        machine.Set("net.mptcp.enabled", "1");
        foreach (var name in (string[])["eth0", "wlan0"])
        {
            machine.Manage(name);
            machine.Run("nmcli", "device", "reapply", name);
        }

        var before = machine.AllEndpoints.ToList();
        Assert.Equal(2, before.Count);
        await EnableAsync(machine, isPersistent: true);
        Assert.Equal("0x22", machine.FlagsOf(machine["eth0"].Connection!));
        Disable(machine);
        Assert.Equal("0x0", machine.FlagsOf(machine["eth0"].Connection!));
        Assert.Equal(before, machine.AllEndpoints); // their numbers included: connections keep their subflows
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("managed")]
    [InlineData("mixed")]
    public async Task A_service_that_does_not_start_is_said_in_its_words_and_all_is_as_before(string kind)
    {
        var machine = Machine(kind);
        var before = machine.Dump();
        machine.ServiceStatus = "cannot follow the networks: it needs the right CAP_NET_ADMIN (right-missing)";
        machine.OnServiceStart = () =>
        {
            Add(machine, "10.3.0.77"); // so far it got
            throw new CommandException("right-missing", "");
        };
        var refused = await Assert.ThrowsAsync<CommandException>(() => EnableAsync(machine, isPersistent: true));
        Assert.Equal("service-refused", refused.Code);
        Assert.Equal("bondline-mptcp.service does not start: cannot follow the networks: it needs the right CAP_NET_ADMIN (right-missing)", refused.Message);
        Assert.Contains("journalctl -u bondline-mptcp.service", refused.Next, StringComparison.Ordinal);
        Assert.Equal(before, machine.Dump());

        machine.ServiceStatus = null;
        Assert.EndsWith("does not start: Job for bondline-mptcp.service failed because the control process exited with error code", (await Assert.ThrowsAsync<CommandException>(() => EnableAsync(machine, isPersistent: true))).Message, StringComparison.Ordinal);
        Assert.Equal(before, machine.Dump());
    }

    [Fact]
    public async Task What_a_service_that_failed_had_changed_is_undone_with_what_was_enabled_before()
    {
        var machine = Machine("plain");
        var fresh = machine.Dump();
        await EnableAsync(machine, isPersistent: false);
        machine.Plug(FakeInterface.Uplink("usb0", 7, 900)); // for which the command writes there too
        machine.OnServiceStart = () =>
        {
            Add(machine, "10.3.0.77");
            throw new CommandException("kernel-refused", "");
        };
        await Assert.ThrowsAsync<CommandException>(() => EnableAsync(machine, isPersistent: true));
        machine.Unplug("usb0");
        Assert.Equal([MultipathFiles.JournalOf(machine.NamespaceName)], machine.Files.Keys);
        Assert.Contains(machine.AllEndpoints, endpoint => endpoint.Address.Equals(IPAddress.Parse("10.3.0.77")));
        Disable(machine);
        Assert.Equal(fresh, machine.Dump());
    }

    [Fact]
    public async Task Disabled_while_the_service_starts_it_stays_disabled()
    {
        var machine = Machine("plain");
        var fresh = machine.Dump();
        await new MultipathEnabling(machine).EnableAsync(["eth0", "eth1"], isPersistent: true, isDryRun: false, new Report(), CancellationToken.None);
        machine.OnServiceStart = () =>
        {
            Disable(machine);
            throw new CommandException("kernel-refused", "");
        };
        await Assert.ThrowsAsync<CommandException>(() => EnableAsync(machine, isPersistent: true));
        Assert.Equal(fresh, machine.Dump());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_unit_of_an_earlier_version_is_known_and_undone(bool isReplaced)
    {
        var machine = Machine("plain");
        var fresh = machine.Dump();
        await EnableAsync(machine, isPersistent: true);
        var unit = machine.Files[MultipathFiles.Unit];
        var earlier = unit.Replace("Type=notify\nNotifyAccess=main\n", "Type=exec\n", StringComparison.Ordinal).Replace("TimeoutStartSec=60\n", "", StringComparison.Ordinal);
        Assert.NotEqual(unit, earlier);
        machine.SetFile(MultipathFiles.Unit, earlier);
        MultipathJournal.Persistent(machine).Replace(new ServiceChange(unit), new ServiceChange(earlier));
        if (isReplaced)
        {
            Assert.Equal(1, (await EnableAsync(machine, isPersistent: true)).Changes);
            Assert.Equal(unit, machine.Files[MultipathFiles.Unit]);
        }

        Disable(machine);
        Assert.Equal(fresh, machine.Dump());
    }

    [Theory]
    [InlineData("no-systemd", "service-refused")]
    [InlineData("program", "service-refused")]
    [InlineData("namespace", "service-refused")]
    [InlineData("unit", "service-refused")]
    [InlineData("drop-in", "service-refused")]
    [InlineData("mptcpd", "mptcp-managed")]
    [InlineData("right", "right-missing")]
    [InlineData("kernel", "mptcp-missing")]
    public async Task What_cannot_be_is_refused_before_anything_is_changed(string problem, string code)
    {
        var machine = Machine("plain");
        switch (problem)
        {
            case "no-systemd": machine.Managers = new(); break;
            case "program": machine.Program = new("/home/a/bondline", "others may change it"); break;
            case "namespace": machine.IsNamespaceOfServices = false; break;
            case "unit": machine.SetFile(MultipathFiles.Unit, "[Unit]\n"); break;
            case "drop-in": machine.SetFile(MultipathFiles.Settings, "# mine\n"); break;
            case "mptcpd": machine.Managers = machine.Managers with { IsMptcpdRunning = true }; break;
            case "right": machine.MayChange = false; break;
            case "kernel":
                machine.Defaults.Clear();
                machine.Restart();
                break;
        }

        var before = machine.Dump();
        var refused = await Assert.ThrowsAsync<CommandException>(() => EnableAsync(machine, isPersistent: true));
        Assert.Equal(code, refused.Code);
        Assert.Equal(before, machine.Dump());
        Assert.Empty(machine.Commands);
    }

    [Fact]
    public async Task An_endpoint_that_somebody_else_added_a_moment_before_stays_theirs()
    {
        var machine = Machine("plain");
        var theirs = new MultipathEndpoint(0, IPAddress.Parse("10.5.0.2"), 0, MultipathEndpointFlags.Subflow, 5);
        machine.OnStep = (_, isAfter) =>
        {
            if (isAfter || machine.AllEndpoints.Count == 0) return;
            machine.OnStep = null;
            machine.SetEndpoint(theirs);
            throw new CommandException("endpoint-exists", "there is one");
        };
        await Assert.ThrowsAsync<CommandException>(() => EnableAsync(machine, isPersistent: false));
        Assert.Contains(machine.AllEndpoints, endpoint => endpoint.Address.Equals(theirs.Address));
    }

    [Fact]
    public async Task What_cannot_be_undone_stays_written_down_and_the_rest_is_undone()
    {
        var machine = Machine("plain");
        var before = machine.Dump();
        await EnableAsync(machine, isPersistent: false);
        var first = machine.Steps;
        machine.OnStep = (number, isAfter) =>
        {
            if (number == first && !isAfter) throw new CommandException("kernel-refused", "not now");
        };
        Assert.Equal("kernel-refused", Assert.Throws<CommandException>(() => Disable(machine)).Code);
        Assert.Single(machine.Files);
        machine.OnStep = null;
        Disable(machine);
        Assert.Equal(before, machine.Dump());
    }

    private static FakeMachine Machine(string kind)
    {
        FakeInterface[] interfaces =
        [
            new("lo", 1, "127.0.0.1"),
            new("eth0", 2, "10.2.0.2", "2001:db8:2::2") { Defaults = [("10.2.0.1", 100), ("fe80::1", 100)], ReplyFilter = "1" },
            FakeInterface.Uplink("eth1", 3, 200),
            new("eth2", 4, "10.4.0.2") { NarrowGateway = "10.4.0.1", ReplyFilter = "1" },
            FakeInterface.Uplink("wlan0", 5, 600),
        ];
        var machine = new FakeMachine(interfaces);
        if (kind is "managed")
            foreach (var each in interfaces.Skip(1))
                machine.Manage(each.Name);
        if (kind is "mixed") machine.Manage("eth0");
        if (kind is "legacy")
        {
            machine.Set("net.mptcp.path_manager", "userspace");
            machine.Set("net.mptcp.pm_type", "1");
            machine.SetEndpoint(new(0, IPAddress.Parse("10.3.0.2"), 0, MultipathEndpointFlags.Subflow, 0));
        }

        return machine;
    }

    // What the service does beside: it reads what is written down, and writes to it.
    private static void Add(FakeMachine machine, string address) =>
        new MultipathSetup(machine).Make(new EndpointChange(IPAddress.Parse(address), "eth1", 3), MultipathJournal.OfNamespace(machine));

    private static async Task<int> CountAsync(string kind, bool isPersistent)
    {
        var machine = Machine(kind);
        await EnableAsync(machine, isPersistent);
        Assert.InRange(machine.Steps, 10, 200);
        return machine.Steps;
    }

    private static void StopAt(FakeMachine machine, int stop, bool after) => machine.OnStep = (number, isAfter) =>
    {
        if (number > stop || number == stop && isAfter == after) throw new StoppedException();
    };

    private static Task<EnablingResult> EnableAsync(FakeMachine machine, bool isPersistent, params string[] names) =>
        new MultipathEnabling(machine).EnableAsync(names, isPersistent, isDryRun: false, new Report(), CancellationToken.None);

    private static List<UndoOutcome> Disable(FakeMachine machine)
    {
        var outcomes = new List<UndoOutcome>();
        new MultipathEnabling(machine).Disable((_, result) => outcomes.Add(result.Outcome), CancellationToken.None);
        return outcomes;
    }

    private sealed class StoppedException : Exception;

    private sealed class Report : IMultipathReport
    {
        public List<string> Commands { get; } = [];

        public void Changing(MultipathChange change) => Commands.Add(change.Command);

        public void Remark(MultipathChange change, string remark) { }
    }
}

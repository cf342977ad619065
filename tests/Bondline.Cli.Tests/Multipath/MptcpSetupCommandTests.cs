using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Bondline.Cli.Multipath;
using Bondline.Linux;
using Xunit;

namespace Bondline.Cli.Tests.Multipath;

/// <summary><c>bondline mptcp status</c>, <c>enable</c>, <c>disable</c> and <c>watch</c> as their user sees them.</summary>
public sealed class MptcpSetupCommandTests
{
    private readonly FakeMachine _machine = new(FakeInterface.Uplink("eth0", 2), FakeInterface.Uplink("wlan0", 3, 600), new("eth1", 4, "10.4.0.2"));

    [Fact]
    public async Task Enable_prints_each_change_with_its_undoing_and_what_is_left_out()
    {
        await using var host = new TestHost { Machine = _machine };
        Assert.Equal(0, await host.RunAsync("mptcp", "enable"));
        Assert.Equal(
            """
            Let programs make MPTCP sockets
                sysctl -w net.mptcp.enabled=1
                undo: sysctl -w net.mptcp.enabled=0
            Let connections use eth0, from 10.2.0.2
                ip mptcp endpoint add 10.2.0.2 dev eth0 subflow
                undo: ip mptcp endpoint delete id ID (the one with 10.2.0.2)
            Let connections use wlan0, from 10.3.0.2
                ip mptcp endpoint add 10.3.0.2 dev wlan0 subflow
                undo: ip mptcp endpoint delete id ID (the one with 10.3.0.2)

            """,
            host.Output);
        Assert.Contains("eth1 is left out: no route into the world, and nothing says which router on it leads there (ip route add default via ROUTER dev eth1 metric 1100)\n", host.Error, StringComparison.Ordinal);
        Assert.Contains("3 changes made; \"bondline mptcp disable\" undoes them.", host.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_json_every_line_is_an_object()
    {
        await using var host = new TestHost { Machine = _machine };
        Assert.Equal(0, await host.RunAsync("mptcp", "enable", "--json"));
        Assert.Equal(0, await host.RunAsync("mptcp", "disable", "--json"));
        var events = host.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(
            ["change", "change", "change", "interface", "interface", "interface", "undo", "undo", "undo"],
            events.Select(line => line.GetProperty("event").GetString()));
        Assert.Equal("sysctl -w net.mptcp.enabled=0", events[0].GetProperty("undo").GetString());
        Assert.Equal("no-route", events[5].GetProperty("reason").GetString());
        Assert.Equal("undone", events[8].GetProperty("outcome").GetString());
        Assert.Empty(host.Error);
    }

    [Fact]
    public async Task A_dry_run_says_that_nothing_was_changed()
    {
        await using var host = new TestHost { Machine = _machine };
        _machine.MayChange = false; // it needs no right
        Assert.Equal(0, await host.RunAsync("mptcp", "enable", "--dry-run"));
        Assert.Contains("3 changes would be made; nothing was changed.", host.Error, StringComparison.Ordinal);
        Assert.Equal(0, _machine.Steps);
    }

    [Fact]
    public async Task Disable_where_nothing_was_enabled_says_so()
    {
        await using var host = new TestHost { Machine = _machine };
        Assert.Equal(0, await host.RunAsync("mptcp", "disable"));
        Assert.Contains("has changed nothing here", host.Error, StringComparison.Ordinal);
        Assert.Equal(0, _machine.Steps);
    }

    [Fact]
    public async Task An_interface_that_is_not_there_is_a_mistake()
    {
        await using var host = new TestHost { Machine = _machine };
        Assert.Equal(2, await host.RunAsync("mptcp", "enable", "eth9"));
        Assert.Contains("there is no interface \"eth9\" (usage). Name those that \"ip link\" shows: eth0, wlan0, eth1", host.Error, StringComparison.Ordinal);
        Assert.Equal(0, _machine.Steps);
    }

    [Fact]
    public async Task Status_before_and_after_enable_without_any_right()
    {
        await using var host = new TestHost { Machine = _machine };
        Assert.Equal(1, await host.RunAsync("mptcp", "status", "--json"));
        await using var user = new TestHost { Machine = _machine };
        await new MultipathEnabling(_machine).EnableAsync([], isPersistent: false, isDryRun: false, new MultipathReport(user.Host, isJson: true, isQuiet: true), CancellationToken.None);
        _machine.MayChange = false;
        Assert.Equal(0, await host.RunAsync("mptcp", "status", "--json"));
        var lines = host.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(("mptcp-off", false), (lines[0].GetProperty("code").GetString(), lines[0].GetProperty("works").GetBoolean()));
        Assert.Contains("ip mptcp endpoint add 10.3.0.2 dev wlan0 subflow", lines[0].GetProperty("missing").EnumerateArray().Select(missing => missing.TryGetProperty("command", out var command) ? command.GetString() : null));
        Assert.True(lines[1].GetProperty("works").GetBoolean());
        Assert.False(lines[1].TryGetProperty("code", out _));
        Assert.Equal(["eth0", "wlan0"], lines[1].GetProperty("networks").EnumerateArray().Select(name => name.GetString()));
        Assert.True(lines[1].GetProperty("isEnabledByBondline").GetBoolean());
        Assert.Equal("wlan0", lines[1].GetProperty("endpoints")[1].GetProperty("interface").GetString());
    }

    [Fact]
    public async Task Status_says_in_words_what_is_missing_and_what_attackers_can_do()
    {
        _machine.Set("net.mptcp.enabled", "1");
        _machine.SetEndpoint(new(0, IPAddress.Parse("10.2.0.2"), 0, MultipathEndpointFlags.Subflow, 2));
        _machine.SetEndpoint(new(0, IPAddress.Parse("10.9.0.2"), 0, MultipathEndpointFlags.Subflow, 3));
        await using var host = new TestHost { Machine = _machine };
        Assert.Equal(1, await host.RunAsync("mptcp", "status"));
        Assert.Contains("MPTCP is on, but would use one network only (mptcp-incomplete).", host.Output, StringComparison.Ordinal);
        Assert.Contains("- No connection uses wlan0 beside another network: it has no endpoint for 10.3.0.2.\n      ip mptcp endpoint add 10.3.0.2 dev wlan0 subflow\n", host.Output, StringComparison.Ordinal);
        Assert.Contains("- Endpoint 2 is for 10.9.0.2, which no interface has.\n      ip mptcp endpoint delete id 2\n", host.Output, StringComparison.Ordinal);
        Assert.Contains("net.mptcp.blackhole_timeout=60", host.Output, StringComparison.Ordinal);
        Assert.Contains("MPTCP sends its keys in the clear", host.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("4294967295", true)] // the kernel's own
    [InlineData("131072", false)]
    public async Task What_waits_unsent_without_a_limit_is_no_fault_but_worth_advice(string limit, bool isAdvised)
    {
        await new MultipathEnabling(_machine).EnableAsync([], isPersistent: false, isDryRun: false, new Silent(), CancellationToken.None);
        _machine.Set("net.ipv4.tcp_notsent_lowat", limit);
        await using var host = new TestHost { Machine = _machine };
        Assert.Equal(0, await host.RunAsync("mptcp", "status"));
        Assert.Equal(isAdvised, host.Output.Contains("sysctl -w net.ipv4.tcp_notsent_lowat=131072", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Status_judges_by_what_would_work()
    {
        await new MultipathEnabling(_machine).EnableAsync([], isPersistent: false, isDryRun: false, new Silent(), CancellationToken.None);
        Assert.Null(Judge());
        _machine.SetLimits(new(0, 0));
        Assert.Equal("mptcp-incomplete", Judge());
        _machine.SetLimits(new(2, 0));
        _machine.Set("net.ipv4.conf.wlan0.rp_filter", "1");
        Assert.Equal("mptcp-incomplete", Judge());
        _machine.Set("net.ipv4.conf.wlan0.rp_filter", "2");
        _machine["wlan0"].HasCarrier = false;
        Assert.Equal("mptcp-incomplete", Judge());
        _machine["wlan0"].HasCarrier = true;
        _machine.Set("net.mptcp.path_manager", "userspace");
        Assert.Equal("mptcp-incomplete", Judge());
        _machine.Managers = _machine.Managers with { IsMptcpdRunning = true };
        Assert.Null(Judge()); // its business
        _machine.Defaults.Clear();
        _machine.Restart();
        Assert.Equal("mptcp-missing", Judge());

        string? Judge() => MultipathStatus.Make(_machine.ReadFacts(_machine.Picture()), []).Code;
    }

    [Theory]
    [InlineData("enable")]
    [InlineData("watch")]
    [InlineData("status")]
    public async Task A_kernel_without_MPTCP_is_said_to_have_none(string command)
    {
        _machine.Defaults.Clear();
        _machine.Restart();
        await using var host = new TestHost { Machine = _machine };
        Assert.Equal(1, await host.RunAsync("mptcp", command));
        Assert.Contains("mptcp-missing", host.Output + host.Error, StringComparison.Ordinal);
        Assert.Equal(0, _machine.Steps);
    }

    [Theory]
    [InlineData("enable")]
    [InlineData("disable")]
    [InlineData("watch")]
    public async Task Without_the_right_nothing_is_changed_and_the_right_is_named(string command)
    {
        _machine.MayChange = false;
        await using var host = new TestHost { Machine = _machine };
        Assert.Equal(1, await host.RunAsync("mptcp", command));
        Assert.Contains("CAP_NET_ADMIN (right-missing). Run it with sudo", host.Error, StringComparison.Ordinal);
        Assert.Equal(0, _machine.Steps);
    }

    [Fact]
    public async Task Watch_tells_what_happens_and_ends_on_a_signal()
    {
        await using var host = new TestHost { Machine = _machine };
        host.Start("mptcp", "watch", "--json");
        await host.LineAsync("""{"event":"endpoint","action":"added","interface":"wlan0","address":"10.3.0.2"}""");
        _machine["wlan0"].HasCarrier = false;
        _machine.Changed();
        await host.LineAsync("""{"event":"endpoint","action":"deleted","interface":"wlan0","address":"10.3.0.2","reason":"carrier","detail":"no carrier"}""");
        Assert.Equal(0, await host.StopAsync());
        Assert.Contains("the endpoints stay as they are", host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watch_tells_systemd_when_it_has_done_what_there_is_to_do_and_its_children_not_whom()
    {
        using var manager = new ManagerSocket();
        Environment.SetEnvironmentVariable("NOTIFY_SOCKET", manager.Address);
        await using var host = new TestHost { Machine = _machine, Environment = { ["NOTIFY_SOCKET"] = manager.Address } };
        host.Start("mptcp", "watch");
        Assert.Equal("READY=1", await manager.HeardAsync());
        Assert.Equal(2, _machine.AllEndpoints.Count);
        Assert.Null(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"));
        Assert.Equal(0, await host.StopAsync());
    }

    [Fact]
    public async Task Watch_tells_systemd_why_it_does_not_begin()
    {
        using var manager = new ManagerSocket();
        await using var host = new TestHost { Machine = _machine, Environment = { ["NOTIFY_SOCKET"] = manager.Address } };
        _machine.MayChange = false;
        Assert.Equal(1, await host.RunAsync("mptcp", "watch"));
        Assert.Equal("STATUS=cannot follow the networks: it needs the right CAP_NET_ADMIN (right-missing)", await manager.HeardAsync());
    }

    [Fact]
    public async Task A_damaged_journal_is_said_and_not_acted_on()
    {
        _machine.SetFile(MultipathFiles.JournalOf(_machine.NamespaceName), """{"version":1,"changes":[{"kind":"sysctl","name":"kernel.core_pattern","value":"a","was":"b"}]}""");
        await using var host = new TestHost { Machine = _machine };
        Assert.Equal(1, await host.RunAsync("mptcp", "disable"));
        Assert.Contains("(data-unusable)", host.Error, StringComparison.Ordinal);
        Assert.Equal(0, _machine.Steps);
    }

    [Fact]
    public async Task Status_shows_everything_beside_a_damaged_journal_and_names_it()
    {
        await new MultipathEnabling(_machine).EnableAsync([], isPersistent: false, isDryRun: false, new Silent(), CancellationToken.None);
        var path = MultipathFiles.JournalOf(_machine.NamespaceName);
        _machine.SetFile(path, "{");
        _machine.SetFile(MultipathFiles.PersistentJournal, "[]");
        await using var host = new TestHost { Machine = _machine };
        Assert.Equal(0, await host.RunAsync("mptcp", "status")); // its own verdict
        Assert.Contains("Multipath works from here: new connections use eth0 and wlan0", host.Output, StringComparison.Ordinal);
        Assert.Contains($"Advice\n  - {path} does not say what was changed", host.Output, StringComparison.Ordinal);
        Assert.Contains($"then delete {path}.\n", host.Output, StringComparison.Ordinal);
        Assert.Contains($"  - {MultipathFiles.PersistentJournal} does not say what was changed", host.Output, StringComparison.Ordinal);
        Assert.Contains("10.3.0.2", host.Output, StringComparison.Ordinal);
        Assert.Empty(host.Error);
        _machine.Set("net.mptcp.enabled", "0");
        await using var user = new TestHost { Machine = _machine };
        Assert.Equal(1, await user.RunAsync("mptcp", "status", "--json"));
        var line = JsonDocument.Parse(user.Output).RootElement;
        Assert.Equal("mptcp-off", line.GetProperty("code").GetString());
        Assert.Contains("(data-unusable)", line.GetProperty("advice")[0].GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.True(line.GetProperty("isEnabledByBondline").GetBoolean());
    }

    private sealed class ManagerSocket : IDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-notify-");
        private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);

        public ManagerSocket() => _socket.Bind(new UnixDomainSocketEndPoint(Address));

        public string Address => Path.Combine(_folder.FullName, "socket");

        public async Task<string> HeardAsync()
        {
            using var late = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            var buffer = new byte[1000];
            return Encoding.UTF8.GetString(buffer, 0, await _socket.ReceiveAsync(buffer, SocketFlags.None, late.Token));
        }

        public void Dispose()
        {
            _socket.Dispose();
            _folder.Delete(recursive: true);
        }
    }

    private sealed class Silent : IMultipathReport
    {
        public void Changing(MultipathChange change) { }

        public void Remark(MultipathChange change, string remark) { }
    }
}

using System.Net;
using Bondline.Cli.Multipath;
using Xunit;

namespace Bondline.Cli.Tests.Multipath;

/// <summary>Networks that change for a long time while they are followed.</summary>
public sealed class MultipathChurnTests : IAsyncDisposable
{
    private readonly RunningWatch _watch = new();

    public ValueTask DisposeAsync() => _watch.DisposeAsync();

    [Fact]
    public async Task With_all_endpoints_in_use_a_new_address_takes_the_place_of_the_old_one_at_once()
    {
        var machine = new FakeMachine([.. Enumerable.Range(2, 4).Select(index => DualStack(index))]);
        await FollowAsync(machine, "added eth5 2001:db8:5::2");
        Assert.Equal(8, machine.AllEndpoints.Count);
        machine["eth5"].Addresses = ["10.5.0.2", "2001:db8:5::99"]; // a new privacy address
        machine.Changed();
        Assert.Equal("deleted eth5 2001:db8:5::2: the interface has another address now", await _watch.Report.NextAsync());
        Assert.Equal("added eth5 2001:db8:5::99", await _watch.Report.NextAsync());
        Assert.Equal(8, machine.AllEndpoints.Count);
    }

    [Fact]
    public async Task With_all_endpoints_in_use_a_network_that_waits_takes_the_place_of_a_lost_one_at_once()
    {
        var machine = new FakeMachine([.. Enumerable.Range(2, 4).Select(index => DualStack(index)), FakeInterface.Uplink("usb0", 6, 700)]);
        await FollowAsync(machine, "added eth4 2001:db8:4::2");
        Assert.Equal(8, machine.AllEndpoints.Count);
        machine.Unplug("eth2");
        Assert.Equal("deleted eth2 10.2.0.2: the interface is gone", await _watch.Report.NextAsync());
        Assert.Equal("deleted eth2 2001:db8:2::2: the interface is gone", await _watch.Report.NextAsync());
        Assert.Equal("added eth5 2001:db8:5::2", await _watch.Report.NextAsync());
    }

    [Theory]
    [InlineData("kernel-refused")]
    [InlineData("right-missing")]
    public async Task An_endpoint_that_could_not_be_deleted_stays_written_down_and_is_deleted_later(string code)
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2), FakeInterface.Uplink("wlan0", 3, 600));
        await FollowAsync(machine, "added wlan0 10.3.0.2");
        machine.OnStep = (_, _) => throw new CommandException(code, "not now");
        machine["wlan0"].HasCarrier = false;
        machine.Changed();
        Assert.Equal("failed: not now", await _watch.Report.NextAsync());
        machine.OnStep = null;
        machine.Plug(FakeInterface.Uplink("usb0", 4, 700));
        Assert.Equal("deleted wlan0 10.3.0.2: no carrier", await _watch.Report.NextAsync());
        Assert.Equal("added usb0 10.4.0.2", await _watch.Report.NextAsync());
        Assert.Equal(["eth0", "usb0"], MultipathJournal.OfNamespace(machine).Changes.OfType<EndpointChange>().Select(change => change.Interface));
    }

    [Fact]
    public async Task An_endpoint_that_somebody_else_deleted_at_the_same_moment_is_forgotten()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2), FakeInterface.Uplink("wlan0", 3, 600));
        await FollowAsync(machine, "added wlan0 10.3.0.2");
        machine.OnStep = (_, _) => machine.RemoveEndpoint(IPAddress.Parse("10.3.0.2"));
        machine["wlan0"].HasCarrier = false;
        machine.Changed();
        Assert.Equal("deleted wlan0 10.3.0.2: no carrier", await _watch.Report.NextAsync());
        Assert.Equal(["eth0"], MultipathJournal.OfNamespace(machine).Changes.OfType<EndpointChange>().Select(change => change.Interface));
    }

    [Fact]
    public async Task Routes_of_interfaces_that_come_and_go_are_made_again_as_they_were()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2, 1500), Mended("eth1", 3), Mended("eth2", 4));
        var before = machine.Dump();
        await FollowAsync(machine, "added eth2 10.4.0.2");
        foreach (var (name, index, metric) in ((string, int, int)[])[("eth1", 3, 1600), ("eth2", 4, 1700), ("eth1", 3, 1600), ("eth2", 4, 1700)])
        {
            machine.TakeDown(name);
            Assert.StartsWith($"deleted {name} 10.{index}.0.2: ", await _watch.Report.NextAsync(), StringComparison.Ordinal);
            machine.TakeUp(name);
            Assert.Equal($"ip route add default via 10.{index}.0.1 dev {name} metric {metric} proto static", await _watch.Report.NextAsync());
            Assert.Equal($"added {name} 10.{index}.0.2", await _watch.Report.NextAsync());
            Assert.Equal(2, MultipathJournal.OfNamespace(machine).Changes.OfType<RouteChange>().Count());
        }

        Disable(machine);
        Assert.Equal(before, machine.Dump());
    }

    [Fact]
    public async Task What_interfaces_that_never_come_back_needed_is_forgotten()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2), FakeInterface.Uplink("wlan0", 3, 600));
        await FollowAsync(machine, "added wlan0 10.3.0.2");
        for (var index = 4; index < 8; index++)
        {
            machine.Plug(Mended($"usb{index}", index));
            while (await _watch.Report.NextAsync() is var line && line != $"added usb{index} 10.{index}.0.2") Assert.DoesNotContain("failed", line, StringComparison.Ordinal);
            machine.Unplug($"usb{index}");
            Assert.Equal($"deleted usb{index} 10.{index}.0.2: the interface is gone", await _watch.Report.NextAsync());
            Assert.DoesNotContain(MultipathJournal.OfNamespace(machine).Changes, change => change.Command.Contains("usb", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Enabled_again_and_again_without_anybody_who_follows_nothing_piles_up_either()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2), Mended("eth1", 3), Mended("eth2", 4));
        await EnableAsync(machine);
        var first = MultipathJournal.OfNamespace(machine).Changes.ToHashSet();
        foreach (var name in (string[])["eth1", "eth2", "eth1"])
        {
            machine.TakeDown(name);
            machine.TakeUp(name);
            Assert.Equal(1, (await EnableAsync(machine)).Changes);
            Assert.Equal(first, MultipathJournal.OfNamespace(machine).Changes.ToHashSet());
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_renamed_interface_has_its_filter_back(bool isPersistent)
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2), Mended("eth1", 3));
        await EnableAsync(machine, isPersistent);
        Assert.Equal("2", machine.ReadSysctl("net.ipv4.conf.eth1.rp_filter"));
        machine.Rename("eth1", "wan.5");
        await EnableAsync(machine); // and it knows it again
        var undone = Disable(machine);
        Assert.Equal("1", machine.ReadSysctl("net.ipv4.conf.wan/5.rp_filter"));
        Assert.Contains("it is net.ipv4.conf.wan/5.rp_filter now", undone.Select(result => result.Detail));
        Assert.Empty(machine.AllEndpoints);
        Assert.Empty(machine.Files);
    }

    [Fact]
    public async Task Another_interface_with_its_former_name_keeps_what_it_has()
    {
        var machine = new FakeMachine(FakeInterface.Uplink("eth0", 2), Mended("eth1", 3));
        await EnableAsync(machine);
        machine.Rename("eth1", "wan");
        machine.Plug(new("eth1", 9) { ReplyFilter = "2" });
        Disable(machine);
        Assert.Equal(("1", "2"), (machine.ReadSysctl("net.ipv4.conf.wan.rp_filter"), machine.ReadSysctl("net.ipv4.conf.eth1.rp_filter")));
    }

    private static FakeInterface Mended(string name, int index) => new(name, index, $"10.{index}.0.2") { NarrowGateway = $"10.{index}.0.1", ReplyFilter = "1" };

    private static Task<EnablingResult> EnableAsync(FakeMachine machine, bool isPersistent = false) =>
        new MultipathEnabling(machine).EnableAsync([], isPersistent, isDryRun: false, new WatchReport(), CancellationToken.None);

    private static List<UndoResult> Disable(FakeMachine machine)
    {
        var results = new List<UndoResult>();
        new MultipathEnabling(machine).Disable((_, result) => results.Add(result), CancellationToken.None);
        return results;
    }

    private static FakeInterface DualStack(int index) =>
        new($"eth{index}", index, $"10.{index}.0.2", $"2001:db8:{index}::2") { Defaults = [($"10.{index}.0.1", (uint)index * 100), ("fe80::1", (uint)index * 100)] };

    /// <param name="machine">Whose networks.</param>
    /// <param name="last">The last it says at the start.</param>
    private async Task FollowAsync(FakeMachine machine, string last)
    {
        _watch.Begin(machine, []);
        while (await _watch.Report.NextAsync() != last) { }
    }
}

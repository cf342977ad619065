using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary><c>bondline mptcp enable --persist</c> on a machine that systemd runs, and that starts again with a network that has forgotten everything.</summary>
[Trait("Mode", "long")]
public sealed class MultipathServiceTests
{
    private const string Unit = "bondline-mptcp.service";

    // What the kernel does, in an order of its own, without the numbers that it gives to endpoints.
    private const string ReadKernel = """
        ip mptcp endpoint | sed 's/ id [0-9]*//' | sort
        ip mptcp limits
        ip -4 route show default | sort
        ip -6 route show default | sort
        sysctl -a -r '^net[.](mptcp|ipv4[.]conf[.][^.]*[.]rp_filter)' | sort
        """;

    // All that enabling may change besides: files byte for byte, with owners and modes, and what systemd knows.
    private const string ReadFiles = """
        cd /
        find etc usr/local var/lib run/bondline-mptcp -printf '%M %u %g %p %l\n' 2>/dev/null | sort
        find etc usr/local var/lib/bondline-mptcp run/bondline-mptcp -type f -exec sha256sum {} + 2>/dev/null | sort -k 2
        systemctl list-units --all --no-legend 'bondline*'
        systemctl list-units --failed --no-legend
        """;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task What_is_kept_is_there_after_a_restart_and_disable_leaves_no_trace()
    {
        await using var machine = await SystemdMachine.CreateAsync();
        string before, enabled;
        await using (var network = await StartNetworkAsync())
        {
            await machine.BootAsync(network.Laptop);
            before = await DumpAsync(machine);
            (await machine.RunAsync("bondline", "mptcp", "enable", "--persist")).ThrowIfFailed("enable --persist");
            Assert.Equal("active", await machine.AskAsync("systemctl", "is-active", Unit));
            Assert.Equal("", (await machine.RunAsync("systemd-analyze", "verify", Unit)).Error);
            enabled = await KernelAsync(machine);
            foreach (var link in network.Links)
                foreach (var address in (string[])[$"{link.LaptopAddress}", $"{link.LaptopAddress6}"])
                    Assert.Contains($"{address} subflow dev {link.Name}", enabled, StringComparison.Ordinal);

            await FollowAsync(machine, network["wlan0"]);
            Assert.Equal(enabled, await KernelAsync(machine));
            await machine.ShutDownForRestartAsync();
        }

        await using (var network = await StartNetworkAsync())
        {
            var forgotten = await network.RunAsync(network.Laptop, "sh", ["-c", ReadKernel]);
            Assert.DoesNotContain("subflow dev", forgotten.ThrowIfFailed("ip").Output, StringComparison.Ordinal);
            await machine.BootAsync(network.Laptop);
            Assert.Equal(enabled, await KernelAsync(machine)); // all of it, as soon as systemd has started everything
            Assert.Contains("Enabled by bondline, over restarts too.", await machine.AskAsync("bondline", "mptcp", "status"), StringComparison.Ordinal);
            (await machine.RunAsync("bondline", "mptcp", "disable")).ThrowIfFailed("disable");
            Assert.Equal(before, await DumpAsync(machine));
            await machine.PowerOffAsync();
        }
    }

    [Fact]
    public async Task A_service_that_may_not_change_anything_is_said_to_and_all_is_as_before()
    {
        await using var network = await StartNetworkAsync();
        await using var machine = await SystemdMachine.CreateAsync();
        Directory.CreateDirectory(machine.PathOf($"/etc/systemd/system/{Unit}.d"));
        await File.WriteAllTextAsync(machine.PathOf($"/etc/systemd/system/{Unit}.d/weak.conf"), "[Service]\nCapabilityBoundingSet=\nRestart=no\n");
        await machine.BootAsync(network.Laptop);
        var before = await DumpAsync(machine);
        var refused = await machine.RunAsync("bondline", "mptcp", "enable", "--persist");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains($"error: {Unit} does not start: cannot follow the networks: it needs the right CAP_NET_ADMIN (right-missing) (service-refused). ", refused.Error, StringComparison.Ordinal);
        Assert.Equal(before, await DumpAsync(machine));
        await machine.PowerOffAsync();
    }

    private static async Task FollowAsync(SystemdMachine machine, LabLink link)
    {
        await using var journal = machine.StartProgram("journalctl", "--follow", "--lines=all", "--output=cat", $"--unit={Unit}");
        await link.CarrierDownAsync();
        await journal.WaitForLineAsync($"{link.Name}: no carrier; endpoint {link.LaptopAddress} deleted", Limit);
        await journal.WaitForLineAsync($"{link.Name}: no carrier; endpoint {link.LaptopAddress6} deleted", Limit);
        Assert.DoesNotContain($"dev {link.Name}", await machine.AskAsync("ip", "mptcp", "endpoint"), StringComparison.Ordinal);
        await link.CarrierUpAsync();
        await journal.WaitForLineAsync($"{link.Name}: endpoint {link.LaptopAddress6} added", Limit); // after that of IPv4
    }

    private static async Task<LabNetwork> StartNetworkAsync()
    {
        var network = await LabNetwork.StartAsync(new());
        try
        {
            await MultipathSetupTests.SpoilAsync(network);
            return network;
        }
        catch
        {
            await network.DisposeAsync();
            throw;
        }
    }

    private static Task<string> KernelAsync(SystemdMachine machine) => machine.AskAsync("sh", "-c", ReadKernel);

    private static async Task<string> DumpAsync(SystemdMachine machine) => await KernelAsync(machine) + await machine.AskAsync("sh", "-c", ReadFiles);
}

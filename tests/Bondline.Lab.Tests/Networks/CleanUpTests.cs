using System.Diagnostics;
using System.Text.RegularExpressions;
using Bondline.Linux;
using Xunit;

namespace Bondline.Lab.Tests;

public class CleanUpTests
{
    [Fact]
    public async Task Nothing_is_left_of_a_lab_that_was_disposed()
    {
        var lab = await LabNetwork.StartAsync(new());
        var links = lab.Links.Select(link => link.Emulator.Id).ToList();
        var running = lab.Start(lab.Laptop, "sh", "-c", "echo inside; exec sleep 1000");
        await running.WaitForLineAsync("inside", TimeSpan.FromSeconds(10));
        var program = running.Id;
        Assert.Contains(program, lab.Laptop.Processes());
        await lab.DisposeAsync();
        Assert.False(lab.Laptop.Exists || lab.Relay.Exists);
        Assert.All([.. links, program], id => Assert.Throws<ArgumentException>(() => Process.GetProcessById(id)));
    }

    [Fact]
    public async Task What_a_killed_lab_leaves_is_removed_by_the_next_one()
    {
        var program = Path.Combine(AppContext.BaseDirectory, "bondline");
        await using var killed = LabProcess.Start(null, program, ["lab", "up"]);
        var line = await killed.WaitForLineAsync("laptop:", TimeSpan.FromSeconds(30));
        var laptop = NetworkNamespace.Named(Regex.Match(line, "bondline-[0-9a-z.-]+").Value);
        var relay = NetworkNamespace.Named(laptop.Name.Replace("laptop", "relay", StringComparison.Ordinal));
        await killed.WaitForLineAsync("usb0", TimeSpan.FromSeconds(30));
        await using var left = LabProcess.Start(laptop, "sh", ["-c", "echo inside; exec sleep 1000"]);
        await left.WaitForLineAsync("inside", TimeSpan.FromSeconds(10));
        await killed.SignalAsync("KILL");
        await killed.WaitAsync();

        await using (var other = await LabNetwork.StartAsync(new() { Links = [new("eth0")] }))
        {
            Assert.False(laptop.Exists || relay.Exists);
            Assert.True(other.Laptop.Exists);
        }
        Assert.NotEqual(0, (await left.WaitAsync()).ExitCode);
        Assert.Equal(0, LabNetwork.RemoveLeftovers());
        Assert.DoesNotContain(NetworkNamespace.List(), space => space.Name == laptop.Name);
    }

    [Fact]
    public async Task Two_labs_at_once_do_not_see_each_other()
    {
        await using var first = await LabNetwork.StartAsync(new() { Links = [new("eth0")] });
        await using var second = await LabNetwork.StartAsync(new() { Links = [new("eth0")] });
        await first["eth0"].SilenceAsync();
        using var probe = new Probe(second, second["eth0"]);
        Assert.NotNull(probe.Ping());
    }

    [Fact]
    public async Task The_congestion_control_is_set_in_both_namespaces()
    {
        await using var lab = await LabNetwork.StartAsync(new() { Links = [new("eth0")], CongestionControl = "cubic" });
        foreach (var side in new[] { lab.Laptop, lab.Relay })
            Assert.Equal("cubic", side.Run(() => File.ReadAllText("/proc/sys/net/ipv4/tcp_congestion_control")).Trim());
    }
}

using System.Net;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>Nothing passes for a while, on any link or in the agent: every stream goes on where it was.</summary>
public sealed class SilenceTests
{
    private static readonly IPEndPoint AnyLocal = new(IPAddress.Loopback, 0);

    // The agent tries a service that listens already; one that counts its bytes comes after the agent, at a port known before.
    private static readonly IPEndPoint Later = new(IPAddress.Loopback, 9100);
    private static readonly bool IsLong = Environment.GetEnvironmentVariable("BONDLINE_TEST") == "long";

    [Fact]
    public Task Every_stream_goes_on_after_all_links_were_silent() =>
        IsLong ? AssertGoesOnAsync(null, TimeSpan.FromSeconds(60), 1L << 30, 100) : AssertGoesOnAsync(null, TimeSpan.FromSeconds(10), 64L << 20, 20);

    /// <summary>The one link that heals is not the one the system's routes lead over.</summary>
    [Fact]
    [Trait("Mode", "long")]
    public Task Every_stream_that_the_kernel_carries_goes_on_too() => AssertGoesOnAsync("mptcp", TimeSpan.FromSeconds(60), 64L << 20, 100);

    private static async Task AssertGoesOnAsync(string? carrier, TimeSpan silence, long bytes, int idle)
    {
        await using var lab = await BondedLab.StartAsync(carrier: carrier);
        await using var echo = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.Echo) { Listen = AnyLocal });
        await lab.OpenAsync(echo.Port, Later.Port);
        await using var sender = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.SendBulk) { Listen = Later, Bytes = bytes });
        await using var hold = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.Hold) { Connect = lab.Visit(echo.Port), Connections = idle });
        await using var receiver = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.ReceiveBulk) { Connect = lab.Visit(Later.Port) });
        await receiver.ReportAsync(atLeast: bytes / 8);
        foreach (var link in lab.Network.Links) await link.SilenceAsync();
        await receiver.ReportAsync(lasting: silence);
        await lab.Network["usb0"].HealAsync();
        await SurvivalTests.AssertSameAsync(sender, receiver, TimeSpan.FromSeconds(bytes * 8 / 15e6 + 60));
        Assert.Equal(idle, (await hold.ReportAsync()).Hold!.Alive);
    }

    [Fact]
    [Trait("Mode", "long")]
    public async Task Every_stream_goes_on_after_the_agent_was_stopped_for_half_a_minute()
    {
        const long bytes = 256 << 20;
        await using var lab = await BondedLab.StartAsync();
        await using var echo = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.Echo) { Listen = AnyLocal });
        await lab.OpenAsync(echo.Port, Later.Port);
        await using var sender = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.SendBulk) { Listen = Later, Bytes = bytes });
        await using var hold = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.Hold) { Connect = lab.Visit(echo.Port), Connections = 100 });
        await using var receiver = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.ReceiveBulk) { Connect = lab.Visit(Later.Port) });
        await receiver.ReportAsync(atLeast: bytes / 8);
        await lab.Agent.SignalAsync("STOP");
        await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(30));
        await lab.Agent.SignalAsync("CONT");
        await SurvivalTests.AssertSameAsync(sender, receiver, TimeSpan.FromSeconds((bytes * 8 / 50e6) + 30));
        Assert.Equal(100, (await hold.ReportAsync()).Hold!.Alive);
    }
}

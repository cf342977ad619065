using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Bondline.Lab.Tests;

public class FaultTests
{
    private static readonly LabOptions TwoLinks = new() { Links = [LinkOptions.Symmetric("eth0", 50, 2), LinkOptions.Symmetric("wlan0", 30, 2)] };

    [Theory]
    [InlineData(LinkDirection.Up)]
    [InlineData(LinkDirection.Down)]
    [InlineData(LinkDirection.Both)]
    public async Task A_silent_link_loses_everything_until_it_is_healed(LinkDirection direction)
    {
        await using var lab = await LabNetwork.StartAsync(TwoLinks);
        using var probe = new Probe(lab, lab["eth0"]);
        using var other = new Probe(lab, lab["wlan0"]);
        Assert.NotNull(probe.Ping());
        await lab["eth0"].SilenceAsync(direction);
        Assert.Null(probe.Ping(limitMilliseconds: 100));
        Assert.NotNull(other.Ping());
        var counters = await lab["eth0"].CountersAsync();
        Assert.Equal(direction == LinkDirection.Down ? 0 : 1, counters.Up.DroppedSilence);
        Assert.Equal(direction == LinkDirection.Down ? 1 : 0, counters.Down.DroppedSilence);
        await lab["eth0"].HealAsync();
        Assert.NotNull(probe.Ping());
    }

    [Fact]
    public async Task Silence_takes_what_is_on_its_way()
    {
        await using var lab = await LabNetwork.StartAsync(new() { Links = [LinkOptions.Symmetric("eth0", 50, 10_000)] });
        using var probe = new Probe(lab, lab["eth0"]);
        Assert.Null(probe.Ping(limitMilliseconds: 20));
        await lab["eth0"].SilenceAsync();
        Assert.Equal(1, (await lab["eth0"].CountersAsync()).Up.DroppedSilence);
    }

    [Fact]
    public async Task An_unplugged_cable_shows_on_the_laptop_and_carries_nothing()
    {
        await using var lab = await LabNetwork.StartAsync(TwoLinks);
        using var probe = new Probe(lab, lab["eth0"]);
        Assert.NotNull(probe.Ping());
        await lab["eth0"].CarrierDownAsync();
        Assert.Contains("NO-CARRIER", await ShowAsync(lab, "link"));
        Assert.Null(probe.Ping(limitMilliseconds: 100));
        await lab["eth0"].CarrierUpAsync();
        Assert.DoesNotContain("NO-CARRIER", await ShowAsync(lab, "link"));
        Assert.NotNull(probe.Ping());
    }

    [Fact]
    public async Task An_address_can_be_taken_away_and_given_back()
    {
        await using var lab = await LabNetwork.StartAsync(TwoLinks);
        var before = await ShowAsync(lab, "address");
        Assert.Contains("10.77.1.2", before);
        Assert.Contains("fd77:1::2", before);
        using var probe = new Probe(lab, lab["eth0"]);
        await lab["eth0"].RemoveAddressAsync();
        var without = await ShowAsync(lab, "address");
        Assert.DoesNotContain("10.77.1.2", without);
        Assert.DoesNotContain("fd77:1::2", without);
        Assert.Null(probe.Ping(limitMilliseconds: 100));
        await lab["eth0"].RestoreAddressAsync();
        Assert.NotNull(probe.Ping());
    }

    [Fact]
    public async Task A_smaller_MTU_is_in_force_at_both_ends()
    {
        await using var lab = await LabNetwork.StartAsync(TwoLinks);
        await lab["eth0"].SetMtuAsync(1280);
        Assert.Contains("mtu 1280", await ShowAsync(lab, "link"));
        using var probe = new Probe(lab, lab["eth0"]);
        Assert.NotNull(probe.Ping(payloadLength: 2000)); // two fragments there, two back
        Assert.Equal(2, (await lab["eth0"].CountersAsync()).Down.Packets);
    }

    [Theory]
    [InlineData("10.77.100.1")]
    [InlineData("fd77:100::1")]
    public async Task A_reset_reaches_both_ends_of_the_connections_over_that_link_and_no_others(string relay)
    {
        await using var lab = await LabNetwork.StartAsync(TwoLinks);
        var address = IPAddress.Parse(relay);
        using var listener = lab.Relay.Run(() => new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
        listener.Bind(new IPEndPoint(address, 0));
        listener.Listen();
        var (laptop, accepted) = await ConnectAsync("eth0");
        var (otherLaptop, otherAccepted) = await ConnectAsync("wlan0");
        var atLaptop = laptop.ReceiveAsync(new byte[1]);
        var atRelay = accepted.ReceiveAsync(new byte[1]);
        Assert.Equal(1, await lab["eth0"].ResetAsync());
        Assert.Equal(SocketError.ConnectionReset, (await Assert.ThrowsAsync<SocketException>(() => atLaptop)).SocketErrorCode);
        Assert.Equal(SocketError.ConnectionReset, (await Assert.ThrowsAsync<SocketException>(() => atRelay)).SocketErrorCode);
        await otherLaptop.SendAsync(new byte[1]);
        Assert.Equal(1, await otherAccepted.ReceiveAsync(new byte[1]));
        var (again, acceptedAgain) = await ConnectAsync("eth0");
        await again.SendAsync(new byte[1]);
        Assert.Equal(1, await acceptedAgain.ReceiveAsync(new byte[1]));
        foreach (var socket in new[] { laptop, accepted, otherLaptop, otherAccepted, again, acceptedAgain }) socket.Dispose();

        async Task<(Socket, Socket)> ConnectAsync(string device)
        {
            var socket = lab.Laptop.Run(() => new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
            socket.SetRawSocketOption(1, 25, System.Text.Encoding.ASCII.GetBytes(device + '\0')); // SO_BINDTODEVICE
            await socket.ConnectAsync(listener.LocalEndPoint!);
            return (socket, await listener.AcceptAsync());
        }
    }

    [Fact]
    public async Task A_reset_ends_a_transfer_in_full_flight()
    {
        await using var lab = await LabNetwork.StartAsync(TwoLinks);
        await using var receiver = await lab.StartTrafficAsync(lab.Relay, new(TrafficRole.ReceiveBulk) { Listen = new(LabNetwork.Address, 0) });
        await using var sender = await lab.StartTrafficAsync(lab.Laptop, new(TrafficRole.SendBulk) { Connect = new(LabNetwork.Address, receiver.Port) });
        await receiver.ReportAsync(atLeast: 2_000_000);
        await lab["eth0"].ResetAsync();
        // A blocking send that the reset cuts in two is a time-out to .NET.
        Assert.Matches("failed: Connection (reset|timed out)", (await Assert.ThrowsAsync<LabException>(() => sender.WaitForAsync("finished", TimeSpan.FromSeconds(5)))).Message);
        Assert.Contains("failed: Connection reset", (await Assert.ThrowsAsync<LabException>(() => receiver.WaitForAsync("finished", TimeSpan.FromSeconds(5)))).Message);
    }

    [Fact]
    public async Task Settings_that_make_no_sense_are_refused_and_change_nothing()
    {
        await using var lab = await LabNetwork.StartAsync(TwoLinks);
        var error = await Assert.ThrowsAsync<LabException>(() => lab["eth0"].SetAsync(LinkDirection.Up, settings => settings with { Loss = 2, RateBitsPerSecond = -1 }));
        Assert.Contains("The loss is 2", error.Message);
        Assert.Contains("The rate is -1", error.Message);
        Assert.Equal(0, lab["eth0"].Up.Loss);
        await Assert.ThrowsAsync<LabException>(() => LabNetwork.StartAsync(new() { Links = [] }));
    }

    private static async Task<string> ShowAsync(LabNetwork lab, string what) =>
        (await lab.RunAsync(lab.Laptop, "ip", [what, "show", "dev", "eth0"])).ThrowIfFailed("ip").Output;
}

using Xunit;

namespace Bondline.Linux.Tests.Rtnetlink;

/// <summary>Events that say less than they seem to, from the real kernel in a network namespace.</summary>
[Trait("Mode", "normal")]
public sealed class InterfaceEventTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly KernelSpace _space = new("events");

    [Fact]
    public async Task A_port_of_a_bridge_stays_what_it_is_and_stays_when_it_leaves_the_bridge()
    {
        await _space.ChangeAsync(["link add name br0 type bridge", "link add name port type veth peer name other", "link set br0 up", "link set port up", "link set other up"]);
        using var monitor = _space.Run(() => new InterfaceMonitor());
        await SeeAsync("port");
        await _space.ChangeAsync(["link set port master br0", "link add name joined type veth"]);
        await SeeAsync("joined");
        await _space.ChangeAsync(["link set port nomaster", "link add name left type veth"]);
        await SeeAsync("left");

        Task SeeAsync(string name) => UntilAsync(monitor, $"a link {name}", picture =>
        {
            Assert.Equal("veth", Assert.Single(picture, state => state.Link.Name == "port").Link.Kind);
            return picture.Any(state => state.Link.Name == name);
        });
    }

    [Fact]
    public async Task The_ways_that_an_IPv6_route_leads_are_known_as_they_come_and_go()
    {
        // Without link-local addresses, whose coming would have everything asked for again.
        await _space.ChangeAsync([.. ((string[])["a", "b"]).SelectMany(name => (string[])[
            $"link add name {name} type veth peer name {name}2", $"link set dev {name} addrgenmode none", $"link set dev {name}2 addrgenmode none", $"link set dev {name} up", $"link set dev {name}2 up"])]);
        await _space.ChangeAsync([
            "addr add 2001:db8:1::2/64 dev a nodad", "addr add 2001:db8:2::2/64 dev b nodad", "route add default via 2001:db8:1::1 metric 100",
        ]);
        using var monitor = _space.Run(() => new InterfaceMonitor());
        await SeeAsync("a 2001:db8:1::1");
        await DoAsync("append default via 2001:db8:2::1 metric 100", "a 2001:db8:1::1, b 2001:db8:2::1");
        await DoAsync("del default via 2001:db8:1::1 metric 100", "b 2001:db8:2::1");
        await DoAsync("append default via 2001:db8:1::1 metric 100", "a 2001:db8:1::1, b 2001:db8:2::1");
        await DoAsync("replace default via 2001:db8:1::9 metric 100", "a 2001:db8:1::9");
        await DoAsync("append default via 2001:db8:2::1 metric 100", "a 2001:db8:1::9, b 2001:db8:2::1");
        await DoAsync("del ::/0", "");

        async Task DoAsync(string change, string expected)
        {
            await _space.ChangeAsync([$"route {change}"]);
            await SeeAsync(expected);
        }

        Task SeeAsync(string expected) => UntilAsync(monitor, expected, picture => expected == string.Join(", ", picture.SelectMany(state => state.Routes
            .Where(route => route.IsDefault)
            .SelectMany(route => route.NextHops.Where(hop => hop.Interface == state.Link.Index))
            .Select(hop => $"{state.Link.Name} {hop.Gateway}"))));
    }

    public void Dispose() => _space.Dispose();

    private static async Task UntilAsync(InterfaceMonitor monitor, string what, Func<IReadOnlyList<NetworkInterfaceState>, bool> isSeen)
    {
        using var late = new CancellationTokenSource(Patience);
        try
        {
            while (!isSeen(await monitor.NextAsync(late.Token))) { }
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"This was not seen: {what}.");
        }
    }
}

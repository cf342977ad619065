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

        async Task SeeAsync(string name)
        {
            using var late = new CancellationTokenSource(Patience);
            IReadOnlyList<NetworkInterfaceState> picture;
            do
            {
                picture = await monitor.NextAsync(late.Token);
                Assert.Equal("veth", Assert.Single(picture, state => state.Link.Name == "port").Link.Kind);
            }
            while (picture.All(state => state.Link.Name != name));
        }
    }

    public void Dispose() => _space.Dispose();
}

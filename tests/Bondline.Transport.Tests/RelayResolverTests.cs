using System.Net;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Transport.Tests;

/// <summary>Where a relay's names lead, and under which name it is greeted.</summary>
public sealed class RelayResolverTests
{
    private static readonly HostPort Named = new("localhost", 8443), Literal = new("127.0.0.1", 8443), Other = new("::1", 8444);

    private readonly RelayResolver _resolver = new(NetworkPlatform.Current, ProxySettings.None);

    [Fact]
    public async Task A_name_wins_over_the_same_relays_address()
    {
        _resolver.SetHosts([Named, Literal]);
        Assert.Null(await _resolver.ResolveAsync(CancellationToken.None));
        Assert.Equal((Named, null), _resolver.LeadOf(Address(IPAddress.Loopback, 8443), 1));
    }

    [Fact]
    public void An_address_needs_no_resolver_and_is_gone_with_its_host()
    {
        _resolver.SetHosts([Literal]);
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 8443), Assert.Single(_resolver.Locate()).EndPoint);
        _resolver.SetHosts([Other]);
        Assert.Equal(new IPEndPoint(IPAddress.IPv6Loopback, 8444), Assert.Single(_resolver.Locate()).EndPoint);
        Assert.True(_resolver.IsCurrent(Address(IPAddress.IPv6Loopback, 8444)));
        Assert.False(_resolver.IsCurrent(Address(IPAddress.Loopback, 8443)));
    }

    [Fact]
    public async Task Behind_a_proxy_the_proxy_is_resolved_and_leads_to_each_relay_in_turn()
    {
        var proxies = ProxySettings.Read(name => name switch { "https_proxy" => "http://ann:secret@localhost:3128", "no_proxy" => "192.0.2.9", _ => null });
        var resolver = new RelayResolver(NetworkPlatform.Current, proxies);
        HostPort first = new("first.invalid", 443), second = new("192.0.2.1", 443), direct = new("192.0.2.9", 443);
        resolver.SetHosts([first, second, direct]);
        Assert.Null(await resolver.ResolveAsync(CancellationToken.None)); // nobody asked for first.invalid
        var found = resolver.Locate();
        Assert.Equal(new IPEndPoint(IPAddress.Parse("192.0.2.9"), 443), Assert.Single(found, address => !address.IsProxy).EndPoint);
        var proxy = found.First(address => address.IsProxy);
        Assert.Equal(3128, proxy.EndPoint.Port);
        Assert.True(resolver.IsCurrent(proxy));
        Assert.Equal([first, second], new[] { resolver.LeadOf(proxy, 2).Host, resolver.LeadOf(proxy, 3).Host });
        Assert.NotNull(resolver.LeadOf(proxy, 2).Proxy);
        Assert.Equal((direct, null), resolver.LeadOf(found.First(address => !address.IsProxy), 1));
    }

    [Fact]
    public void Families_take_turns_in_the_systems_order()
    {
        IPAddress[] six = [IPAddress.Parse("2001:db8::1"), IPAddress.Parse("2001:db8::2"), IPAddress.Parse("2001:db8::3")], four = [IPAddress.Parse("192.0.2.1")];
        Assert.Equal([six[0], four[0], six[1], six[2]], RelayResolver.Alternate([.. six, .. four]));
    }

    private static RelayAddress Address(IPAddress address, int port) => new(new(address, port), 0, false);
}

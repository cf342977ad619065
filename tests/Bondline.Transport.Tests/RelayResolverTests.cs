using System.Net;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Transport.Tests;

/// <summary>Where a relay's names lead, and under which name it is greeted.</summary>
public sealed class RelayResolverTests
{
    private static readonly HostPort Named = new("localhost", 8443), Literal = new("127.0.0.1", 8443), Other = new("::1", 8444);

    private readonly RelayResolver _resolver = new(NetworkPlatform.Current);

    [Fact]
    public async Task A_name_wins_over_the_same_relays_address()
    {
        _resolver.SetHosts([Named, Literal]);
        Assert.Null(await _resolver.ResolveAsync(CancellationToken.None));
        Assert.Equal("localhost", _resolver.NameOf(new(IPAddress.Loopback, 8443)));
    }

    [Fact]
    public void An_address_needs_no_resolver_and_is_gone_with_its_host()
    {
        _resolver.SetHosts([Literal]);
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 8443), Assert.Single(_resolver.Locate()).EndPoint);
        _resolver.SetHosts([Other]);
        Assert.Equal(new IPEndPoint(IPAddress.IPv6Loopback, 8444), Assert.Single(_resolver.Locate()).EndPoint);
        Assert.True(_resolver.IsCurrent(new(IPAddress.IPv6Loopback, 8444)));
        Assert.False(_resolver.IsCurrent(new(IPAddress.Loopback, 8443)));
    }
}

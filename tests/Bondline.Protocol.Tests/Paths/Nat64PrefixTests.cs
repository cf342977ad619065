using System.Net;
using Xunit;

namespace Bondline.Protocol.Tests.Paths;

/// <summary>The examples of RFC 6052 section 2.4, and how their prefixes are found (RFC 7050).</summary>
public sealed class Nat64PrefixTests
{
    [Theory]
    [InlineData("2001:db8:c000:aa::", "2001:db8::/32", "2001:db8:c000:221::")]
    [InlineData("2001:db8:1c0:0:aa::", "2001:db8:100::/40", "2001:db8:1c0:2:21::")]
    [InlineData("2001:db8:122:c000:0:aa00::", "2001:db8:122::/48", "2001:db8:122:c000:2:2100::")]
    [InlineData("2001:db8:122:3c0:0:ab::", "2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::")]
    [InlineData("2001:db8:122:344:c0:0:aa00:0", "2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100:0")]
    [InlineData("2001:db8:122:344::192.0.0.171", "2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33")]
    [InlineData("64:ff9b::192.0.0.170", "64:ff9b::/96", "64:ff9b::192.0.2.33")]
    public void A_prefix_is_found_and_used(string answer, string prefix, string translated)
    {
        Assert.True(Nat64Prefix.TryFind(IPAddress.Parse(answer), out var found));
        Assert.Equal(prefix, found.ToString());
        Assert.Equal(IPAddress.Parse(translated), found.Translate(IPAddress.Parse("192.0.2.33")));
    }

    [Theory]
    [InlineData("2001:db8::1")]
    [InlineData("::")]
    [InlineData("192.0.0.170")]
    [InlineData("64:ff9b::192.0.0.172")]
    public void Another_address_is_none(string answer) => Assert.False(Nat64Prefix.TryFind(IPAddress.Parse(answer), out _));
}

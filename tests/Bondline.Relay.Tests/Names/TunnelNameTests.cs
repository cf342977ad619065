using Xunit;

namespace Bondline.Relay.Tests;

public sealed class TunnelNameTests
{
    [Theory]
    [InlineData("abc")]
    [InlineData("brave-otter")]
    [InlineData("3000")]
    [InlineData("a--b")]
    [InlineData("api")]
    public void Ordinary_names_are_taken(string name) => Assert.Null(TunnelName.Problem(name));

    [Theory]
    [InlineData("ab", "3 to 63")]
    [InlineData("", "3 to 63")]
    [InlineData("Shop", "lower-case")]
    [InlineData("a.b", "lower-case")]
    [InlineData("a_b", "lower-case")]
    [InlineData("käse", "lower-case")]
    [InlineData("-abc", "hyphen")]
    [InlineData("abc-", "hyphen")]
    [InlineData("xn--bcher-kva", "hyphens")]
    [InlineData("localhost", "reserved")]
    [InlineData("www", "reserved")]
    [InlineData("bondline", "reserved")]
    public void Others_are_refused_with_the_rule(string name, string rule) => Assert.Contains(rule, TunnelName.Problem(name));

    [Fact]
    public void A_name_has_at_most_the_length_of_a_label()
    {
        Assert.Null(TunnelName.Problem(new string('a', 63)));
        Assert.NotNull(TunnelName.Problem(new string('a', 64)));
    }
}

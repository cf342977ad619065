using Xunit;

namespace Bondline.Relay.Tests;

public sealed class PortRangeTests
{
    [Theory]
    [InlineData("7000-7999", 7000, 7999)]
    [InlineData("7000", 7000, 7000)]
    [InlineData("0", 0, 0)]
    public void Ranges_are_read(string text, int first, int last)
    {
        Assert.True(PortRange.TryParse(text, out var range));
        Assert.Equal(new PortRange(first, last), range);
        Assert.Equal(text, range.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    [InlineData("7999-7000")]
    [InlineData("0-100")]
    [InlineData("1-65536")]
    [InlineData("1-2-3")]
    [InlineData("+1-2")]
    [InlineData(" 1")]
    [InlineData("1\0")]
    [InlineData("1\0-2")]
    [InlineData("a-b")]
    public void Others_are_refused(string? text) => Assert.False(PortRange.TryParse(text, out _));
}

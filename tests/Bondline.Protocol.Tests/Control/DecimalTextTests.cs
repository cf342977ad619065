using Xunit;

namespace Bondline.Protocol.Tests;

public sealed class DecimalTextTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("0443", 443)]
    [InlineData("2147483647", int.MaxValue)]
    public void Digits_are_read(string text, int number)
    {
        Assert.True(DecimalText.TryRead(text, out var read));
        Assert.Equal(number, read);
    }

    [Theory]
    [InlineData("")]
    [InlineData("1\0")]
    [InlineData("\0")]
    [InlineData("+1")]
    [InlineData("-1")]
    [InlineData(" 1")]
    [InlineData("1\n")]
    [InlineData("1,000")]
    [InlineData("\u0661")]
    [InlineData("2147483648")]
    public void Others_are_refused(string text) => Assert.False(DecimalText.TryRead(text, out _));
}

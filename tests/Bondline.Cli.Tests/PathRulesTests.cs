using Bondline.Protocol;
using Xunit;

namespace Bondline.Cli.Tests;

public sealed class PathRulesTests
{
    [Fact]
    public void Names_and_policies_are_read_and_nothing_else_is_used()
    {
        var paths = PathRules.Parse("eth0, wlan0:backup,usb0:metered,tun:prefer");
        Assert.Equal(
            [new PathRule("eth0"), new("wlan0", SubflowPolicy.Backup), new("usb0", SubflowPolicy.Metered), new("tun", SubflowPolicy.Prefer)],
            paths.Rules);
        Assert.True(paths.AreExclusive);
    }

    [Fact]
    public void Only_off_leaves_the_others_as_they_were() => Assert.False(PathRules.Parse("wlan0:off").AreExclusive);

    [Fact]
    public void Without_the_option_nothing_is_named()
    {
        Assert.Empty(PathRules.Parse(null).Rules);
        Assert.False(PathRules.Parse(null).AreExclusive);
    }
}

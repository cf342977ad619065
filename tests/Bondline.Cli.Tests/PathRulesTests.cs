using Bondline.Agent;
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

    [Theory]
    [InlineData("500MB/day", 500_000_000, BudgetPeriod.Day)]
    [InlineData("2.5gb/month", 2_500_000_000, BudgetPeriod.Month)]
    [InlineData("1TB/month", 1_000_000_000_000, BudgetPeriod.Month)]
    public void A_metered_interface_may_have_a_budget(string budget, long bytes, BudgetPeriod period)
    {
        var paths = PathRules.Parse($"eth0,usb0:metered={budget},wlan0:metered");
        Assert.Equal([new PathRule("eth0"), new("usb0", SubflowPolicy.Metered), new("wlan0", SubflowPolicy.Metered)], paths.Rules);
        Assert.Equal([new PathBudget("usb0", bytes, period)], paths.Budgets);
    }

    [Theory]
    [InlineData("")]
    [InlineData("500")]
    [InlineData("500MB")]
    [InlineData("500MB/week")]
    [InlineData("500MB/day/day")]
    [InlineData("0MB/day")]
    [InlineData("-1MB/day")]
    [InlineData("1e3MB/day")]
    [InlineData("10000TB/day")]
    [InlineData("MB/day")]
    [InlineData("1\0MB/day")]
    public void What_is_no_budget_is_refused(string budget) =>
        Assert.Contains("is no budget", Assert.Throws<CommandException>(() => PathRules.Parse($"usb0:metered={budget}")).Message);

    [Fact]
    public void Only_off_leaves_the_others_as_they_were() => Assert.False(PathRules.Parse("wlan0:off").AreExclusive);

    [Fact]
    public void Without_the_option_nothing_is_named()
    {
        Assert.Empty(PathRules.Parse(null).Rules);
        Assert.False(PathRules.Parse(null).AreExclusive);
    }
}

using Xunit;

namespace Bondline.Lab.Tests;

public class LinkSettingsTests
{
    [Fact]
    public void Every_problem_of_the_options_is_reported_at_once()
    {
        var bad = new LinkSettings { RateBitsPerSecond = 7, Delay = TimeSpan.FromSeconds(-1), Loss = 1.5, QueueLimit = TimeSpan.FromHours(1) };
        Assert.Equal(4, bad.Problems().Count);
        var options = new LabOptions { Links = [new("eth0") { Up = bad }, new("eth0") { Mtu = 100 }, new("no/name")] };
        Assert.Equal(7, options.Problems().Count);
    }

    [Fact]
    public void The_standard_links_have_no_problem() => Assert.Empty(new LabOptions().Problems());

    [Theory]
    [InlineData("eth0:50:10", 50_000_000, 5, 100, 1500)]
    [InlineData("wlan0:0.5:600:20:1280", 500_000, 300, 20, 1280)]
    public void A_link_is_read_from_a_line(string text, long rate, double delay, double queue, int mtu)
    {
        var link = LabConsole.ParseLink(text);
        Assert.Equal(rate, link.Up.RateBitsPerSecond);
        Assert.Equal(TimeSpan.FromMilliseconds(delay), link.Down.Delay);
        Assert.Equal(TimeSpan.FromMilliseconds(queue), link.Up.QueueLimit);
        Assert.Equal(mtu, link.Mtu);
    }

    [Theory]
    [InlineData("eth0")]
    [InlineData("eth0:x:1")]
    [InlineData("eth0:1:-1")]
    [InlineData("eth0:1:1:1:1:1")]
    public void Another_line_is_refused(string text) => Assert.Throws<LabException>(() => LabConsole.ParseLink(text));
}

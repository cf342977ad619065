using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>Real programs through an HTTP tunnel, all at once, compared byte for byte with a direct run.</summary>
public sealed class WebProgramTests
{
    private static readonly bool IsLong = Environment.GetEnvironmentVariable("BONDLINE_TEST") == "long";

    [Fact]
    public async Task Programs_see_no_difference_to_a_direct_connection()
    {
        await using var lab = await BondedLab.StartAsync();
        await using var programs = await WebPrograms.StartAsync(lab, bulkMegabytes: 200);
        Assert.Empty(await programs.CompareAsync(events: 20));
    }

    [Fact]
    public async Task Programs_do_not_notice_that_a_path_dies_and_heals_every_three_seconds()
    {
        await using var lab = await BondedLab.StartAsync();
        await using var programs = await WebPrograms.StartAsync(lab, bulkMegabytes: IsLong ? 200 : 50);
        await using var flapping = new FlappingPaths(lab.Network);
        Assert.Empty(await programs.CompareAsync(events: IsLong ? 6000 : 300));
        Assert.True(flapping.Deaths > 3, $"{flapping.Deaths}");
    }
}

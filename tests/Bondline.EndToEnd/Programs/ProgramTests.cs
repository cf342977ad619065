using System.Diagnostics;
using System.Globalization;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>Real programs through tunnels, all at once, compared byte for byte with a direct run.</summary>
[Trait("Mode", "normal")]
public sealed class ProgramTests
{
    private static readonly bool IsLong = Environment.GetEnvironmentVariable("BONDLINE_TEST") == "long";

    /// <summary>Two links: while one is dead everything goes over the other.</summary>
    private static readonly LabOptions TwoLinks = new() { Links = [.. LabOptions.StandardLinks.Take(2)] };

    [Fact]
    public async Task Programs_see_no_difference_to_a_direct_connection()
    {
        await using var webLab = await BondedLab.StartAsync();
        await using var web = await WebPrograms.StartAsync(webLab, bulkMegabytes: 200);
        await using var tcpLab = await BondedLab.StartAsync(TwoLinks);
        await using var tcp = await TcpPrograms.StartAsync(tcpLab);
        await using var developmentLab = await BondedLab.StartAsync(TwoLinks);
        await using var development = await DevelopmentPrograms.StartAsync(developmentLab);
        await AssertSameAsync("programs", web.CompareAsync(events: 20), tcp.CompareAsync(() => true), development.CompareAsync(() => true));
    }

    [Fact]
    public async Task Programs_do_not_notice_that_a_path_dies_and_heals_every_three_seconds()
    {
        await using var webLab = await BondedLab.StartAsync();
        await using var web = await WebPrograms.StartAsync(webLab, bulkMegabytes: IsLong ? 200 : 50);
        await using var tcpLab = await BondedLab.StartAsync(TwoLinks);
        await using var tcp = await TcpPrograms.StartAsync(tcpLab);
        await using var developmentLab = await BondedLab.StartAsync(TwoLinks);
        await using var development = await DevelopmentPrograms.StartAsync(developmentLab);
        await using FlappingPaths first = new(webLab.Network), second = new(tcpLab.Network), third = new(developmentLab.Network);
        await AssertSameAsync("programs while paths die", web.CompareAsync(events: IsLong ? 6000 : 300), tcp.CompareAsync(() => second.Deaths > 4), development.CompareAsync(() => third.Deaths > 4));
        Assert.True(first.Deaths > 3, $"{first.Deaths}");
    }

    private static async Task AssertSameAsync(string what, Task<IReadOnlyList<string>> web, Task<IReadOnlyList<string>> tcp, Task<IReadOnlyList<string>> development)
    {
        var watch = Stopwatch.StartNew();
        var taken = await Task.WhenAll(TimeAsync(web), TimeAsync(tcp), TimeAsync(development));
        Measured.Record(what, string.Create(CultureInfo.InvariantCulture, $"HTTP {taken[0]:0.0} s, TCP {taken[1]:0.0} s, development {taken[2]:0.0} s"));
        string[] differences = [.. await web, .. await tcp, .. await development];
        Assert.True(differences.Length == 0, string.Join('\n', differences)); // in full: xunit would cut them short

        async Task<double> TimeAsync(Task comparison)
        {
            await comparison;
            return watch.Elapsed.TotalSeconds;
        }
    }
}

using Bondline.Testing;
using Xunit;

namespace Bondline.Protocol.Tests.Simulation;

/// <summary>Random scenarios over many seeds: the same bytes, nothing stuck, nothing left.</summary>
/// <remarks><c>BONDLINE_SEEDS=from-to</c> chooses the seeds; else <c>BONDLINE_TEST</c> says how many.</remarks>
public sealed class CampaignTests(ITestOutputHelper output)
{
    // For ten thousand seeds on two cores.
    private static readonly TimeSpan MostTime = TimeSpan.FromMinutes(3);

    [Fact]
    public void Every_stream_of_every_seed_ends_with_its_bytes()
    {
        var (from, to) = Seeds();
        var watch = System.Diagnostics.Stopwatch.StartNew();
        var failures = new System.Collections.Concurrent.ConcurrentBag<(ulong Seed, string Message)>();
        Parallel.For((long)from, (long)to + 1, new ParallelOptions { MaxDegreeOfParallelism = 2 }, (seed, loop) =>
        {
            try
            {
                new RandomScenario((ulong)seed).Run();
            }
            catch (SimulationException failure)
            {
                failures.Add(((ulong)seed, failure.Message));
                if (failures.Count >= 20) loop.Stop();
            }
        });
        foreach (var (seed, message) in failures.OrderBy(failure => failure.Seed).Take(5)) output.WriteLine($"{message}\nAgain: BONDLINE_SEEDS={seed}-{seed} dotnet run --project tests/Bondline.Protocol.Tests -- --filter-method '*.{nameof(Every_stream_of_every_seed_ends_with_its_bytes)}'\n");
        Assert.True(failures.IsEmpty, $"{failures.Count} of {to - from + 1} seeds failed, as {string.Join(", ", failures.Select(failure => failure.Seed).Order().Take(20))}; {failures.OrderBy(failure => failure.Seed).Select(failure => failure.Message).FirstOrDefault()}");
        output.WriteLine($"{to - from + 1} seeds in {watch.Elapsed.TotalSeconds:0.0} s");
        Assert.True(to - from >= 10_000 || watch.Elapsed < MostTime, $"{to - from + 1} seeds took {watch.Elapsed}");
    }

    [Fact]
    public void A_seed_gives_the_same_run_every_time()
    {
        for (ulong seed = 1; seed <= 5; seed++)
        {
            var first = new RandomScenario(seed);
            first.Run();
            var second = new RandomScenario(seed);
            second.Run();
            Assert.Equal(first.Network.Trace, second.Network.Trace);
        }
    }

    private static (ulong From, ulong To) Seeds()
    {
        if (Environment.GetEnvironmentVariable("BONDLINE_SEEDS") is { Length: > 0 } range)
        {
            var parts = range.Split('-');
            return (ulong.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture), ulong.Parse(parts[^1], System.Globalization.CultureInfo.InvariantCulture));
        }
        return Environment.GetEnvironmentVariable("BONDLINE_TEST") == "fast" ? (1UL, 500UL) : (1UL, 10_000UL);
    }
}

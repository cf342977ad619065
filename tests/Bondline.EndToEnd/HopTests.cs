using System.Globalization;
using Bondline.Benchmarks;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>Small requests through <c>bondline http</c>, beside one hop of YARP on the same runtime and beside <c>ssh -R</c>, in one run.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "long")]
public sealed class HopTests
{
    private const double LeastOfHop = 0.6, LeastOfSsh = 1.2, MostAddedMicroseconds = 200;

    private static string Hop => Environment.GetEnvironmentVariable("BONDLINE_HOP") is { Length: > 0 } file
        ? file
        : throw new LabException("BONDLINE_HOP names no program. Publish bench/Bondline.YarpHop, as ./test --long does, and name what that made.");

    [Fact]
    public async Task Requests_come_at_least_at_0_6_times_the_rate_of_one_YARP_hop_and_1_2_times_that_of_ssh_and_at_most_200_us_later()
    {
        var best = await Measured.BestOfTwoOfAllProcessorAsync("small pages through an HTTP tunnel", MeasureAsync, Holds);
        Assert.True(Holds(best), $"{best}");

        static bool Holds(Result result) => result is { OfHop: >= LeastOfHop, OfSsh: >= LeastOfSsh, AddedMicroseconds: <= MostAddedMicroseconds };
    }

    private static async Task<Result> MeasureAsync() => new(await AgainstHops.CompareAsync(AttackedRelay.Program, Hop, 3));

    private sealed record Result(IReadOnlyList<AgainstHops.Comparison> Loads)
    {
        /// <summary>Under the worse of both loads with many connections.</summary>
        public double OfHop => Loads.Take(2).Min(load => load.TimesThatOf(AgainstHops.Yarp));

        /// <inheritdoc cref="OfHop"/>
        public double OfSsh => Loads.Take(2).Min(load => load.TimesThatOf(AgainstHops.Ssh));

        /// <summary>To the median time of a request when there is one at a time, beside asking the web server itself.</summary>
        public double AddedMicroseconds => (Loads[2].Ways[0].Median - Loads[2].Ways[^1].Median).TotalMicroseconds;

        public override string ToString() =>
            string.Join("; ", Loads.Take(2).Select(load => string.Create(CultureInfo.InvariantCulture,
                $"{load.Load}: {load.Ways[0].Rate:0} requests/s, {load.TimesThatOf(AgainstHops.Yarp):0.00} times a YARP hop, {load.TimesThatOf(AgainstHops.Ssh):0.00} times ssh -R, {load.Processor.TotalMicroseconds:0} us of processor time each")))
            + string.Create(CultureInfo.InvariantCulture, $"; one at a time: {AddedMicroseconds:0} us added");
    }
}

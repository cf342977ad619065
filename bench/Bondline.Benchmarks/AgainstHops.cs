using System.Diagnostics;
using Bondline.Lab;

namespace Bondline.Benchmarks;

/// <summary><c>bondline http</c> over loopback beside what people would take instead, in turn: one YARP hop, two nginx hops, <c>ssh -R</c>.</summary>
internal static class AgainstHops
{
    internal const string Ours = "bondline http", Ssh = "ssh -R", Yarp = "YARP hop";

    /// <summary>As long as wrk runs if nobody says otherwise. Within its first seconds <c>ssh -R</c> loses a third of its rate: ever more of its requests wait for a delayed acknowledgement (docs/benchmarks.md).</summary>
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(10), LengthAlone = TimeSpan.FromSeconds(3);

    public static async Task RunAsync(string program, string hop, int rounds)
    {
        Console.WriteLine($"means of {rounds} turns:");
        foreach (var comparison in await CompareAsync(program, hop, rounds))
        {
            Console.WriteLine($"{comparison.Load}:");
            foreach (var way in comparison.Ways)
                Console.WriteLine($"  {way.Name,-15} {way.Rate,7:0} requests/s, median {way.Median.TotalMicroseconds,5:0} us, ours is {comparison.TimesThatOf(way.Name):0.00} times that");
            Console.WriteLine($"  relay and agent take {comparison.Processor.TotalMicroseconds:0.0} us of processor time a request");
        }
    }

    /// <summary>wrk and h2load with 32 connections, and wrk with one, for what is added to a request's time.</summary>
    /// <param name="program">bondline.</param>
    /// <param name="hop">yarp-hop, built for the same runtime.</param>
    /// <param name="rounds">Each way has so many turns.</param>
    /// <exception cref="LabException">Something did not start, or a request failed.</exception>
    public static async Task<IReadOnlyList<Comparison>> CompareAsync(string program, string hop, int rounds)
    {
        var web = LoopbackTunnels.FreePort();
        await using var tunnels = await LoopbackTunnels.StartHttpAsync(program, withSsh: true, web);
        tunnels.StartWebServer(web);
        int inner = LoopbackTunnels.FreePort(), outer = LoopbackTunnels.FreePort(), yarp = LoopbackTunnels.FreePort();
        tunnels.StartWebServer(inner, web);
        tunnels.StartWebServer(outer, inner);
        tunnels.Start(hop, $"{yarp}", $"{web}");
        (string Name, int Port)[] ways = [(Ours, tunnels.Ours[0]), (Ssh, tunnels.Ssh[0]), (Yarp, yarp), ("two nginx hops", outer), ("nginx alone", web)];
        foreach (var (_, port) in ways) await WarmUpAsync(port);
        return
        [
            await CompareAsync("wrk, 32 connections", port => Wrk.RunAsync(port, 32, Length)),
            await CompareAsync("h2load, 32 connections", port => Wrk.RunH2LoadAsync(port, 32, Length)),
            await CompareAsync("wrk, one connection", port => Wrk.RunAsync(port, 1, LengthAlone)),
        ];

        async Task<Comparison> CompareAsync(string load, Func<int, Task<Wrk>> measure)
        {
            var results = ways.ToDictionary(way => way.Name, _ => new List<Wrk>());
            var processor = new List<double>();
            for (var round = 0; round < rounds; round++)
            {
                foreach (var (name, port) in ways)
                {
                    var before = ProcessorTime();
                    var result = await measure(port);
                    results[name].Add(result);
                    if (name == Ours) processor.Add((ProcessorTime() - before).TotalMicroseconds / result.Requests);
                }
            }
            return new(load,
                [.. results.Select(way => new Way(way.Key, way.Value.Average(run => run.Rate), TimeSpan.FromMicroseconds(way.Value.Select(run => run.Median.TotalMicroseconds).Median())))],
                TimeSpan.FromMicroseconds(processor.Average()));
        }

        TimeSpan ProcessorTime()
        {
            using var relay = Process.GetProcessById(tunnels.Relay.Id);
            using var agent = Process.GetProcessById(tunnels.Agent.Id);
            return relay.TotalProcessorTime + agent.TotalProcessorTime;
        }
    }

    /// <summary>Waits until something listens there, too.</summary>
    private static async Task WarmUpAsync(int port)
    {
        using var client = new HttpClient();
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                for (var i = 0; i < 100; i++) await client.GetStringAsync($"http://127.0.0.1:{port}/");
                return;
            }
            catch (HttpRequestException) when (attempt < 100)
            {
                await Task.Delay(50);
            }
        }
    }

    /// <summary>One load, sent every way.</summary>
    /// <param name="Load">What was sent.</param>
    /// <param name="Ways">Ours is the first.</param>
    /// <param name="Processor">What relay and agent took of the processor for a request.</param>
    internal sealed record Comparison(string Load, IReadOnlyList<Way> Ways, TimeSpan Processor)
    {
        /// <returns>How many times the requests of another way ours served.</returns>
        public double TimesThatOf(string name) => Ways[0].Rate / Ways.First(way => way.Name == name).Rate;
    }

    /// <param name="Name">Through what.</param>
    /// <param name="Rate">Requests a second, the mean of all turns: those of <c>ssh -R</c> are too unlike each other for a median of few.</param>
    /// <param name="Median">Half of the requests took at most this long, at the median of the turns.</param>
    internal sealed record Way(string Name, double Rate, TimeSpan Median);
}

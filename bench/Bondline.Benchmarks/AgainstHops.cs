using System.Diagnostics;

namespace Bondline.Benchmarks;

/// <summary><c>bondline http</c> over loopback beside what people would take instead, in turn: one YARP hop, two nginx hops, <c>ssh -R</c>.</summary>
internal static class AgainstHops
{
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(3);

    /// <summary>wrk and h2load with 32 connections, and wrk with one, for what is added to a request's time.</summary>
    /// <param name="program">bondline.</param>
    /// <param name="hop">yarp-hop, built for the same runtime.</param>
    /// <param name="rounds">Medians are of so many.</param>
    public static async Task RunAsync(string program, string hop, int rounds)
    {
        var web = LoopbackTunnels.FreePort();
        await using var tunnels = await LoopbackTunnels.StartHttpAsync(program, withSsh: true, web);
        tunnels.StartWebServer(web);
        int inner = LoopbackTunnels.FreePort(), outer = LoopbackTunnels.FreePort(), yarp = LoopbackTunnels.FreePort();
        tunnels.StartWebServer(inner, web);
        tunnels.StartWebServer(outer, inner);
        tunnels.Start(hop, $"{yarp}", $"{web}");
        (string Name, int Port)[] ways = [("bondline http", tunnels.Ours[0]), ("ssh -R", tunnels.Ssh[0]), ("YARP hop", yarp), ("two nginx hops", outer), ("nginx alone", web)];
        foreach (var (_, port) in ways) await WarmUpAsync(port);

        await CompareAsync("wrk, 32 connections", port => Wrk.RunAsync(port, 32, Length));
        await CompareAsync("h2load, 32 connections", port => Wrk.RunH2LoadAsync(port, 32, Length));
        await CompareAsync("wrk, one connection", port => Wrk.RunAsync(port, 1, Length));

        async Task CompareAsync(string load, Func<int, Task<Wrk>> measure)
        {
            var results = ways.ToDictionary(way => way.Name, _ => new List<(Wrk Load, TimeSpan Processor)>());
            for (var round = 0; round < rounds; round++)
            {
                foreach (var (name, port) in ways)
                {
                    var before = ProcessorTime();
                    var result = await measure(port);
                    results[name].Add((result, ProcessorTime() - before));
                }
            }

            var ours = Rate(results[ways[0].Name]);
            Console.WriteLine($"{load}, medians of {rounds}:");
            foreach (var (name, runs) in results)
                Console.WriteLine($"  {name,-15} {Rate(runs),7:0} requests/s, median {runs.Select(run => run.Load.Median.TotalMicroseconds).Median(),5:0} us, ours is {ours / Rate(runs):0.00} times that");
            Console.WriteLine($"  relay and agent take {results[ways[0].Name].Select(run => run.Processor.TotalMicroseconds / run.Load.Rate / Length.TotalSeconds).Median():0.0} us of processor time a request");
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

    private static double Rate(IEnumerable<(Wrk Load, TimeSpan Processor)> runs) => runs.Select(run => run.Load.Rate).Median();
}

using System.Diagnostics;
using Bondline.Protocol;

namespace Bondline.Benchmarks;

/// <summary>Small messages there and back.</summary>
internal static class Requests
{
    public static async Task RunAsync(int connections)
    {
        await using var relay = new LoopbackRelay();
        var (agent, host) = await relay.OpenAsync();
        var echoes = EchoAsync(agent);
        foreach (var name in new[] { "warm-up", "measured" })
        {
            var allocated = GC.GetTotalAllocatedBytes();
            var watch = Stopwatch.StartNew();
            var counts = await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => Task.Run(() => AskAsync(host, watch))));
            Console.WriteLine($"{name}: {counts.Sum() / watch.Elapsed.TotalSeconds:0} requests/s, {(GC.GetTotalAllocatedBytes() - allocated) / (double)counts.Sum():0} bytes allocated each");
        }

        await agent.CloseAsync(ProtocolError.None, "");
        await echoes;
    }

    private static async Task<long> AskAsync(Transport.BondConnection from, Stopwatch watch)
    {
        await using var stream = await from.OpenStreamAsync(new StreamHeader { Kind = StreamKind.Tcp });
        var message = new byte[64];
        var count = 0L;
        for (; watch.Elapsed < TimeSpan.FromSeconds(3); count++)
        {
            await stream.WriteAsync(message);
            await stream.ReadExactlyAsync(message);
        }

        return count;
    }

    private static async Task EchoAsync(Transport.BondConnection at)
    {
        var work = new List<Task>();
        while (await at.AcceptStreamAsync() is { } stream) work.Add(Task.Run(() => ServeAsync(stream)));
        await Task.WhenAll(work);

        static async Task ServeAsync(Transport.BondStream stream)
        {
            var buffer = new byte[4096];
            try
            {
                while (await stream.ReadAsync(buffer) is > 0 and var length) await stream.WriteAsync(buffer.AsMemory(0, length));
                await stream.CompleteWritesAsync();
            }
            catch (Transport.BondStreamException)
            {
                // the asker went
            }
        }
    }
}

using System.Diagnostics;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Benchmarks;

/// <summary>What waits costs memory.</summary>
internal static class Idle
{
    public static async Task StreamsAsync(int number)
    {
        await using var relay = new LoopbackRelay();
        var (agent, host) = await relay.OpenAsync();
        var kept = new List<object>();
        await OpenAsync(1000);
        var before = Memory();
        await OpenAsync(number);
        Print("stream, both ends", number, before);
        GC.KeepAlive(kept);
        await agent.CloseAsync(ProtocolError.None, "");

        async Task OpenAsync(int count)
        {
            for (var i = 0; i < count; i++)
            {
                var near = await host.OpenStreamAsync(new StreamHeader { Kind = StreamKind.Tcp, Tunnel = 1 });
                var far = (await agent.AcceptStreamAsync())!;
                kept.Add(near);
                kept.Add(far);
                kept.Add(near.ReadAsync(Memory<byte>.Empty).AsTask());
                kept.Add(far.ReadAsync(Memory<byte>.Empty).AsTask());
            }
        }
    }

    /// <summary>This process is the relay; another one is all the agents.</summary>
    public static async Task BondsAsync(int number)
    {
        const int First = 50;
        await using var relay = new LoopbackRelay();
        using var agents = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, ["idle-agents", (First + number).ToString(System.Globalization.CultureInfo.InvariantCulture)])
        {
            RedirectStandardInput = true,
        })!;
        await agents.StandardInput.WriteLineAsync(relay.Join.Format());
        await agents.StandardInput.FlushAsync();
        var kept = new List<RelayBond>();
        while (kept.Count < First) kept.Add(await relay.NextBondAsync());
        var before = Memory();
        while (kept.Count < First + number) kept.Add(await relay.NextBondAsync());
        Print("bond, relay", number, before);
        GC.KeepAlive(kept);
        agents.StandardInput.Close();
        await agents.WaitForExitAsync();
    }

    /// <summary>Opens bonds to the relay whose join URL comes on standard input, and keeps them until that ends.</summary>
    public static async Task AgentsAsync(int number)
    {
        if (!JoinUrl.TryParse(await Console.In.ReadLineAsync() ?? "", out var join, out var error)) throw new ArgumentException(error);
        for (var i = 0; i < number; i++) await LoopbackRelay.OpenAgentAsync(join);
        await Console.In.ReadToEndAsync();
        Environment.Exit(0); // the links run until then
    }

    private static (long Managed, long Resident) Memory()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        return (GC.GetTotalMemory(true), Process.GetCurrentProcess().WorkingSet64);
    }

    private static void Print(string what, int number, (long Managed, long Resident) before)
    {
        var after = Memory();
        Console.WriteLine($"idle {what}: {(after.Managed - before.Managed) / number} bytes managed, {(after.Resident - before.Resident) / number} bytes resident");
    }
}

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Bondline.Protocol;

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

    /// <summary>The program's own relay; this process is all the agents. The first fifth of them is what the rest is measured against.</summary>
    public static async Task BondsAsync(string program, int number)
    {
        const int Lines = 30;
        var (each, used) = await MeasureBondsAsync(program, number / 5, number, Lines, Console.Error);
        Console.WriteLine($"idle bond of one subflow: {each} bytes resident at the relay, from {number / 5} bonds to {number}; {used} more each once they have sent {Lines * 16} KB");
    }

    /// <returns>Bytes resident at the relay for each bond beyond the <paramref name="first"/> ones, up to <paramref name="last"/>; what is added when all have sent so many lines of 16 KB.</returns>
    public static async Task<(long Each, long Used)> MeasureBondsAsync(string program, int first, int last, int lines, TextWriter progress)
    {
        await using var tunnels = await LoopbackTunnels.StartRelayAsync(program);
        if (!JoinUrl.TryParse(tunnels.Join, out var join, out var error)) throw new ArgumentException(error);
        await using var agents = new IdleAgents(join);
        await agents.OpenAsync(first);
        var before = await RestingAsync(tunnels.Relay.Id);
        for (var opened = first; opened < last;)
        {
            var more = Math.Min(500, last - opened);
            await agents.OpenAsync(more);
            opened += more;
            await progress.WriteLineAsync($"{opened} bonds: {Resident(tunnels.Relay.Id) >> 20} MB resident at the relay");
        }

        var idle = await RestingAsync(tunnels.Relay.Id);
        var each = (idle - before) / (last - first);
        if (lines == 0) return (each, 0);
        await agents.SendAsync(lines);
        return (each, (await RestingAsync(tunnels.Relay.Id) - idle) / last);
    }

    /// <summary>The program's own relay; visitors' connections that say nothing come from this process, and another one is the local service.</summary>
    public static async Task VisitorsAsync(string program, int number)
    {
        const int First = 500, PerSource = 10_000;
        using var service = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, ["idle-service"]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        var port = int.Parse((await service.StandardOutput.ReadLineAsync())!, System.Globalization.CultureInfo.InvariantCulture);
        await using var tunnels = await LoopbackTunnels.StartAsync(program, withSsh: false, port);
        var visitors = new List<Socket>();
        await OpenAsync(First);
        (long relay, long agent) before = (Resident(tunnels.Relay.Id), Resident(tunnels.Agent.Id));
        await OpenAsync(number);
        Console.WriteLine($"idle visitor of a TCP tunnel: {(Resident(tunnels.Relay.Id) - before.relay) / number} bytes resident at the relay, {(Resident(tunnels.Agent.Id) - before.agent) / number} at the agent");
        foreach (var visitor in visitors) visitor.Dispose();
        service.StandardInput.Close();
        await service.WaitForExitAsync();

        // A byte there and back: then the stream stands at both ends.
        async Task OpenAsync(int count)
        {
            var buffer = new byte[1];
            for (var i = 0; i < count; i++)
            {
                var visitor = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                visitors.Add(visitor);
                visitor.Bind(new IPEndPoint(new IPAddress([127, 0, 0, (byte)(2 + visitors.Count / PerSource)]), 0));
                await visitor.ConnectAsync(IPAddress.Loopback, tunnels.Ours[0]);
                await visitor.SendAsync(buffer);
                if (await visitor.ReceiveAsync(buffer) == 0) throw new IOException($"The tunnel closed visitor {visitors.Count}.");
            }
        }
    }

    /// <summary>Answers each connection's first byte with one, then keeps it until standard input ends.</summary>
    public static async Task ServiceAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1024);
        Console.WriteLine(((IPEndPoint)listener.LocalEndPoint!).Port);
        var kept = new List<Socket>();
        var serving = Task.Run(async () =>
        {
            var buffer = new byte[1];
            while (true)
            {
                var peer = await listener.AcceptAsync();
                kept.Add(peer);
                if (await peer.ReceiveAsync(buffer) > 0) await peer.SendAsync(buffer);
            }
        });
        await Task.WhenAny(Console.In.ReadToEndAsync(), serving);
        Environment.Exit(0);
    }

    /// <summary>What is resident after some of the PINGs that a waiting bond answers.</summary>
    private static async Task<long> RestingAsync(int id)
    {
        await Task.Delay(TimeSpan.FromSeconds(3));
        return Resident(id);
    }

    private static long Resident(int id)
    {
        using var process = Process.GetProcessById(id);
        return process.WorkingSet64;
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

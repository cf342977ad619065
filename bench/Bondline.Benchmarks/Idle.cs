using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Bondline.Lab;
using Bondline.Protocol;

namespace Bondline.Benchmarks;

/// <summary>What waits costs memory.</summary>
internal static class Idle
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(20);

    public static async Task StreamsAsync(int number)
    {
        var (managed, resident) = await MeasureStreamsAsync(number);
        Console.WriteLine($"idle stream, both ends: {managed} bytes managed, {resident} bytes resident");
    }

    /// <returns>Bytes for each stream at both ends together, in the collector's heap and in the process.</returns>
    /// <exception cref="IOException">A stream ended while it was measured.</exception>
    public static async Task<(long Managed, long Resident)> MeasureStreamsAsync(int number)
    {
        await using var relay = new LoopbackRelay();
        var (agent, host) = await relay.OpenAsync();
        var kept = new List<(object Stream, Task Waiting)>();
        await OpenAsync(1000);
        var before = Memory();
        await OpenAsync(number);
        var after = Memory();
        if (kept.Count(each => each.Waiting.IsCompleted) is > 0 and var ended) throw new IOException($"{ended} of {kept.Count} ends do not wait any more.");
        await agent.CloseAsync(ProtocolError.None, "");
        return ((after.Managed - before.Managed) / number, (after.Resident - before.Resident) / number);

        async Task OpenAsync(int count)
        {
            for (var i = 0; i < count; i++)
            {
                var near = await host.OpenStreamAsync(new StreamHeader { Kind = StreamKind.Tcp, Tunnel = 1 });
                var far = (await agent.AcceptStreamAsync())!;
                kept.Add((near, near.ReadAsync(Memory<byte>.Empty).AsTask()));
                kept.Add((far, far.ReadAsync(Memory<byte>.Empty).AsTask()));
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
    /// <exception cref="IOException">A bond ended while it was measured.</exception>
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
        await agents.ThrowIfAnyEndedAsync();
        var each = (idle - before) / (last - first);
        if (lines == 0) return (each, 0);
        await agents.SendAsync(lines);
        var used = await RestingAsync(tunnels.Relay.Id);
        await agents.ThrowIfAnyEndedAsync();
        return (each, (used - idle) / last);
    }

    public static async Task VisitorsAsync(string program, int number)
    {
        var (relay, agent) = await MeasureVisitorsAsync(program, number);
        Console.WriteLine($"idle visitor of a TCP tunnel: {relay} bytes resident at the relay, {agent} at the agent");
    }

    /// <summary>The program's own relay; visitors' connections that say nothing come from this process, and another one is the local service.</summary>
    /// <returns>Bytes resident for each visitor.</returns>
    /// <exception cref="IOException">A visitor's connection ended while it was measured, or so many cannot be opened.</exception>
    public static async Task<(long Relay, long Agent)> MeasureVisitorsAsync(string program, int number)
    {
        const int First = 500, PerSource = 10_000, OtherFiles = 500;
        var files = Math.Max(First + number + OtherFiles, (First + number) * 5 / 4 + 1); // the relay keeps a fifth back for agents
        if (MostOpenFiles() < files) throw new IOException($"{number} visitors need {files} open files in each process; the hard limit is {MostOpenFiles()} (ulimit -Hn).");
        await using var service = LabProcess.Start(null, Path.Combine(AppContext.BaseDirectory, "Bondline.Benchmarks"), ["idle-service"]);
        var port = int.Parse(await service.WaitForLineAsync("", StartLimit), CultureInfo.InvariantCulture);
        await using var tunnels = await LoopbackTunnels.StartAsync(program, withSsh: false, port);
        var visitors = new List<Socket>();
        try
        {
            await OpenAsync(First);
            (long relay, long agent) before = (Resident(tunnels.Relay.Id), Resident(tunnels.Agent.Id));
            await OpenAsync(number);
            (long relay, long agent) after = (Resident(tunnels.Relay.Id), Resident(tunnels.Agent.Id));
            if (visitors.Count(visitor => visitor.Poll(0, SelectMode.SelectRead)) is > 0 and var ended) throw new IOException($"{ended} of {visitors.Count} visitors were closed.");
            return ((after.relay - before.relay) / number, (after.agent - before.agent) / number);
        }
        finally
        {
            foreach (var visitor in visitors) visitor.Dispose();
        }

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

    /// <summary>Says its port, answers each connection's first byte with one, then keeps it until the process is ended.</summary>
    public static async Task ServiceAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1024);
        Console.WriteLine(((IPEndPoint)listener.LocalEndPoint!).Port);
        var kept = new List<Socket>();
        var buffer = new byte[1];
        while (true)
        {
            var peer = await listener.AcceptAsync();
            kept.Add(peer);
            if (await peer.ReceiveAsync(buffer) > 0) await peer.SendAsync(buffer);
        }
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

    /// <summary>The hard limit; .NET raises the soft one to it when a process starts.</summary>
    private static long MostOpenFiles()
    {
        var limit = File.ReadLines("/proc/self/limits").First(line => line.StartsWith("Max open files", StringComparison.Ordinal));
        return long.TryParse(limit.Split(' ', StringSplitOptions.RemoveEmptyEntries)[4], CultureInfo.InvariantCulture, out var most) ? most : long.MaxValue; // "unlimited"
    }
}

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Bondline.Lab;
using Bondline.Linux;

namespace Bondline.Benchmarks;

/// <summary>The program beside <c>ssh -R</c> over loopback, in turn: bulk both ways, and requests to nginx.</summary>
internal static class AgainstSsh
{
    private const int Connections = 32, BlockBytes = 256 << 10;

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(0.5), Length = TimeSpan.FromSeconds(3);

    public static async Task RunAsync(string program, int rounds)
    {
        await using var comparison = await StartAsync(program);
        var results = Comparison.Kinds.ToDictionary(kind => kind, _ => new List<Pair>());
        for (var round = 1; round <= rounds; round++)
        {
            foreach (var kind in Comparison.Kinds)
            {
                var pair = await comparison.MeasureAsync(kind, Length);
                results[kind].Add(pair);
                Console.WriteLine($"{kind}: {pair}");
            }
        }

        foreach (var (kind, pairs) in results)
            Console.WriteLine($"median of {rounds}: {kind}: ours {pairs.Select(pair => pair.Ours).Median():0}, ssh -R {pairs.Select(pair => pair.Ssh).Median():0}, ratio {pairs.Select(pair => pair.Ratio).Median():0.00}");
    }

    /// <summary>Both tunnels, with the services behind them.</summary>
    public static async Task<Comparison> StartAsync(string program)
    {
        var sink = new BulkService(isSource: false);
        var source = new BulkService(isSource: true);
        LoopbackTunnels? tunnels = null;
        try
        {
            var web = LoopbackTunnels.FreePort();
            tunnels = await LoopbackTunnels.StartAsync(program, withSsh: true, source.Port, sink.Port, web);
            tunnels.StartWebServer(web);
            return new(tunnels, source, sink);
        }
        catch
        {
            sink.Dispose();
            source.Dispose();
            if (tunnels is not null) await tunnels.DisposeAsync();
            throw;
        }
    }

    /// <summary>The program alone, so that a profiler beside it sees nothing else.</summary>
    public static async Task AloneAsync(string program, string what, int seconds)
    {
        using var service = new BulkService(isSource: what != "upload");
        var web = LoopbackTunnels.FreePort();
        await using var tunnels = await LoopbackTunnels.StartAsync(program, withSsh: false, service.Port, web);
        tunnels.StartWebServer(web);
        Console.WriteLine($"relay {tunnels.Relay.Id}, agent {tunnels.Agent.Id}");
        var end = Stopwatch.StartNew();
        while (end.Elapsed < TimeSpan.FromSeconds(seconds))
            Console.WriteLine(what == "requests" ? $"{await RequestsAsync(tunnels.Ours[1], Length):0} requests/s" : $"{await BulkAsync(tunnels.Ours[0], what == "upload", Length):0} MB/s");
    }

    private static async Task<double> RequestsAsync(int port, TimeSpan length) => (await Wrk.RunAsync(port, Connections, length)).Rate;

    /// <summary>One visitor's bytes over a TCP tunnel, in MB/s.</summary>
    /// <exception cref="LabException">The kernel has no MPTCP.</exception>
    internal static Task<double> BulkAsync(int port, bool isUpload, TimeSpan length, bool isMultipath = false) => Task.Run(() =>
    {
        using var visitor = CreateSocket(isMultipath);
        visitor.Connect(IPAddress.Loopback, port);
        var block = new byte[BlockBytes];
        var watch = Stopwatch.StartNew();
        long moved = 0, before = 0;
        var isWarm = false;
        while (watch.Elapsed < WarmUp + length)
        {
            moved += isUpload ? visitor.Send(block) : visitor.Receive(block);
            if (isWarm || watch.Elapsed < WarmUp) continue;
            isWarm = true;
            before = moved;
        }

        return (moved - before) / 1e6 / (watch.Elapsed - WarmUp).TotalSeconds;
    });

    private static Socket CreateSocket(bool isMultipath) => isMultipath
        ? MultipathSocket.TryCreate(AddressFamily.InterNetwork) ?? throw new LabException("This kernel has no sockets of MPTCP.")
        : new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    /// <summary>What one measurement of each said, and the cores that ours took.</summary>
    public readonly record struct Pair(double Ours, double Ssh, double RelayCores, double AgentCores)
    {
        public double Ratio => Ours / Ssh;

        public override string ToString() => $"ours {Ours:0} (relay {RelayCores:0.00} cores, agent {AgentCores:0.00}), ssh -R {Ssh:0}";
    }

    /// <summary>The program and <c>ssh -R</c>, side by side.</summary>
    public sealed class Comparison : IAsyncDisposable
    {
        private readonly LoopbackTunnels _tunnels;
        private readonly BulkService _source, _sink;

        internal Comparison(LoopbackTunnels tunnels, BulkService source, BulkService sink) => (_tunnels, _source, _sink) = (tunnels, source, sink);

        /// <summary>What can be measured.</summary>
        public static string[] Kinds { get; } = ["bulk to the visitor, MB/s", "bulk from the visitor, MB/s", $"requests/s, {Connections} connections"];

        public async ValueTask DisposeAsync()
        {
            await _tunnels.DisposeAsync();
            _source.Dispose();
            _sink.Dispose();
        }

        /// <summary>First ours, then ssh's, each for <paramref name="length"/> (whole seconds).</summary>
        public async Task<Pair> MeasureAsync(string kind, TimeSpan length)
        {
            var tunnel = Array.IndexOf(Kinds, kind);
            using var relay = Process.GetProcessById(_tunnels.Relay.Id);
            using var agent = Process.GetProcessById(_tunnels.Agent.Id);
            TimeSpan relayBefore = relay.TotalProcessorTime, agentBefore = agent.TotalProcessorTime;
            var watch = Stopwatch.StartNew();
            var ours = await MeasureAsync(_tunnels.Ours[tunnel]);
            var taken = watch.Elapsed;
            relay.Refresh();
            agent.Refresh();
            return new(ours, await MeasureAsync(_tunnels.Ssh[tunnel]), (relay.TotalProcessorTime - relayBefore) / taken, (agent.TotalProcessorTime - agentBefore) / taken);

            Task<double> MeasureAsync(int port) => tunnel == 2 ? RequestsAsync(port, length) : BulkAsync(port, tunnel == 1, length);
        }
    }

    /// <summary>A local service that sends, or takes, without end.</summary>
    internal sealed class BulkService : IDisposable
    {
        private readonly Socket _listener;
        private readonly bool _isSource;

        /// <exception cref="LabException">The kernel has no MPTCP.</exception>
        public BulkService(bool isSource, bool isMultipath = false)
        {
            (_isSource, _listener) = (isSource, CreateSocket(isMultipath));
            _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _listener.Listen();
            new Thread(Run) { IsBackground = true }.Start();
        }

        public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

        public void Dispose() => _listener.Dispose();

        private void Run()
        {
            var block = new byte[BlockBytes];
            try
            {
                while (true)
                {
                    var peer = _listener.Accept();
                    new Thread(() => Serve(peer)) { IsBackground = true }.Start();
                }
            }
            catch (Exception over) when (over is SocketException or ObjectDisposedException)
            {
                return;
            }

            void Serve(Socket peer)
            {
                using var _ = peer;
                try
                {
                    while (_isSource ? peer.Send(block) > 0 : peer.Receive(block) > 0) { }
                }
                catch (SocketException)
                {
                    // The visitor has seen enough.
                }
            }
        }
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Bondline.Lab;

namespace Bondline.Benchmarks;

/// <summary>The program beside <c>ssh -R</c> over loopback, in turn: bulk both ways, and requests to nginx.</summary>
internal static partial class AgainstSsh
{
    private const int Connections = 32, BlockBytes = 256 << 10;

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(0.5), Length = TimeSpan.FromSeconds(3);

    public static async Task RunAsync(string program, int rounds)
    {
        using var sink = new BulkService(isSource: false);
        using var source = new BulkService(isSource: true);
        var web = LoopbackTunnels.FreePort();
        await using var tunnels = await LoopbackTunnels.StartAsync(program, withSsh: true, source.Port, sink.Port, web);
        StartWebServer(tunnels, web);
        var results = new Dictionary<string, List<(double Ours, double Ssh)>>();
        for (var round = 1; round <= rounds; round++)
        {
            await MeasureAsync("bulk to the visitor, MB/s", 0, port => BulkAsync(port, isUpload: false));
            await MeasureAsync("bulk from the visitor, MB/s", 1, port => BulkAsync(port, isUpload: true));
            await MeasureAsync($"requests/s, {Connections} connections", 2, RequestsAsync);
        }

        foreach (var (what, pairs) in results)
        {
            double ours = Median(pairs.Select(pair => pair.Ours)), ssh = Median(pairs.Select(pair => pair.Ssh));
            Console.WriteLine($"median of {rounds}: {what}: ours {ours:0}, ssh -R {ssh:0}, ratio {Median(pairs.Select(pair => pair.Ours / pair.Ssh)):0.00}");
        }

        async Task MeasureAsync(string what, int tunnel, Func<int, Task<double>> measure)
        {
            using var relay = Process.GetProcessById(tunnels.Relay.Id);
            using var agent = Process.GetProcessById(tunnels.Agent.Id);
            TimeSpan relayBefore = relay.TotalProcessorTime, agentBefore = agent.TotalProcessorTime;
            var watch = Stopwatch.StartNew();
            var ours = await measure(tunnels.Ours[tunnel]);
            var taken = watch.Elapsed;
            relay.Refresh();
            agent.Refresh();
            var ssh = await measure(tunnels.Ssh[tunnel]);
            if (!results.TryGetValue(what, out var pairs)) results.Add(what, pairs = []);
            pairs.Add((ours, ssh));
            Console.WriteLine($"{what}: ours {ours:0} (relay {(relay.TotalProcessorTime - relayBefore) / taken:0.00} cores, agent {(agent.TotalProcessorTime - agentBefore) / taken:0.00}), ssh -R {ssh:0}");
        }
    }

    /// <summary>The program alone, so that a profiler beside it sees nothing else.</summary>
    public static async Task AloneAsync(string program, string what, int seconds)
    {
        using var service = new BulkService(isSource: what != "upload");
        var web = LoopbackTunnels.FreePort();
        await using var tunnels = await LoopbackTunnels.StartAsync(program, withSsh: false, service.Port, web);
        StartWebServer(tunnels, web);
        Console.WriteLine($"relay {tunnels.Relay.Id}, agent {tunnels.Agent.Id}");
        var end = Stopwatch.StartNew();
        while (end.Elapsed < TimeSpan.FromSeconds(seconds))
            Console.WriteLine(what == "requests" ? $"{await RequestsAsync(tunnels.Ours[1]):0} requests/s" : $"{await BulkAsync(tunnels.Ours[0], what == "upload"):0} MB/s");
    }

    private static void StartWebServer(LoopbackTunnels tunnels, int port)
    {
        var settings = tunnels.WriteFile("nginx.conf", $$"""
            worker_processes 1;
            daemon off;
            pid {{tunnels.WriteFile("nginx.pid", "")}};
            error_log /dev/null;
            events { worker_connections 1024; }
            http {
              access_log off;
              keepalive_requests 100000000;
              server { listen 127.0.0.1:{{port}}; location / { return 200 "hello\n"; } }
            }
            """);
        tunnels.Start("/usr/sbin/nginx", "-c", settings);
    }

    private static async Task<double> RequestsAsync(int port)
    {
        var seconds = (int)Length.TotalSeconds;
        var run = await LabProcess.RunAsync(null, "wrk", ["-t1", $"-c{Connections}", $"-d{seconds}s", $"http://127.0.0.1:{port}/"]);
        var rate = RequestRate().Match(run.ThrowIfFailed("wrk").Output);
        if (!rate.Success || run.Output.Contains("Socket errors", StringComparison.Ordinal)) throw new LabException($"wrk: {run.Output}");
        return double.Parse(rate.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
    }

    private static Task<double> BulkAsync(int port, bool isUpload) => Task.Run(() =>
    {
        using var visitor = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        visitor.Connect(IPAddress.Loopback, port);
        var block = new byte[BlockBytes];
        var watch = Stopwatch.StartNew();
        long moved = 0, before = 0;
        var isWarm = false;
        while (watch.Elapsed < WarmUp + Length)
        {
            moved += isUpload ? visitor.Send(block) : visitor.Receive(block);
            if (isWarm || watch.Elapsed < WarmUp) continue;
            isWarm = true;
            before = moved;
        }

        return (moved - before) / 1e6 / (watch.Elapsed - WarmUp).TotalSeconds;
    });

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
    }

    [GeneratedRegex(@"Requests/sec:\s+([\d.]+)")]
    private static partial Regex RequestRate();

    /// <summary>A local service that sends, or takes, without end.</summary>
    private sealed class BulkService : IDisposable
    {
        private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        private readonly bool _isSource;

        public BulkService(bool isSource)
        {
            _isSource = isSource;
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

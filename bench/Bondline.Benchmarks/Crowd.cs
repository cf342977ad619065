using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Bondline.Lab;

namespace Bondline.Benchmarks;

/// <summary>What a request through an HTTP tunnel costs the relay and its agent while a crowd is idle beside it: other tunnels, or WebSockets.</summary>
internal sealed class Crowd : IAsyncDisposable
{
    private const int Rounds = 5, Connections = 32;

    /// <summary>A relay gives an agent 64 at most.</summary>
    private const int TunnelsPerAgent = 50;

    // Of "dGhlIHNhbXBsZSBub25jZQ==", as in RFC 6455 section 1.3.
    private const string Key = "dGhlIHNhbXBsZSBub25jZQ==", Accepted = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30), Length = TimeSpan.FromSeconds(1);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-crowd-");
    private readonly string _program;
    private readonly int _web = LoopbackTunnels.FreePort(), _https = LoopbackTunnels.FreePort();
    private readonly TcpListener _sockets = new(IPAddress.Loopback, 0);
    private readonly List<LabProcess> _processes = [];
    private LabProcess _relay = null!, _agent = null!;
    private int _webPort, _socketPort;

    private Crowd(string program) => _program = program;

    private string DataFolder => Path.Combine(_folder.FullName, "relay");

    public static async Task RunAsync(string program)
    {
        Console.WriteLine($"processor time a request, beside 1,000 tunnels: {await TunnelsAsync(program, 1000)}");
        Console.WriteLine($"processor time a request, beside 5,000 idle WebSockets: {await WebSocketsAsync(program, 5000)}");
    }

    /// <summary>Beside so many tunnels of other agents.</summary>
    /// <exception cref="LabException">Something did not start, or a request failed.</exception>
    public static async Task<Comparison> TunnelsAsync(string program, int number)
    {
        await using var crowd = await StartAsync(program);
        return await crowd.CompareAsync(async () =>
        {
            var others = new OtherAgents();
            foreach (var ports in Enumerable.Range(20_000, number).Chunk(TunnelsPerAgent)) others.Add(await crowd.StartAgentAsync($"others-{ports[0]}", ["http", .. ports.Select(port => $"{port}"), "--json"]), ports.Length);
            await others.WaitUntilReadyAsync();
            return others;
        });
    }

    /// <summary>Beside so many WebSockets to another service of the same agent; all of them still carry bytes in the end.</summary>
    /// <inheritdoc cref="TunnelsAsync"/>
    public static async Task<Comparison> WebSocketsAsync(string program, int number)
    {
        await using var crowd = await StartAsync(program);
        using var stop = new CancellationTokenSource();
        var serving = crowd.ServeSocketsAsync(stop.Token);
        var comparison = await crowd.CompareAsync(async () =>
        {
            var visitors = new Visitors();
            for (var i = 0; i < number; i++) await visitors.OpenAsync(crowd._socketPort);
            return visitors;
        });
        await stop.CancelAsync();
        await serving;
        return comparison;
    }

    public async ValueTask DisposeAsync()
    {
        _sockets.Dispose();
        for (var i = _processes.Count - 1; i >= 0; i--) await _processes[i].DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static async Task<Crowd> StartAsync(string program)
    {
        var crowd = new Crowd(program);
        try
        {
            await crowd.StartAsync();
            return crowd;
        }
        catch
        {
            await crowd.DisposeAsync();
            throw;
        }
    }

    private async Task StartAsync()
    {
        var settings = Path.Combine(_folder.FullName, "nginx");
        await File.WriteAllTextAsync(settings, LoopbackTunnels.WebServerSettings(_web, null, Path.Combine(_folder.FullName, "nginx.pid")));
        _processes.Add(LabProcess.Start(null, "/usr/sbin/nginx", ["-c", settings]));
        _relay = LabProcess.Start(null, _program, ["relay", "--listen", "127.0.0.1", "--https-port", $"{_https}", "--http-port", "0", "--tcp-ports", "7000-8999", "--data", DataFolder, "--json"]);
        _processes.Add(_relay);
        await _relay.WaitForLineAsync("\"listening\"", StartLimit);
        _sockets.Start();
        var sockets = ((IPEndPoint)_sockets.LocalEndpoint).Port;
        _agent = await StartAgentAsync("agent", ["http", $"{_web}", $"{sockets}", "--json"]);
        for (var i = 0; i < 2; i++)
        {
            using var ready = JsonDocument.Parse(await _agent.WaitForLineAsync("\"ready\"", StartLimit));
            var port = new Uri(ready.RootElement.GetProperty("url").GetString()!).Port;
            if (ready.RootElement.GetProperty("local").GetString()!.EndsWith($":{_web}", StringComparison.Ordinal)) _webPort = port;
            else _socketPort = port;
        }
    }

    /// <summary>Each has a token of its own, for the relay gives a token 256 ports at most.</summary>
    private async Task<LabProcess> StartAgentAsync(string name, string[] arguments)
    {
        var join = (await LabProcess.RunAsync(null, _program, ["relay", "token", "create", name, "--data", DataFolder, "--host", $"127.0.0.1:{_https}"])).ThrowIfFailed("bondline relay token create").Output.Trim();
        var process = LabProcess.Start(null, _program, arguments, new Dictionary<string, string> { ["BONDLINE_RELAY"] = join, ["XDG_CONFIG_HOME"] = Path.Combine(_folder.FullName, name) });
        _processes.Add(process);
        return process;
    }

    /// <summary>Before the crowd comes, while it is there, and when it is gone.</summary>
    private async Task<Comparison> CompareAsync<T>(Func<Task<T>> come)
        where T : IAsyncDisposable
    {
        List<double> alone = [], crowded = [];
        await MeasureAsync([]); // pools fill
        await MeasureAsync(alone);
        await using (await come()) await MeasureAsync(crowded);
        await MeasureAsync(alone);
        return new(alone.Median(), crowded.Median());
    }

    private async Task MeasureAsync(List<double> costs)
    {
        for (var round = 0; round < Rounds; round++)
        {
            var before = _relay.ProcessorTime + _agent.ProcessorTime;
            var load = await Wrk.RunAsync(_webPort, Connections, Length);
            costs.Add((_relay.ProcessorTime + _agent.ProcessorTime - before).TotalMicroseconds / load.Requests);
        }
    }

    /// <summary>Answers each upgrade and sends back what comes after it.</summary>
    private async Task ServeSocketsAsync(CancellationToken stop)
    {
        var serving = new List<Task>();
        try
        {
            while (true) serving.Add(ServeAsync(await _sockets.AcceptSocketAsync(stop), stop));
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(serving);
        }

        static async Task ServeAsync(Socket accepted, CancellationToken stop)
        {
            using var socket = accepted;
            try
            {
                await ReadHeadAsync(socket, stop);
                await socket.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {Accepted}\r\n\r\n"), stop);
                var bytes = new byte[16];
                for (int length; (length = await socket.ReceiveAsync(bytes, stop)) > 0;) await socket.SendAsync(bytes.AsMemory(0, length), stop);
            }
            catch (Exception over) when (over is OperationCanceledException or SocketException)
            {
                // its visitor is gone
            }
        }
    }

    private static async Task<string> ReadHeadAsync(Socket socket, CancellationToken stop = default)
    {
        var head = new StringBuilder();
        var one = new byte[1]; // not a byte of what follows
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await socket.ReceiveAsync(one, stop) == 1) head.Append((char)one[0]);
        return head.ToString();
    }

    /// <summary>Processor time of relay and agent for a request, in microseconds.</summary>
    internal sealed record Comparison(double Alone, double Crowded)
    {
        public double Ratio => Crowded / Alone;

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Ratio:0.00} times that alone ({Crowded:0.0} us, {Alone:0.0} us)");
    }

    /// <summary>Agents with tunnels nobody visits.</summary>
    private sealed class OtherAgents : IAsyncDisposable
    {
        private readonly List<(LabProcess Agent, int Tunnels)> _agents = [];

        public void Add(LabProcess agent, int tunnels) => _agents.Add((agent, tunnels));

        public async Task WaitUntilReadyAsync()
        {
            foreach (var (agent, tunnels) in _agents)
                for (var ready = 0; ready < tunnels; ready++) await agent.WaitForLineAsync("\"ready\"", StartLimit);
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var (agent, _) in _agents) await agent.DisposeAsync();
        }
    }

    /// <summary>Clients of WebSockets that say nothing until they leave.</summary>
    private sealed class Visitors : IAsyncDisposable
    {
        private readonly List<Socket> _open = [];

        public async Task OpenAsync(int port)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            _open.Add(socket);
            await socket.ConnectAsync(IPAddress.Loopback, port);
            await socket.SendAsync(Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: crowd\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {Key}\r\n\r\n"));
            var head = await ReadHeadAsync(socket);
            if (!head.StartsWith("HTTP/1.1 101 ", StringComparison.Ordinal)) throw new LabException($"a WebSocket was answered with {head}");
        }

        public async ValueTask DisposeAsync()
        {
            var bytes = new byte[1];
            foreach (var socket in _open)
            {
                await socket.SendAsync(new byte[] { 7 });
                if (await socket.ReceiveAsync(bytes) != 1 || bytes[0] != 7) throw new LabException("an idle WebSocket was cut");
                socket.Dispose();
            }
        }
    }
}

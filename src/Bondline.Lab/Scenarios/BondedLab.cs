using System.Text.Json;

namespace Bondline.Lab;

/// <summary>A lab in which a relay runs behind the links and an agent on the laptop, each the real program as its own process.</summary>
/// <remarks>Everything it writes goes to a folder of its own, removed at the end. Relay: 10.77.100.1, TLS port 8443, HTTP 8000, TCP tunnels 7000-7099, domain lab.test.</remarks>
public sealed class BondedLab : ILabTunnel
{
    public const int TlsPort = 8443, HttpPort = 8000;

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(20);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-lab-");
    private readonly Dictionary<string, string> _environment;
    private readonly List<string> _events = [];
    private string[] _agentArguments = [];

    private BondedLab(LabNetwork network)
    {
        Network = network;
        _environment = new()
        {
            ["XDG_CONFIG_HOME"] = Path.Combine(_folder.FullName, "config"),
            ["XDG_STATE_HOME"] = Path.Combine(_folder.FullName, "state"),
            ["HOME"] = _folder.FullName,
        };
    }

    public LabNetwork Network { get; }

    public LabProcess Relay { get; private set; } = null!;

    public LabProcess Agent { get; private set; } = null!;

    /// <summary>What the agent is given as <c>--paths</c>; null: every link.</summary>
    public string? Paths { get; init; }

    /// <summary>What the agent is given as <c>--mode</c>; null: nothing.</summary>
    public string? Mode { get; init; }

    /// <summary>What the agent is given as <c>--carrier</c>; null: nothing. With mptcp or auto it chooses its networks itself, as the kernel does.</summary>
    public string? Carrier { get; init; }

    /// <summary>What the relay is given besides; counts from its next start on.</summary>
    public IReadOnlyList<string> RelayArguments { get; set; } = [];

    /// <summary>What a program needs to be an agent of this lab's relay; what is added counts from the next start on.</summary>
    public Dictionary<string, string> AgentEnvironment => _environment;

    /// <summary>The URL each local target got from the last start of the agent.</summary>
    public IReadOnlyDictionary<string, string> Urls { get; private set; } = new Dictionary<string, string>();

    /// <summary>Every line of JSON the agent printed until it was ready.</summary>
    public IReadOnlyList<string> AgentEvents => _events;

    /// <summary>Starts the network and the relay; <paramref name="paths"/> becomes <see cref="Paths"/>, <paramref name="mode"/> <see cref="Mode"/>, <paramref name="carrier"/> <see cref="Carrier"/>.</summary>
    public static async Task<BondedLab> StartAsync(LabOptions? options = null, string? paths = null, string? mode = null, string? carrier = null)
    {
        var lab = new BondedLab(await LabNetwork.StartAsync(options ?? new())) { Paths = paths, Mode = mode, Carrier = carrier };
        try
        {
            if (carrier is not null) await lab.Network.AllowSubflowsAtRelayAsync();
            await lab.StartRelayAsync();
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    public async Task StartRelayAsync()
    {
        Relay = LabProcess.Start(Network.Relay, Network.Program,
            ["relay", "--listen", $"{LabNetwork.Address}", "--https-port", $"{TlsPort}", "--http-port", $"{HttpPort}", "--tcp-ports", "7000-7099", "--domain", "lab.test", "--data", Path.Combine(_folder.FullName, "relay"), "--json", "--stats", .. RelayArguments],
            _environment);
        await Relay.WaitForLineAsync("\"listening\"", StartLimit);
        if (_environment.ContainsKey("BONDLINE_RELAY")) return;
        var created = await LabProcess.RunAsync(Network.Relay, Network.Program, ["relay", "token", "create", "lab", "--data", Path.Combine(_folder.FullName, "relay"), "--host", $"{LabNetwork.Address}:{TlsPort}"]);
        _environment["BONDLINE_RELAY"] = created.ThrowIfFailed("bondline relay token create").Output.Trim();
    }

    /// <summary>The root certificate behind the relay's <c>https://</c> addresses, as PEM.</summary>
    public async Task<string> RootAsync() =>
        (await LabProcess.RunAsync(Network.Relay, Network.Program, ["relay", "ca", "--quiet", "--data", Path.Combine(_folder.FullName, "relay")])).ThrowIfFailed("bondline relay ca").Output;

    /// <summary>Starts the agent afresh and waits until it uses every link.</summary>
    public async Task OpenAsync(params int[] localPorts)
    {
        if (Agent is not null) await Agent.DisposeAsync();
        await StartAgentAsync(localPorts);
        await WaitForAllPathsAsync();
    }

    /// <summary>Starts <c>bondline tcp</c> over all links for local ports and waits until every tunnel is ready.</summary>
    public Task StartAgentAsync(params int[] ports) => StartAgentAsync(ports.Length, ["tcp", .. ports.Select(port => $"{port}")]);

    /// <summary>Starts the agent with a command line of its own; <c>--paths</c>, <c>--mode</c>, <c>--carrier</c>, <c>--json</c> and <c>--stats</c> are added.</summary>
    public async Task StartAgentAsync(int tunnels, IEnumerable<string> arguments)
    {
        _agentArguments = [.. arguments];
        Agent = LabProcess.Start(Network.Laptop, Network.Program, [.. _agentArguments, .. PathArguments, .. Mode is null ? (string[])[] : ["--mode", Mode], "--json", "--stats"], _environment);
        await WaitUntilReadyAsync(tunnels);
    }

    private string[] PathArguments => Carrier is not null ? ["--carrier", Carrier] : ["--paths", Paths ?? string.Join(',', Network.Links.Select(link => link.Name))];

    /// <summary>Starts the agent again with the same command line, as after a crash.</summary>
    public Task RestartAgentAsync() => StartAgentAsync(Urls.Count, _agentArguments);

    /// <summary>Waits until every link has an active path, or one of kernel MPTCP that leads over all of them.</summary>
    public async Task WaitForAllPathsAsync()
    {
        var waiting = Network.Links.Select(link => link.Name).ToHashSet();
        using var late = Deadline();
        foreach (var line in _events) Note(line);
        while (waiting.Count > 0) Note(await ReadAsync(Agent, $"{string.Join(", ", waiting)} active", late.Token));

        void Note(string line)
        {
            using var json = JsonDocument.Parse(line);
            if (!json.RootElement.TryGetProperty("path", out var path) || !json.RootElement.TryGetProperty("state", out var state)) return;
            if (path.ValueKind != JsonValueKind.String) return;
            if (state.GetString() != "active") return;
            waiting.Remove(path.GetString()!);
            if (path.GetString() == "mptcp" && json.RootElement.TryGetProperty("detail", out var detail)) waiting.RemoveWhere(link => detail.GetString()!.Split(' ', ',').Contains(link));
        }
    }

    /// <summary>The own numbers of the agent, or downward of the relay, from the next line of them, a second apart.</summary>
    public async Task<SentBytes?> SentAsync(Flow flow)
    {
        var (sender, newBytes) = flow == Flow.Up ? (Agent, "upBytes") : (Relay, "downBytes");
        while (sender.TryReadLine(out _))
        {
            // what was printed before now
        }
        using var late = Deadline();
        while (true)
        {
            using var json = JsonDocument.Parse(await ReadAsync(sender, "statistics", late.Token));
            var root = json.RootElement;
            if (root.GetProperty("event").GetString() == "stats")
                return new(Number(newBytes), Number("framingBytes"), Number("reinjectedBytes"), Number("duplicatedBytes"));

            long Number(string name) => root.GetProperty(name).GetInt64();
        }
    }

    /// <summary>The visitors' address of the tunnel to a local port.</summary>
    public System.Net.IPEndPoint Visit(int localPort) =>
        new(LabNetwork.Address, new Uri(Urls.First(url => url.Key.EndsWith($":{localPort}", StringComparison.Ordinal)).Value).Port);

    /// <summary>Reads what the agent prints until a line is what is waited for; twenty seconds at most.</summary>
    /// <param name="holds">Whether it is; asked once for each line.</param>
    /// <param name="what">Named if it does not come.</param>
    /// <exception cref="LabException">It did not come.</exception>
    public async Task WaitForAgentAsync(Func<string, bool> holds, string what)
    {
        using var late = Deadline();
        while (!holds(await ReadAsync(Agent, what, late.Token)))
        {
            // another line
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Agent is not null) await Agent.DisposeAsync();
        if (Relay is not null) await Relay.DisposeAsync();
        await Network.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    // For all of a wait: with --stats a line comes every second, whatever else does not.
    private static CancellationTokenSource Deadline() => new(StartLimit);

    private static async Task<string> ReadAsync(LabProcess program, string what, CancellationToken late)
    {
        try
        {
            return await program.ReadLineAsync(late) ?? throw new LabException($"The program ended before it printed: {what}. {program.Error}");
        }
        catch (OperationCanceledException)
        {
            throw new LabException($"The program did not print within {StartLimit.TotalSeconds} s: {what}. {program.Error}");
        }
    }

    private async Task WaitUntilReadyAsync(int tunnels)
    {
        var urls = new Dictionary<string, string>();
        _events.Clear();
        using var late = Deadline();
        while (urls.Count < tunnels)
        {
            var line = await ReadAsync(Agent, "every tunnel ready", late.Token);
            _events.Add(line);
            using var json = JsonDocument.Parse(line);
            var root = json.RootElement;
            if (root.GetProperty("event").GetString() == "ready") urls[root.GetProperty("local").GetString()!] = root.GetProperty("url").GetString()!;
            if (root.GetProperty("event").GetString() == "error" && root.GetProperty("code").GetString() != "local-unreachable") throw new LabException($"The agent failed: {line}");
        }
        Urls = urls;
    }
}

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Bondline.Lab;

namespace Bondline.Benchmarks;

/// <summary>The program's relay and agent and, beside them, an sshd and <c>ssh -R</c>, all on 127.0.0.1, with tunnels to the same local ports.</summary>
internal sealed class LoopbackTunnels : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(20);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-bench-");
    private readonly string _program;
    private readonly List<LabProcess> _processes = [];

    private LoopbackTunnels(string program) => _program = program;

    /// <summary>The public ports of the program's tunnels, in the order of the local ones.</summary>
    public int[] Ours { get; private set; } = [];

    /// <summary>Those of <c>ssh -R</c>.</summary>
    public int[] Ssh { get; private set; } = [];

    public LabProcess Relay { get; private set; } = null!;

    /// <summary>What an agent needs to join the relay.</summary>
    public string Join { get; private set; } = "";

    public LabProcess Agent { get; private set; } = null!;

    /// <summary>The relay alone.</summary>
    public static async Task<LoopbackTunnels> StartRelayAsync(string program)
    {
        var tunnels = new LoopbackTunnels(program);
        try
        {
            await tunnels.StartRelayAsync();
            return tunnels;
        }
        catch
        {
            await tunnels.DisposeAsync();
            throw;
        }
    }

    /// <summary>TCP tunnels.</summary>
    public static Task<LoopbackTunnels> StartAsync(string program, bool withSsh, params int[] localPorts) => StartAsync(program, "tcp", withSsh, localPorts);

    /// <summary>HTTP tunnels, each with a port of its own.</summary>
    public static Task<LoopbackTunnels> StartHttpAsync(string program, bool withSsh, params int[] localPorts) => StartAsync(program, "http", withSsh, localPorts);

    /// <summary>TCP tunnels over the carrier named, once the agent says that it carries.</summary>
    public static Task<LoopbackTunnels> StartCarriedAsync(string program, string carrier, params int[] localPorts) => StartAsync(program, "tcp", withSsh: false, localPorts, carrier);

    private static async Task<LoopbackTunnels> StartAsync(string program, string kind, bool withSsh, int[] localPorts, string carrier = "bond")
    {
        var tunnels = new LoopbackTunnels(program);
        try
        {
            await tunnels.StartOursAsync(kind, localPorts, carrier);
            if (withSsh) await tunnels.StartSshAsync(localPorts);
            return tunnels;
        }
        catch
        {
            await tunnels.DisposeAsync();
            throw;
        }
    }

    /// <summary>A port nobody listens on now.</summary>
    public static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    public LabProcess Start(string file, params IEnumerable<string> arguments)
    {
        var process = LabProcess.Start(null, file, arguments);
        _processes.Add(process);
        return process;
    }

    /// <summary>An nginx that answers every request with a few bytes, or passes it on to another port.</summary>
    public void StartWebServer(int port, int? next = null) =>
        Start("/usr/sbin/nginx", "-c", WriteFile($"nginx-{port}.conf", WebServerSettings(port, next, Path($"nginx-{port}.pid"))));

    /// <summary>What nginx is told for <see cref="StartWebServer"/>.</summary>
    public static string WebServerSettings(int port, int? next, string pidFile)
    {
        var location = next is null ? "return 200 \"hello\\n\";" : "proxy_pass http://next; proxy_http_version 1.1; proxy_set_header Connection \"\";";
        return $$"""
            worker_processes 1;
            daemon off;
            pid {{pidFile}};
            error_log /dev/null;
            events { worker_connections 1024; }
            http {
              access_log off;
              keepalive_requests 100000000;
              {{(next is null ? "" : $"upstream next {{ server 127.0.0.1:{next}; keepalive 64; keepalive_requests 100000000; }}")}}
              server { listen 127.0.0.1:{{port}}; location / { {{location}} } }
            }
            """;
    }

    public string WriteFile(string name, string text)
    {
        File.WriteAllText(Path(name), text);
        return Path(name);
    }

    public async ValueTask DisposeAsync()
    {
        for (var i = _processes.Count - 1; i >= 0; i--) await _processes[i].DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private async Task StartRelayAsync()
    {
        var port = FreePort();
        var data = Path("relay");
        Relay = Start(_program, "relay", "--listen", "127.0.0.1", "--https-port", $"{port}", "--http-port", $"{FreePort()}", "--tcp-ports", "7000-7099", "--data", data, "--json");
        await Relay.WaitForLineAsync("\"listening\"", StartLimit);
        var join = await LabProcess.RunAsync(null, _program, ["relay", "token", "create", "bench", "--data", data, "--host", $"127.0.0.1:{port}"]);
        Join = join.ThrowIfFailed("bondline relay token create").Output.Trim();
    }

    private async Task StartOursAsync(string kind, int[] localPorts, string carrier)
    {
        await StartRelayAsync();
        var joinFile = WriteFile("join", Join);
        Agent = Start(_program, [kind, .. localPorts.Select(local => $"{local}"), "--relay", $"@{joinFile}", "--carrier", carrier, "--json"]);
        var scheme = kind == "http" ? "http://127.0.0.1:" : "tcp://127.0.0.1:";
        Ours = new int[localPorts.Length];
        for (var i = 0; i < localPorts.Length; i++)
        {
            var ready = await Agent.WaitForLineAsync("\"ready\"", StartLimit);
            var local = Array.FindIndex(localPorts, each => ready.Contains($":{each}\"", StringComparison.Ordinal));
            if (!ready.Contains($"\"carrier\":\"{carrier}\"", StringComparison.Ordinal)) throw new LabException($"The agent is not carried by {carrier}: {ready}");
            Ours[local] = int.Parse(ready.AsSpan(ready.IndexOf(scheme, StringComparison.Ordinal) + scheme.Length, 4), CultureInfo.InvariantCulture);
        }
    }

    private async Task StartSshAsync(int[] localPorts)
    {
        foreach (var key in (string[])["host", "id"])
            (await LabProcess.RunAsync(null, "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", Path(key)])).ThrowIfFailed("ssh-keygen");
        File.Copy(Path("id.pub"), Path("authorized"));
        Directory.CreateDirectory("/run/sshd"); // sshd insists on it
        var port = FreePort();
        var settings = WriteFile("sshd.conf", $"""
            Port {port}
            ListenAddress 127.0.0.1
            HostKey {Path("host")}
            AuthorizedKeysFile {Path("authorized")}
            StrictModes no
            PermitRootLogin yes
            UsePAM no
            PidFile {Path("pid")}

            """);
        Start("/usr/sbin/sshd", "-D", "-f", settings);
        await UntilAsync(() => File.Exists(Path("pid")), "sshd did not start");
        Ssh = [.. localPorts.Select(_ => FreePort())];
        var client = Start("ssh",
        [
            "-v", "-N", "-F", "none", "-p", $"{port}", "-i", Path("id"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ExitOnForwardFailure=yes",
            .. localPorts.SelectMany((local, i) => new[] { "-R", $"{Ssh[i]}:127.0.0.1:{local}" }), "root@127.0.0.1",
        ]);
        // ssh says on standard error when a forward stands; there is no line for it on standard output.
        await client.WaitForErrorAsync(error => error.Split("remote forward success").Length > localPorts.Length, "every forward stands", StartLimit);
    }

    private static async Task UntilAsync(Func<bool> isSo, string otherwise)
    {
        using var late = new CancellationTokenSource(StartLimit);
        while (!isSo())
        {
            if (late.IsCancellationRequested) throw new LabException(otherwise);
            await Task.Delay(50, CancellationToken.None);
        }
    }

    private string Path(string name) => System.IO.Path.Combine(_folder.FullName, name);
}

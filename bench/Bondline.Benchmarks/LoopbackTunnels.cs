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

    public static async Task<LoopbackTunnels> StartAsync(string program, bool withSsh, params int[] localPorts)
    {
        var tunnels = new LoopbackTunnels(program);
        try
        {
            await tunnels.StartOursAsync(localPorts);
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

    private async Task StartOursAsync(int[] localPorts)
    {
        await StartRelayAsync();
        var joinFile = WriteFile("join", Join);
        Agent = Start(_program, ["tcp", .. localPorts.Select(local => $"{local}"), "--relay", $"@{joinFile}", "--json"]);
        Ours = new int[localPorts.Length];
        for (var i = 0; i < localPorts.Length; i++)
        {
            var ready = await Agent.WaitForLineAsync("\"ready\"", StartLimit);
            var local = Array.FindIndex(localPorts, each => ready.Contains($":{each}\"", StringComparison.Ordinal));
            Ours[local] = int.Parse(ready.AsSpan(ready.IndexOf("tcp://127.0.0.1:", StringComparison.Ordinal) + "tcp://127.0.0.1:".Length, 4), CultureInfo.InvariantCulture);
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

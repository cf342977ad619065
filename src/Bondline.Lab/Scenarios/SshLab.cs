using System.Net;

namespace Bondline.Lab;

/// <summary><c>ssh -R</c> from the laptop to an sshd at the relay, OpenSSH's own, plain or under <c>mptcpize run</c>: what people do today.</summary>
public sealed class SshLab : ILabTunnel
{
    private const int Port = 2222;

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(20);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-ssh-");
    private readonly bool _isMultipath;
    private readonly Dictionary<int, int> _ports = [];
    private LabProcess _server = null!;
    private LabProcess? _client;

    private SshLab(LabNetwork network, bool isMultipath) => (Network, _isMultipath) = (network, isMultipath);

    public LabNetwork Network { get; }

    /// <summary>Starts a network and its sshd; keys are made for it.</summary>
    public static async Task<SshLab> StartAsync(LabOptions options, bool isMultipath)
    {
        var lab = new SshLab(await LabNetwork.StartAsync(options with { UseMultipathTcp = isMultipath }), isMultipath);
        try
        {
            await lab.StartServerAsync();
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    public Task<SentBytes?> SentAsync(Flow flow) => Task.FromResult<SentBytes?>(null);

    public async Task OpenAsync(params int[] localPorts)
    {
        if (_client is not null) await _client.DisposeAsync();
        _ports.Clear();
        foreach (var port in localPorts) _ports.Add(port, 7000 + _ports.Count);
        _client = LabProcess.Start(Network.Laptop, Program("ssh"), Arguments("ssh",
        [
            "-v", "-N", "-F", "none", "-p", $"{Port}", "-i", Path("id"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ExitOnForwardFailure=yes",
            .. _ports.SelectMany(port => new[] { "-R", $"{LabNetwork.Address}:{port.Value}:127.0.0.1:{port.Key}" }), $"root@{LabNetwork.Address}",
        ]));
        // ssh says on standard error when a forward stands; there is no line for it on standard output.
        await _client.WaitForErrorAsync(error => error.Split("remote forward success").Length > localPorts.Length, "every forward stands", StartLimit);
    }

    public IPEndPoint Visit(int localPort) => new(LabNetwork.Address, _ports[localPort]);

    public async ValueTask DisposeAsync()
    {
        if (_client is not null) await _client.DisposeAsync();
        if (_server is not null) await _server.DisposeAsync();
        await Network.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private async Task StartServerAsync()
    {
        foreach (var key in (string[])["host", "id"])
            (await LabProcess.RunAsync(null, "ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", Path(key)])).ThrowIfFailed("ssh-keygen");
        File.Copy(Path("id.pub"), Path("authorized"));
        Directory.CreateDirectory("/run/sshd"); // sshd insists on it
        await File.WriteAllLinesAsync(Path("sshd.conf"),
        [
            $"Port {Port}", $"ListenAddress {LabNetwork.Address}", $"HostKey {Path("host")}", $"AuthorizedKeysFile {Path("authorized")}", "StrictModes no",
            "PermitRootLogin yes", "GatewayPorts clientspecified", "UsePAM no", $"PidFile {Path("pid")}",
        ]);
        _server = LabProcess.Start(Network.Relay, Program("/usr/sbin/sshd"), Arguments("/usr/sbin/sshd", ["-D", "-f", Path("sshd.conf")]));
        using var late = new CancellationTokenSource(StartLimit);
        while (!File.Exists(Path("pid")))
        {
            if (_server.HasExited || late.IsCancellationRequested) throw new LabException($"sshd did not start: {_server.Error}");
            await Task.Delay(50, CancellationToken.None);
        }
    }

    private string Path(string name) => System.IO.Path.Combine(_folder.FullName, name);

    private string Program(string program) => _isMultipath ? "mptcpize" : program;

    private IEnumerable<string> Arguments(string program, IEnumerable<string> arguments) => _isMultipath ? ["run", program, .. arguments] : arguments;
}

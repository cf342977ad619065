using System.Net;
using System.Net.Sockets;
using System.Text;
using Bondline.Lab;
using Bondline.Linux;

namespace Bondline.EndToEnd;

/// <summary><c>bondline run --unit</c> for a service that a real systemd starts, reloads, restarts and stops.</summary>
[Trait("Mode", "long")]
public sealed class RunServiceTests
{
    private const int Port = 8080;
    private const string Folder = "/etc/systemd/system";

    private const string Unit = """
        [Unit]
        Description=A test
        [Service]
        Type=notify
        ExecStart=/usr/bin/python3 -u /usr/local/lib/service.py 8080
        ExecReload=/bin/kill -HUP $MAINPID

        """;

    private const string Sandbox = """
        DynamicUser=yes
        NoNewPrivileges=yes
        CapabilityBoundingSet=
        RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
        SystemCallFilter=@system-service
        SystemCallArchitectures=native
        MemoryDenyWriteExecute=yes
        RestrictNamespaces=yes
        LockPersonality=yes
        ProtectSystem=strict
        ProtectHome=yes
        ProtectProc=invisible
        ProcSubset=pid
        PrivateTmp=yes
        PrivateDevices=yes

        """;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData("")]
    [InlineData(Sandbox)]
    public async Task A_service_has_MPTCP_sockets_and_is_otherwise_as_before_until_that_is_undone(string sandbox)
    {
        await using var network = await LabNetwork.StartAsync(new());
        await using var machine = await SystemdMachine.CreateAsync();
        File.Copy(Path.Combine(Path.GetDirectoryName(WebPrograms.Samples)!, "Fetch", "service.py"), machine.PathOf("/usr/local/lib/service.py"));
        await File.WriteAllTextAsync(machine.PathOf($"{Folder}/try.service"), Unit + sandbox);
        await machine.BootAsync(network.Laptop);
        await machine.AskAsync("systemctl", "start", "try");
        Assert.False((await VisitAsync(network)).IsMultipath);

        // Written twice, it says the same: what systemd shows of the service is then partly its own.
        await machine.AskAsync("bondline", "run", "--unit", "try");
        var dropIn = await File.ReadAllTextAsync(machine.PathOf($"{Folder}/try.service.d/zz-bondline-mptcp.conf"));
        await machine.AskAsync("bondline", "run", "--unit", "try");
        Assert.Equal(dropIn, await File.ReadAllTextAsync(machine.PathOf($"{Folder}/try.service.d/zz-bondline-mptcp.conf")));
        Assert.False((await VisitAsync(network)).IsMultipath); // not before it starts again
        foreach (var _ in (int[])[1, 2])
        {
            await machine.AskAsync("systemctl", "restart", "try");
            Assert.Equal((true, await machine.AskAsync("systemctl", "show", "--property=MainPID", "--value", "try")), await VisitAsync(network));
        }

        await using (var journal = machine.StartProgram("journalctl", "--follow", "--lines=all", "--output=cat", "--unit=try"))
        {
            await machine.AskAsync("systemctl", "reload", "try");
            await journal.WaitForLineAsync("reloaded", Limit);
            await machine.AskAsync("systemctl", "kill", "--kill-who=main", "--signal=USR1", "try");
            await journal.WaitForLineAsync("Main process exited, code=exited, status=7", Limit);
            Assert.Equal("7", await machine.AskAsync("systemctl", "show", "--property=ExecMainStatus", "--value", "try"));
        }

        await machine.AskAsync("systemctl", "start", "try");
        await machine.AskAsync("systemctl", "stop", "try");
        Assert.Equal("ActiveState=inactive\nResult=success", await SortedAsync(machine, "systemctl", "show", "--property=ActiveState,Result", "try"));
        Assert.Equal(1, (await machine.RunAsync("pgrep", "-f", "bondline run")).ExitCode); // nobody is left to answer

        await machine.AskAsync("bondline", "run", "--unit", "try", "--undo");
        Assert.Equal([machine.PathOf($"{Folder}/try.service")], Directory.EnumerateFileSystemEntries(machine.PathOf(Folder)));
        await machine.AskAsync("systemctl", "start", "try");
        Assert.False((await VisitAsync(network)).IsMultipath);
        await machine.AskAsync("systemctl", "stop", "try");

        // One name for all its starts, with and without.
        await machine.AskAsync("journalctl", "--sync");
        string[] said = ["serving", "stopped", "serving", "stopped", "serving", "reloaded", "serving", "stopped", "serving", "stopped"];
        Assert.Equal(said, (await machine.AskAsync("journalctl", "--unit=try", "--identifier=python3", "--output=cat")).Split('\n'));
        await machine.PowerOffAsync();
    }

    /// <summary>Connects from the other end with MPTCP.</summary>
    /// <returns>Whether the service's socket agreed to it, and its process id.</returns>
    private static async Task<(bool IsMultipath, string Process)> VisitAsync(LabNetwork network)
    {
        using var late = new CancellationTokenSource(Limit);
        using var visitor = network.Relay.Run(() => MultipathSocket.TryCreate(AddressFamily.InterNetwork)) ?? throw new LabException("The kernel makes no MPTCP socket.");
        await visitor.ConnectAsync(new IPEndPoint(network.Links[0].LaptopAddress, Port), late.Token);
        var isMultipath = MultipathSocket.IsMultipath(visitor);
        var buffer = new byte[100];
        var length = await visitor.ReceiveAsync(buffer, late.Token);
        return (isMultipath, Encoding.ASCII.GetString(buffer, 0, length).TrimEnd('\n'));
    }

    private static async Task<string> SortedAsync(SystemdMachine machine, string program, params string[] arguments) =>
        string.Join('\n', (await machine.AskAsync(program, arguments)).Split('\n').Order(StringComparer.Ordinal));
}

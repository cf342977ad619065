using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>docs/relay.md, rehearsed: its commands as they stand there, in a namespace for each machine, and what they answer.</summary>
/// <remarks>What stands for the rest of the world: <c>ssh</c> that goes to the other namespace, <c>systemctl</c> that starts the unit's command with its user and capabilities, a file of hosts for the DNS.</remarks>
[Trait("Mode", "normal")]
public sealed partial class RelayDocumentTests : IDisposable
{
    private const string Vps = "203.0.113.7", Domain = "tunnel.example.com";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    // Folders of the rehearsal's own over the machine's: what the commands leave is gone with them.
    private const string Machine = """
        for folder in /etc /opt /var/lib; do
            mkdir -p "$1$folder"
            [ "$folder" != /etc ] || cp -a /etc/. "$1/etc"
            mount --bind "$1$folder" "$folder" || exit
        done
        mkdir -p /etc/systemd/system
        : >/etc/resolv.conf
        echo ready
        exec cat
        """;

    private const string Systemctl = """
        #!/bin/bash
        # As much of systemctl as the document uses, for one unit.
        unit=/etc/systemd/system/bondline.service
        value() { sed -n "s/^$1=//p" $unit; }
        stop() { kill -TERM "$(cat /opt/pid)" && tail --pid="$(cat /opt/pid)" -f /dev/null; }
        start() {
            user=$(value User) rights=$(value AmbientCapabilities | tr '[:upper:]' '[:lower:]')
            : >/opt/journal
            setsid setpriv --reuid="$user" --regid="$user" --init-groups --no-new-privs --inh-caps="-all,+${rights#cap_}" --ambient-caps="-all,+${rights#cap_}" \
                --bounding-set="-all,+${rights#cap_}" $(value ExecStart) >>/opt/journal 2>&1 </dev/null &
            echo $! >/opt/pid
            timeout 20 grep -q -m1 '^Relay:' <(tail -n +1 -f /opt/journal --pid=$! 2>/dev/null)
        }
        case "$*" in
        "enable --now bondline" | "start bondline") start ;;
        "stop bondline") stop ;;
        "restart bondline") stop; start ;;
        *) echo "systemctl $*: not in the rehearsal" >&2; exit 1 ;;
        esac
        """;

    // The journal is read until it has what the document says it has.
    private const string Journalctl = """
        #!/bin/bash
        [ "$*" = "-u bondline -o cat" ] || exit 1
        timeout 8 tail -n +1 -f /opt/journal
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-vps-");

    public RelayDocumentTests() => File.SetUnixFileMode(_folder.FullName, (UnixFileMode)0b111_101_101);

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Every_step_of_the_document_answers_what_it_says()
    {
        await using var network = await LabNetwork.StartAsync(new() { Links = [LinkOptions.Symmetric("eth0", 50, 10)] });
        await IpAsync(network, network.Relay.Name, "addr", "add", $"{Vps}/32", "dev", "lo");
        await IpAsync(network, network.Relay.Name, "route", "add", "192.0.2.0/24", "dev", "r-eth0", "src", Vps); // the way to the world
        using var service = network.Laptop.Run(() => Listen(3000));
        var serving = ServeAsync(service);
        await using var machine = LabProcess.Start(null, "unshare", ["--mount", "--", "sh", "-c", Machine, "sh", Path.Combine(_folder.FullName, "machine")]);
        await machine.WaitForLineAsync("ready", Limit);
        await SetUpLaptopAsync(network);

        var running = new List<LabProcess>();
        var join = "";
        var count = 0;
        try
        {
            foreach (var step in Steps(await File.ReadAllTextAsync(Path.Combine(Repository(), "docs", "relay.md"), TestContext.Current.CancellationToken)))
            {
                var process = Run(network, machine, step.Host, step.Command.Replace("bondline://...", join, StringComparison.Ordinal));
                running.Add(process);
                var said = await AnswerAsync(process, step);
                if (JoinUrl().Match(said) is { Success: true } made) join = made.Value;
                if (said.Contains("Visitors need these DNS records", StringComparison.Ordinal)) await CreateRecordsAsync(network, machine);
                count++;
            }
            Assert.Equal(21, count); // a step that the rehearsal does not see would not be rehearsed
            Assert.True(File.Exists(Path.Combine(_folder.FullName, "machine", "opt", "bondline-backup.tar.gz")));
        }
        finally
        {
            foreach (var process in running) await process.DisposeAsync();
        }
        service.Close();
        await serving;
    }

    /// <summary>Waits for the end, or for what is expected of a command that goes on; what differs is told with all that was said.</summary>
    private static async Task<string> AnswerAsync(LabProcess process, Step step)
    {
        var said = new StringBuilder();
        var expected = new Queue<string>(step.Expected);
        var goesOn = step.Command.Contains("bondline http", StringComparison.Ordinal) || step.Command.StartsWith("journalctl", StringComparison.Ordinal);
        using var late = new CancellationTokenSource(Limit);
        while ((!goesOn || expected.Count > 0) && await process.ReadLineAsync(late.Token) is { } line)
        {
            said.AppendLine(line);
            if (expected.TryPeek(out var next) && Matches(line, next)) expected.Dequeue();
        }
        if (expected.TryPeek(out var missing)) Assert.Fail($"{step.Host}: {step.Command}\ndoes not answer: {missing}\nbut:\n{said}");
        if (!goesOn) Assert.True((await process.WaitAsync(late.Token)).ExitCode == 0, $"{step.Host}: {step.Command}\nfailed:\n{said}");
        return said.ToString();
    }

    private static bool Matches(string line, string expected) =>
        Regex.IsMatch(line, "^" + string.Join(".*", expected.Split("...").Select(Regex.Escape)) + "$");

    /// <summary>The document's commands in order: <c>HOST$ COMMAND</c> in a block of code, with what it answers below.</summary>
    private static IEnumerable<Step> Steps(string document)
    {
        Step? step = null;
        string? end = null;
        foreach (var line in document.Split("```").Where((_, index) => index % 2 == 1).SelectMany(block => block.Trim('\n').Split('\n')))
        {
            if (end is not null)
            {
                step = step! with { Command = $"{step.Command}\n{line}" };
                if (line == end) end = null;
            }
            else if (Prompt().Match(line) is { Success: true } prompt)
            {
                if (step is not null) yield return step;
                step = new(prompt.Groups[1].Value, prompt.Groups[2].Value, []);
                if (HereDocument().Match(line) is { Success: true } here) end = here.Groups[1].Value;
            }
            else
            {
                step!.Expected.Add(line);
            }
        }
        if (step is not null) yield return step;
    }

    private LabProcess Run(LabNetwork network, LabProcess machine, string host, string command)
    {
        var side = host == "laptop" ? network.Laptop : network.Relay;
        return LabProcess.Start(null, "nsenter",
            [$"--mount=/proc/{machine.Id}/ns/mnt", $"--wd={(host == "laptop" ? Path.Combine(_folder.FullName, "clone") : "/")}", "ip", "netns", "exec", side.Name, "bash", "-c", $"exec 2>&1; {command}"],
            new Dictionary<string, string>
            {
                ["PATH"] = $"{Path.Combine(_folder.FullName, "bin")}:{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/sbin",
                ["HOME"] = Path.Combine(_folder.FullName, host),
                ["XDG_CONFIG_HOME"] = Path.Combine(_folder.FullName, host, "config"),
            });
    }

    private async Task SetUpLaptopAsync(LabNetwork network)
    {
        var clone = _folder.CreateSubdirectory("clone");
        var program = Path.GetDirectoryName(Path.GetFullPath(network.Program))!; // it may lie where the machine's own folders are now
        await RunToEndAsync(LabProcess.Start(null, "cp", ["-rL", program + "/.", clone.CreateSubdirectory(".build").FullName + "/native"]));
        Script(clone, "bondline", "#!/bin/sh\nexec .build/native/bondline \"$@\"\n");
        var tools = _folder.CreateSubdirectory("bin");
        Script(tools, "ssh", $"#!/bin/sh\n[ \"$1\" = root@{Vps} ] && exec ip netns exec {network.Relay.Name} bash -c \"$2\"\n");
        Script(tools, "systemctl", Systemctl + "\n");
        Script(tools, "journalctl", Journalctl + "\n");
        if (!File.Exists("/usr/bin/systemd-analyze")) Script(tools, "systemd-analyze", "#!/bin/sh\n"); // a machine without systemd says nothing of units
    }

    private Task CreateRecordsAsync(LabNetwork network, LabProcess machine) =>
        RunToEndAsync(Run(network, machine, "vps", $"echo '{Vps} {Domain} app.{Domain}' >>/etc/hosts"));

    private static async Task RunToEndAsync(LabProcess process)
    {
        await using (process) (await process.WaitAsync(TestContext.Current.CancellationToken)).ThrowIfFailed("a step of the rehearsal's own");
    }

    private static Task IpAsync(LabNetwork network, string side, params string[] arguments) => RunToEndAsync(LabProcess.Start(null, "ip", ["-n", side, .. arguments]));

    private static void Script(DirectoryInfo folder, string name, string text)
    {
        var path = Path.Combine(folder.FullName, name);
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
    }

    private static Socket Listen(int port)
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
        listener.Listen();
        return listener;
    }

    private static async Task ServeAsync(Socket listener)
    {
        try
        {
            while (true)
            {
                using var visitor = await listener.AcceptAsync();
                await visitor.ReceiveAsync(new byte[4096]);
                await visitor.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 21\r\nConnection: close\r\n\r\nhello from port 3000\n"u8.ToArray());
            }
        }
        catch (Exception closed) when (closed is SocketException or ObjectDisposedException)
        {
            // the end of the test
        }
    }

    private static string Repository()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Bondline.slnx"))) folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The tests do not lie in the repository.");
        return folder;
    }

    [GeneratedRegex(@"^(laptop|vps|anywhere)[$#] (.*)$")]
    private static partial Regex Prompt();

    [GeneratedRegex("<<'([A-Z]+)'$")]
    private static partial Regex HereDocument();

    [GeneratedRegex(@"bondline://\S+")]
    private static partial Regex JoinUrl();

    private sealed record Step(string Host, string Command, List<string> Expected);
}

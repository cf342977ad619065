using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Bondline.Lab;
using Bondline.Linux;

namespace Bondline.EndToEnd;

/// <summary>A machine whose first process is systemd: systemd-nspawn(1) on this system's files, with nothing enabled that is not systemd's own, and the program under test as /usr/local/bin/bondline.</summary>
/// <remarks>What it writes is kept in memory, from one start to the next. Its mounts are in a namespace of their own, its processes in a control group below this process's: nothing is left of it when it is disposed.</remarks>
public sealed class SystemdMachine : IAsyncDisposable
{
    private const int Restarted = 133; // what systemd-nspawn --keep-unit ends with when the machine inside wants to start again

    // As root in a mount namespace. With a machine-id it is no first start, at which systemd enables whatever is installed.
    private const string Prepare = """
        set -e
        tree=$1/tree group=$2 program=$3
        mount -t tmpfs -o mode=755 tmpfs "$tree"
        mkdir "$tree/lower" "$tree/upper" "$tree/work" "$tree/root" "$tree/cgroup"
        mount --bind / "$tree/lower"
        mount -t overlay -o "lowerdir=$tree/lower,upperdir=$tree/upper,workdir=$tree/work" overlay "$tree/root"
        mount -t cgroup2 cgroup2 "$tree/cgroup"
        mount --bind "$tree/cgroup" /sys/fs/cgroup # in two steps: the kernel mounts nothing upon itself
        mount -t tmpfs -o mode=755 tmpfs /run # where systemd-nspawn keeps its locks
        cd "$tree/root"
        rm -rf etc/systemd/system etc/systemd/network etc/rc?.d etc/sysctl.d/* etc/sysctl.conf var/log/journal
        mkdir etc/systemd/system
        : >etc/fstab
        echo 5c0ffee5c0ffee5c0ffee5c0ffee5c0f >etc/machine-id
        mkdir -p usr/local/bin
        chmod 755 usr/local usr/local/bin
        install "$program"/bondline "$program"/*.so usr/local/bin
        mkdir "$group"
        echo prepared
        cat # until it is not needed any more
        find "$group" -depth -type d -exec rmdir {} +
        """;

    private const string Start = """
        echo $$ >"$0/cgroup.procs" && exec systemd-nspawn "$@"
        """;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private static int _made;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-machine-");
    private readonly Socket _notified = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly string _group;
    private readonly LabProcess _files;
    private LabProcess? _nspawn;
    private Process? _first;

    private SystemdMachine()
    {
        Directory.CreateDirectory(InFolder("tree"));
        _notified.Bind(new UnixDomainSocketEndPoint(InFolder("notify")));
        var own = File.ReadAllLines("/proc/self/cgroup").FirstOrDefault(line => line.StartsWith("0::/", StringComparison.Ordinal)) ?? throw new LabException("This kernel has no unified control groups.");
        _group = Path.Combine("/sys/fs/cgroup", own["0::/".Length..], string.Create(CultureInfo.InvariantCulture, $"bondline-machine-{Environment.ProcessId}-{Interlocked.Increment(ref _made)}"));
        _files = LabProcess.Start(null, "unshare", ["--mount", "--", "sh", "-c", Prepare, "prepare", _folder.FullName, _group, Path.GetDirectoryName(Path.GetFullPath(LabNetwork.FindProgram()))!]);
    }

    /// <summary>Makes its files. It does not run yet.</summary>
    public static async Task<SystemdMachine> CreateAsync()
    {
        var machine = new SystemdMachine();
        try
        {
            await machine._files.WaitForLineAsync("prepared", Limit);
            return machine;
        }
        catch
        {
            await machine.DisposeAsync();
            throw;
        }
    }

    /// <summary>Where one of its files is for this process.</summary>
    public string PathOf(string path) => $"/proc/{_files.Id}/root{InFolder("tree/root")}{path}";

    /// <summary>Starts it, with a namespace for its network, and waits until its systemd has started everything.</summary>
    /// <exception cref="LabException">It did not start.</exception>
    public async Task BootAsync(NetworkNamespace network)
    {
        using var late = new CancellationTokenSource(Limit);
        string[] options =
        [
            "--quiet", "--boot", $"--directory={InFolder("tree/root")}", "--machine=laptop", $"--network-namespace-path=/proc/{Environment.ProcessId}/root{network.Path}", "--capability=CAP_NET_ADMIN",
            "--register=no", "--keep-unit", "--notify-ready=yes", "--console=pipe", "--resolv-conf=off", "--timezone=off", "--link-journal=no", "systemd.unit=multi-user.target",
        ];
        _nspawn = LabProcess.Start(null, "nsenter", ["--mount", $"--target={_files.Id}", "--", "sh", "-c", Start, _group, .. options],
            new Dictionary<string, string> { ["NOTIFY_SOCKET"] = InFolder("notify"), ["SYSTEMD_NSPAWN_API_VFS_WRITABLE"] = "network" });
        var ended = _nspawn.WaitAsync(late.Token);
        var buffer = new byte[4096];
        while (true)
        {
            var heard = _notified.ReceiveAsync(buffer, SocketFlags.None, late.Token).AsTask();
            if (await Task.WhenAny(heard, ended) == ended)
            {
                await late.CancelAsync();
                throw new LabException($"The machine did not start: {(ended.IsCompletedSuccessfully ? ended.Result.Error + ended.Result.Output : "it takes too long")}");
            }

            foreach (var line in Encoding.UTF8.GetString(buffer, 0, await heard).Split('\n'))
            {
                if (line.StartsWith("X_NSPAWN_LEADER_PID=", StringComparison.Ordinal)) _first = Process.GetProcessById(int.Parse(line.Split('=')[1], CultureInfo.InvariantCulture));
                if (line == "READY=1") return;
            }
        }
    }

    /// <summary>Runs a program in it to its end, as root.</summary>
    public Task<ProcessResult> RunAsync(string program, params string[] arguments) => LabProcess.RunAsync(null, "nsenter", Inside(program, arguments));

    /// <summary>Runs a program in it that must not fail, and gives its output without the last end of line.</summary>
    public async Task<string> AskAsync(string program, params string[] arguments) =>
        (await RunAsync(program, arguments)).ThrowIfFailed($"{program} {string.Join(' ', arguments)}").Output.TrimEnd('\n');

    /// <summary>Starts a program in it, as root.</summary>
    public LabProcess StartProgram(string program, params string[] arguments) => LabProcess.Start(null, "nsenter", Inside(program, arguments));

    /// <summary>Has its systemd end everything, to start again with <see cref="BootAsync"/>.</summary>
    public Task ShutDownForRestartAsync() => ShutDownAsync("reboot", Restarted);

    /// <summary>Has its systemd end everything.</summary>
    public Task PowerOffAsync() => ShutDownAsync("poweroff", 0);

    /// <summary>Removes all of it; kills what still runs.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_nspawn is not null) await _nspawn.DisposeAsync();
        using (_first)
        using (var late = new CancellationTokenSource(Limit))
            await (_first?.WaitForExitAsync(late.Token) ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // the rest of its processes ends with it
        if (!_files.HasExited) _files.CloseInput();
        var removed = await _files.WaitAsync();
        await _files.DisposeAsync();
        _notified.Dispose();
        _folder.Delete(recursive: true);
        removed.ThrowIfFailed("the machine's files and control group");
    }

    private async Task ShutDownAsync(string how, int exitCode)
    {
        await RunAsync("systemctl", how); // which may be ended with all the rest before it has ended itself
        using var late = new CancellationTokenSource(Limit);
        var ended = await _nspawn!.WaitAsync(late.Token);
        if (ended.ExitCode != exitCode) throw new LabException($"After systemctl {how} systemd-nspawn ended with {ended.ExitCode}: {ended.Error}");
    }

    private string InFolder(string name) => Path.Combine(_folder.FullName, name);

    private string[] Inside(string program, string[] arguments) =>
        [$"--target={_first?.Id ?? throw new InvalidOperationException("It was not started.")}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--", program, .. arguments];
}

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Bondline.Linux;

namespace Bondline.Lab;

/// <summary>A running network to try things on: a laptop with uplinks and a relay, each in a network namespace, each uplink an emulated link.</summary>
/// <remarks>
/// Needs root, or a <see cref="UserNamespace"/>. The namespaces carry this process's id and start time in their names; a lab that starts removes those whose process is gone,
/// with whatever still ran in them. Links die with this process, because they hold its end of a pipe.
/// </remarks>
public sealed partial class LabNetwork : IAsyncDisposable
{
    private const string Prefix = "bondline-";

    private static int _started;

    private readonly List<LabLink> _links = [];
    private readonly List<LabProcess> _processes = [];

    private LabNetwork(NetworkNamespace laptop, NetworkNamespace relay, NetworkNamespace? wire, string program)
    {
        Laptop = laptop;
        Relay = relay;
        Wire = wire;
        Program = program;
    }

    /// <summary>The relay's address: the same over every link.</summary>
    public static IPAddress Address { get; } = IPAddress.Parse("10.77.100.1");

    /// <inheritdoc cref="Address"/>
    public static IPAddress Address6 { get; } = IPAddress.Parse("fd77:100::1");

    public NetworkNamespace Laptop { get; }

    public NetworkNamespace Relay { get; }

    public IReadOnlyList<LabLink> Links => _links;

    /// <summary>Where /dev/net/tun is not ours to open: the far ends of the links' devices.</summary>
    internal NetworkNamespace? Wire { get; }

    /// <summary>The <c>bondline</c> program the lab runs.</summary>
    public string Program { get; }

    public LabLink this[string name] => _links.Find(link => link.Name == name) ?? throw new LabException($"The lab has no link \"{name}\".");

    /// <exception cref="LabException">The options make no sense, or a right, a tool or a part of the kernel is missing.</exception>
    public static async Task<LabNetwork> StartAsync(LabOptions options, CancellationToken stop = default)
    {
        if (options.Problems() is { Count: > 0 } problems) throw new LabException(string.Join(' ', problems));
        var program = options.Program ?? FindProgram();
        RemoveLeftovers();
        var name = $"{Prefix}{Environment.ProcessId}.{StartTime(Environment.ProcessId)}-{Interlocked.Increment(ref _started)}";
        LabNetwork lab;
        try
        {
            lab = new(
                NetworkNamespace.Create($"{name}-laptop"), NetworkNamespace.Create($"{name}-relay"), TunDevice.IsAvailable ? null : NetworkNamespace.Create($"{name}-wire"), program);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new LabException($"{e.Message} The lab needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN) or a user namespace.", e);
        }
        try
        {
            await lab.SetUpAsync(options, stop);
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>Removes the namespaces of labs whose process is gone, and ends what runs in them.</summary>
    /// <returns>How many namespaces there were.</returns>
    public static int RemoveLeftovers()
    {
        var removed = 0;
        foreach (var left in NetworkNamespace.List())
        {
            if (OwnedName().Match(left.Name) is not { Success: true } owner) continue;
            if (StartTime(int.Parse(owner.Groups[1].ValueSpan, CultureInfo.InvariantCulture)) == owner.Groups[2].Value) continue;
            Remove(left);
            removed++;
        }
        return removed;
    }

    /// <summary>Starts a program in one of the lab's namespaces; it is killed with the lab at the latest.</summary>
    public LabProcess Start(NetworkNamespace inside, string file, params IEnumerable<string> arguments)
    {
        var process = LabProcess.Start(inside, file, arguments);
        lock (_processes) _processes.Add(process);
        return process;
    }

    /// <summary>Runs a program in one of the lab's namespaces to its end.</summary>
    public Task<ProcessResult> RunAsync(NetworkNamespace inside, string file, IEnumerable<string> arguments, CancellationToken stop = default) =>
        LabProcess.RunAsync(inside, file, arguments, stop: stop);

    /// <summary>Starts one end of a measurement in one of the lab's namespaces; it is killed with the lab at the latest.</summary>
    public async Task<LabTraffic> StartTrafficAsync(NetworkNamespace inside, TrafficOptions options)
    {
        var traffic = await LabTraffic.StartAsync(Program, inside, options);
        lock (_processes) _processes.Add(traffic.Process);
        return traffic;
    }

    /// <summary>The counters of every link, in order.</summary>
    public async Task<IReadOnlyList<LinkCounters>> CountersAsync()
    {
        var counters = new List<LinkCounters>();
        foreach (var link in _links) counters.Add(await link.CountersAsync());
        return counters;
    }

    public async ValueTask DisposeAsync()
    {
        List<LabProcess> processes;
        lock (_processes)
        {
            processes = [.. _processes];
            _processes.Clear();
        }
        foreach (var process in processes) await process.DisposeAsync();
        foreach (var link in _links) await link.DisposeAsync();
        Remove(Laptop);
        Remove(Relay);
        if (Wire is not null) Remove(Wire);
    }

    /// <summary>Runs lines of <c>ip -batch</c> in a namespace.</summary>
    /// <exception cref="LabException">One of them failed; those before it are done.</exception>
    internal async Task IpAsync(NetworkNamespace inside, params string[] lines) =>
        (await LabProcess.RunAsync(null, "ip", ["-n", inside.Name, "-batch", "-"], string.Join('\n', lines) + "\n")).ThrowIfFailed($"ip in {inside.Name} ({string.Join("; ", lines)})");

    private async Task SetUpAsync(LabOptions options, CancellationToken stop)
    {
        if (options.CongestionControl is { } wanted) AllowCongestionControl(wanted);
        foreach (var side in new[] { Laptop, Relay })
        {
            side.Run(() =>
            {
                Sysctl("net/ipv4/conf/all/rp_filter", "2");
                Sysctl("net/ipv4/conf/default/rp_filter", "2");
                Sysctl("net/ipv6/conf/default/accept_ra", "0");
                if (options.CongestionControl is { } control) Sysctl("net/ipv4/tcp_congestion_control", control);
                return true;
            });
        }
        await IpAsync(Laptop, "link set lo up");
        await IpAsync(Relay, "link set lo up", $"addr add {Address}/32 dev lo", $"addr add {Address6}/128 dev lo");
        var starting = options.Links.Select((link, i) => LabLink.StartAsync(this, i + 1, link, options.Seed * 100 + (ulong)i, stop)).ToArray();
        try
        {
            await Task.WhenAll(starting);
        }
        finally
        {
            _links.AddRange(starting.Where(link => link.IsCompletedSuccessfully).Select(link => link.Result)); // whoever disposes the lab ends them
        }
        if (options.UseMultipathTcp) await UseMultipathTcpAsync();
    }

    /// <summary>Lets connections to the relay have more subflows than the kernel's two beside the first: one that comes back after its network was away counts beside the others.</summary>
    internal Task AllowSubflowsAtRelayAsync() => IpAsync(Relay, "mptcp limits set subflows 8 add_addr_accepted 8");

    private async Task UseMultipathTcpAsync()
    {
        await AllowSubflowsAtRelayAsync();
        await IpAsync(Laptop, ["mptcp limits set subflows 8 add_addr_accepted 8", .. _links.Select(link => $"mptcp endpoint add {link.LaptopAddress} dev {link.Name} subflow")]);
    }

    // A namespace may only choose among the algorithms that the machine's own namespace allows ordinary programs.
    private static void AllowCongestionControl(string name)
    {
        const string Allowed = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";
        var allowed = File.ReadAllText(Allowed).Trim();
        if (!allowed.Split(' ').Contains(name)) Sysctl("net/ipv4/tcp_allowed_congestion_control", $"{allowed} {name}");
    }

    // /proc/sys/net shows the namespace of the thread that opens it.
    private static void Sysctl(string name, string value)
    {
        try
        {
            File.WriteAllText($"/proc/sys/{name}", value);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new LabException($"Cannot set {name.Replace('/', '.')} to {value}: {e.Message} As root: sysctl {name.Replace('/', '.')}=\"{value}\"", e);
        }
    }

    private static void Remove(NetworkNamespace left)
    {
        foreach (var process in left.Processes())
        {
            try
            {
                Process.GetProcessById(process).Kill();
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException)
            {
                // It ended in between.
            }
        }
        left.Delete();
    }

    /// <summary>When a process started, as the kernel counts (clock ticks since boot); null if there is none. With it a reused id is not taken for the old process.</summary>
    private static string? StartTime(int process)
    {
        try
        {
            var line = File.ReadAllText($"/proc/{process}/stat");
            var fields = line[(line.LastIndexOf(')') + 2)..].Split(' '); // from field 3 on; the name before it may hold spaces
            return fields[0] is "Z" or "X" ? null : fields[19]; // dead, only nobody has asked how it ended
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>The <c>bondline</c> program a lab runs if its options name none.</summary>
    public static string FindProgram()
    {
        if (Environment.GetEnvironmentVariable("BONDLINE_PROGRAM") is { Length: > 0 } named) return named;
        if (Environment.ProcessPath is { } own && Path.GetFileName(own) == "bondline") return own;
        var beside = Path.Combine(AppContext.BaseDirectory, "bondline");
        return File.Exists(beside) ? beside : throw new LabException($"The lab runs the program bondline, which is not beside {AppContext.BaseDirectory}; name it in BONDLINE_PROGRAM.");
    }

    [GeneratedRegex("^bondline-([0-9]+)\\.([0-9]+)-[0-9]+-(laptop|relay|wire)$")]
    private static partial Regex OwnedName();
}

using System.ComponentModel;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.Versioning;
using Bondline.Cli.Commands;
using Bondline.Linux;

namespace Bondline.Cli.Multipath;

/// <summary>The machine this runs on, or what looks like one.</summary>
/// <param name="path">Where systemctl and nmcli are looked for, as $PATH is written.</param>
/// <param name="root">Before every path of a file; for tests.</param>
[SupportedOSPlatform("linux")]
internal sealed class LinuxMultipathSystem(string? path, string root = "") : IMultipathSystem
{
    private readonly Sysctl _settings = new();
    private readonly MultipathSettings _multipathSettings = new();
    private readonly RunningPrograms _programs = new($"{root}/proc");
    private readonly ToolRunner _tools = new(path);
    private readonly ProtectedFiles _files = new(root);
    private MultipathPathManager? _manager;
    private NetworkManagerState? _networkManager;
    private MultipathManagers? _managers;

    public bool IsRunning(int process) => Directory.Exists(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}"));

    public bool MayChange => Capability.HasNetworkAdministration;

    // Without a cookie, the number of the namespace's file: the kernel may give it to another one later.
    public string NamespaceName { get; } = NetworkNamespace.CurrentCookie() is { } cookie
        ? $"netns-{cookie}"
        : $"netns-inode-{new FileInfo("/proc/self/ns/net").LinkTarget?["net:[".Length..^1]}";

    public IInterfaceWatch WatchInterfaces() => Guard("follow the machine's interfaces", () => new Watch(new InterfaceMonitor()));

    public MultipathFacts ReadFacts(IReadOnlyList<NetworkInterfaceState> interfaces)
    {
        // Asking nmcli and looking through all processes takes long; who manages what changes with people's minds, not with links.
        _networkManager ??= _programs.Exists("NetworkManager") ? NetworkManagerState.Read(_tools) : new(null, new Dictionary<string, string>());
        _managers ??= new() { IsMptcpdRunning = _programs.Exists("mptcpd"), NetworkManager = _networkManager.Version, IsSystemdRunning = Directory.Exists($"{root}/run/systemd/system") };
        var ofAll = _settings.Read("net.ipv4.conf.all.rp_filter");
        return new()
        {
            Settings = _multipathSettings.ReadAll().ToDictionary(setting => setting.Name, setting => setting.Value, StringComparer.Ordinal),
            Endpoints = TryRead(Endpoints),
            Limits = TryRead<MultipathLimits?>(() => Limits()),
            Interfaces = [.. interfaces.Select(state => Read(state, ofAll, _networkManager))],
            SystemInterfaces = SystemInterfaces(),
            MaxRetransmissionMilliseconds = int.TryParse(_settings.Read("net.ipv4.tcp_rto_max_ms"), NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds) ? milliseconds : null,
            MaxUnsentBytes = long.TryParse(_settings.Read("net.ipv4.tcp_notsent_lowat"), NumberStyles.None, CultureInfo.InvariantCulture, out var unsent) ? unsent : null,
            Counters = MultipathCounters.Read(),
            Managers = _managers,
        };
    }

    public ServiceProgram FindServiceProgram()
    {
        var own = Environment.ProcessPath ?? "";
        const string Install = "Install it as root, \"sudo install -D PROGRAM /usr/local/bin/bondline\", and run that one";
        if (Path.GetFileName(own) != "bondline") return new(own, "it runs inside another program", Install);
        if (!MultipathPersistence.IsPlain(own)) return new(own, $"systemd would read {own} otherwise", Install);
        return FileOwner.FindPartNotOfRoot(own) is { } part ? new(own, $"others than root may change {part}, and so what the service would do", Install.Replace("PROGRAM", own, StringComparison.Ordinal)) : new(own);
    }

    public bool IsNamespaceOfServices => _programs.IsInFirstNamespace;

    public IDisposable? TryLock(CancellationToken stop) => _files.TryLock(MultipathFiles.Lock, stop);

    public IDisposable WatchFile(string path, Action gone) => _files.Watch(path, gone);

    public string? FindInterfaceName(int index) => Guard("look for an interface", () => InterfaceQuery.FindName(index));

    public string? ReadSysctl(string name) => _settings.Read(name);

    public void WriteSysctl(string name, string value)
    {
        try
        {
            _settings.Write(name, value);
        }
        catch (UnauthorizedAccessException)
        {
            throw RightMissing($"{name} cannot be set to {value}");
        }
        catch (IOException error)
        {
            throw new CommandException("kernel-refused", $"{name} cannot be set to {value}: {error.Message.TrimEnd('.')}", "In a container, set it where the container is started (as in docker run --sysctl)");
        }
    }

    public IReadOnlyList<MultipathEndpoint> Endpoints() => Ask(manager => manager.Endpoints());

    public void AddEndpoint(MultipathEndpoint endpoint) => Ask(manager =>
    {
        manager.Add(endpoint);
        return true;
    });

    public void DeleteEndpoint(MultipathEndpoint endpoint) => Ask(manager =>
    {
        manager.Delete(endpoint.Id);
        return true;
    });

    public MultipathLimits Limits() => Ask(manager => manager.Limits());

    public void SetLimits(MultipathLimits limits) => Ask(manager =>
    {
        manager.SetLimits(limits);
        return true;
    });

    public void AddRoute(RouteMessage route) => Guard("add a route", () =>
    {
        RouteTable.Add(route);
        return true;
    });

    public bool DeleteRoute(RouteMessage route) => Guard("delete a route", () => RouteTable.Delete(route));

    public string? ReadFile(string path) => _files.Read(path);

    public void WriteFile(string path, string text) => _files.Write(path, text);

    public void DeleteFile(string path) => _files.Delete(path);

    public ProcessAnswer Run(string program, params string[] arguments) => _tools.Run(program, arguments);

    private InterfaceFacts Read(NetworkInterfaceState state, string? ofAll, NetworkManagerState networkManager)
    {
        var own = _settings.Read(Sysctl.OfInterface(state.Link.Name, "rp_filter")) ?? "0";
        return new(state)
        {
            Ways = TryRead(() => WayOut.Of(state)) ?? [],
            OwnReplyFilter = own,
            ReplyFilter = InterfaceFacts.EffectiveReplyFilter(ofAll, own),
            LeasedGateways = DhcpLease.ReadRouters(ReadFile($"/run/systemd/netif/leases/{state.Link.Index}")),
            Connection = networkManager.Connections.GetValueOrDefault(state.Link.Name),
        };
    }

    private static Dictionary<AddressFamily, int> SystemInterfaces()
    {
        var found = new Dictionary<AddressFamily, int>();
        foreach (var family in (AddressFamily[])[AddressFamily.InterNetwork, AddressFamily.InterNetworkV6])
            if (TryRead(() => RouteQuery.Find(WayOut.WorldOf(family))) is { Type: RouteType.Unicast, Interfaces: [var index, ..] })
                found[family] = index;
        return found;
    }

    private T Ask<T>(Func<MultipathPathManager, T> work)
    {
        try
        {
            return work(_manager ??= MultipathPathManager.Open());
        }
        catch (MultipathException refused)
        {
            throw MptcpCommand.From(refused);
        }
    }

    private static CommandException RightMissing(string what) => new("right-missing", $"{what}: it needs the right CAP_NET_ADMIN", "Run it with sudo");

    private static T? TryRead<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception unseen) when (unseen is CommandException or Win32Exception or NetlinkFormatException)
        {
            return default; // said where it is missing
        }
    }

    private static T Guard<T>(string what, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Win32Exception refused) when (refused.NativeErrorCode is 1 or 13) // EPERM, EACCES
        {
            throw RightMissing($"cannot {what}");
        }
        catch (Exception refused) when (refused is Win32Exception or NetlinkFormatException)
        {
            throw new CommandException("kernel-refused", $"cannot {what}: {refused.Message.TrimEnd('.')}");
        }
    }

    private sealed class Watch(InterfaceMonitor monitor) : IInterfaceWatch
    {
        public async ValueTask<IReadOnlyList<NetworkInterfaceState>> NextAsync(CancellationToken stop)
        {
            try
            {
                return await monitor.NextAsync(stop);
            }
            catch (Exception refused) when (refused is SocketException or Win32Exception or NetlinkFormatException)
            {
                throw new CommandException("kernel-refused", $"the kernel does not tell of the interfaces: {refused.Message.TrimEnd('.')}", "What is set up stays as it is; start it again");
            }
        }

        public void Dispose() => monitor.Dispose();
    }
}

using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;
using Bondline.Cli.Multipath;
using Bondline.Linux;

namespace Bondline.Cli.Tests.Multipath;

/// <summary>A machine in memory: its kernel's settings, endpoints, limits and routes, its files, services and NetworkManager. It can be stopped at any step, and restarted.</summary>
internal sealed class FakeMachine : IMultipathSystem
{
    private readonly ConcurrentDictionary<string, string> _settings = [];
    private readonly List<MultipathEndpoint> _endpoints = [];
    private readonly List<RouteMessage> _added = [];
    private readonly Dictionary<string, string> _files = [];
    private readonly SortedSet<string> _enabledServices = [], _runningServices = [];
    private readonly Dictionary<string, string> _flags = [];
    private volatile FakeInterface[] _interfaces = []; // replaced as a whole: whoever watches looks at them on another thread
    private readonly List<(string Path, Action Gone)> _watched = [];
    private readonly SemaphoreSlim _lock = new(1);
    private MultipathLimits _limits = new(2, 0);
    private int _nextId = 1;

    public FakeMachine(params FakeInterface[] interfaces)
    {
        _interfaces = interfaces;
        SetDefaults();
    }

    /// <summary>What sysctls are when the machine starts.</summary>
    public Dictionary<string, string> Defaults { get; } = new()
    {
        ["net.mptcp.enabled"] = "0",
        ["net.mptcp.path_manager"] = "kernel",
        ["net.mptcp.pm_type"] = "0",
        ["net.mptcp.scheduler"] = "default",
        ["net.mptcp.blackhole_timeout"] = "3600",
    };

    public MultipathManagers Managers { get; set; } = new() { IsSystemdRunning = true };

    public ServiceProgram Program { get; set; } = new("/usr/local/bin/bondline");

    public bool MayChange { get; set; } = true;

    public bool IsNamespaceOfServices { get; set; } = true;

    /// <summary>The processes that are there.</summary>
    public HashSet<int> Processes { get; } = [];

    public bool IsRunning(int process) => Processes.Contains(process);

    public bool EndpointsAreHidden { get; set; }

    public string NamespaceName => "netns-1";

    /// <summary>How many changes were made so far.</summary>
    public int Steps { get; private set; }

    /// <summary>Called before and after each change with its number; may throw.</summary>
    public Action<int, bool>? OnStep { get; set; }

    /// <summary>Somebody holds the lock for longer than anybody waits.</summary>
    public bool IsLockHeld { get; set; }

    /// <summary>Called when somebody has to wait for the lock.</summary>
    public Action? OnWait { get; set; }

    public List<string> Commands { get; } = [];

    /// <summary>What a service does that is started; may throw, and then it did not start.</summary>
    public Action? OnServiceStart { get; set; }

    /// <summary>What a service that did not start told systemd.</summary>
    public string? ServiceStatus { get; set; }

    public Channel<bool> Changes { get; } = Channel.CreateUnbounded<bool>();

    public IReadOnlyList<MultipathEndpoint> AllEndpoints => _endpoints;

    public FakeInterface this[string name] => _interfaces.Single(each => each.Name == name);

    public IReadOnlyDictionary<string, string> Files => _files;

    public string? this[string name, int _] => _settings.GetValueOrDefault(name);

    /// <summary>Everything that a user could see, in words.</summary>
    public string Dump()
    {
        var text = new StringBuilder();
        foreach (var (name, value) in _settings.OrderBy(setting => setting.Key, StringComparer.Ordinal)) text.Append(CultureInfo.InvariantCulture, $"{name} = {value}\n");
        foreach (var endpoint in _endpoints) text.Append(CultureInfo.InvariantCulture, $"endpoint {endpoint.Address} dev {endpoint.InterfaceIndex} {endpoint.Flags}\n");
        text.Append(CultureInfo.InvariantCulture, $"limits {_limits}\n");
        foreach (var route in _added) text.Append(CultureInfo.InvariantCulture, $"route {route.Destination} {route.NextHops[0]} {route.Metric}\n");
        foreach (var (path, content) in _files.OrderBy(file => file.Key, StringComparer.Ordinal)) text.Append(CultureInfo.InvariantCulture, $"file {path}: {content}\n");
        foreach (var service in _enabledServices) text.Append(CultureInfo.InvariantCulture, $"service {service} is enabled\n");
        foreach (var service in _runningServices) text.Append(CultureInfo.InvariantCulture, $"service {service} runs\n");
        foreach (var (connection, flags) in _flags.OrderBy(each => each.Key, StringComparer.Ordinal)) text.Append(CultureInfo.InvariantCulture, $"connection {connection} {flags}\n");
        return text.ToString();
    }

    /// <summary>Starts the machine again: the kernel forgets, files stay, the drop-in is read.</summary>
    public void Restart()
    {
        SetDefaults();
        _endpoints.Clear();
        _added.Clear();
        _limits = new(2, 0);
        _runningServices.Clear();
        _runningServices.UnionWith(_enabledServices);
        foreach (var path in _files.Keys.Where(path => path.StartsWith("/run/", StringComparison.Ordinal)).ToList()) _files.Remove(path);
        if (!_files.TryGetValue(MultipathFiles.Settings, out var dropIn)) return;
        foreach (var line in dropIn.Split('\n').Where(line => line.Contains('=', StringComparison.Ordinal) && line[0] != '#'))
        {
            var name = line.Split('=')[0].Trim().TrimStart('-');
            if (_settings.ContainsKey(name)) _settings[name] = line.Split('=')[1].Trim();
        }
    }

    public void Set(string name, string value) => _settings[name] = value;

    public void SetFile(string path, string? text)
    {
        if (text is null) _files.Remove(path);
        else _files[path] = text;
    }

    public void SetEndpoint(MultipathEndpoint endpoint) => _endpoints.Add(endpoint with { Id = _nextId++ });

    public void RemoveEndpoint(IPAddress address) => _endpoints.RemoveAll(endpoint => endpoint.Address.Equals(address));

    /// <summary>Has NetworkManager manage an interface.</summary>
    public string Manage(string name, string flags = "0x0")
    {
        Managers = Managers with { NetworkManager = "1.42.4" };
        var connection = $"00000000-0000-0000-0000-00000000000{this[name].Index}";
        this[name].Connection = connection;
        _flags[connection] = flags;
        return connection;
    }

    /// <summary>NetworkManager takes new flags only when it connects again.</summary>
    public bool IsReapplyRefused { get; set; }

    public string? FlagsOf(string connection) => _flags.GetValueOrDefault(connection);

    public void SetFlags(string connection, string flags) => _flags[connection] = flags;

    public void Plug(FakeInterface added)
    {
        _interfaces = [.. _interfaces, added];
        _settings[Sysctl.OfInterface(added.Name, "rp_filter")] = added.ReplyFilter;
        Changes.Writer.TryWrite(true);
    }

    public void Unplug(string name)
    {
        _settings.TryRemove(Sysctl.OfInterface(name, "rp_filter"), out _);
        _interfaces = [.. _interfaces.Where(each => each.Name != name)];
        _added.RemoveAll(route => _interfaces.All(each => each.Index != route.Interfaces[0]));
        Changes.Writer.TryWrite(true);
    }

    public void Rename(string name, string newName)
    {
        this[name].Name = newName;
        if (_settings.TryRemove(Sysctl.OfInterface(name, "rp_filter"), out var filter)) _settings[Sysctl.OfInterface(newName, "rp_filter")] = filter;
        Changes.Writer.TryWrite(true);
    }

    /// <summary>As <c>ip link set down</c>: its routes are gone.</summary>
    public void TakeDown(string name)
    {
        this[name].IsUp = false;
        _added.RemoveAll(route => route.Interfaces[0] == this[name].Index);
        Changes.Writer.TryWrite(true);
    }

    public void TakeUp(string name)
    {
        this[name].IsUp = true;
        Changes.Writer.TryWrite(true);
    }

    /// <summary>Says that something about the interfaces is different now.</summary>
    public void Changed() => Changes.Writer.TryWrite(true);

    public IReadOnlyList<NetworkInterfaceState> Picture() => [.. _interfaces.Select(each => each.State([.. _added.Where(route => route.Interfaces[0] == each.Index)]))];

    public IInterfaceWatch WatchInterfaces() => new Watch(this);

    public MultipathFacts ReadFacts(IReadOnlyList<NetworkInterfaceState> interfaces)
    {
        var ofAll = _settings.GetValueOrDefault("net.ipv4.conf.all.rp_filter");
        return new()
        {
            Settings = _settings.Where(setting => setting.Key.StartsWith("net.mptcp.", StringComparison.Ordinal)).ToDictionary(setting => setting.Key["net.mptcp.".Length..], setting => setting.Value),
            Endpoints = EndpointsAreHidden ? null : [.. _endpoints],
            Limits = _limits,
            MaxUnsentBytes = long.TryParse(_settings.GetValueOrDefault("net.ipv4.tcp_notsent_lowat"), NumberStyles.None, CultureInfo.InvariantCulture, out var unsent) ? unsent : null,
            Interfaces = [.. interfaces.Select(state => Facts(state, ofAll))],
            SystemInterfaces = ((AddressFamily[])[AddressFamily.InterNetwork, AddressFamily.InterNetworkV6])
                .Select(family => (family, best: interfaces.SelectMany(state => state.Routes).Where(route => route.IsDefault && route.Destination.AddressFamily == family).MinBy(route => route.Metric)))
                .Where(found => found.best is not null)
                .ToDictionary(found => found.family, found => found.best!.Interfaces[0]),
            Managers = Managers,
        };
    }

    public ServiceProgram FindServiceProgram() => Program;

    public IDisposable? TryLock(CancellationToken stop)
    {
        if (IsLockHeld)
        {
            OnWait?.Invoke();
            return null;
        }

        if (!_lock.Wait(TimeSpan.Zero, stop))
        {
            OnWait?.Invoke();
            if (!_lock.Wait(TimeSpan.FromSeconds(20), stop)) throw new TimeoutException("Nobody gave the lock back.");
        }

        return new Nothing(() => _lock.Release());
    }

    public IDisposable WatchFile(string path, Action gone)
    {
        _watched.Add((path, gone));
        return new Nothing(() => _watched.Remove((path, gone)));
    }

    public string? FindInterfaceName(int index) => _interfaces.FirstOrDefault(each => each.Index == index)?.Name;

    public string? ReadSysctl(string name) => _settings.GetValueOrDefault(name);

    public void WriteSysctl(string name, string value) => Step(() =>
    {
        if (!_settings.ContainsKey(name)) throw new CommandException("kernel-refused", $"{name} cannot be set");
        _settings[name] = value;
        if (name == SysctlChange.PathManager) _settings["net.mptcp.pm_type"] = value == "kernel" ? "0" : "1";
    });

    public IReadOnlyList<MultipathEndpoint> Endpoints() => [.. _endpoints];

    public void AddEndpoint(MultipathEndpoint endpoint) => Step(() =>
    {
        if (_endpoints.Exists(other => other.Address.Equals(endpoint.Address) && other.Port == endpoint.Port)) throw new CommandException("endpoint-exists", "there is one");
        if (_endpoints.Count == MultipathEndpoint.MaxCount) throw new CommandException("kernel-refused", "no room");
        _endpoints.Add(endpoint with { Id = _nextId++ });
    });

    public void DeleteEndpoint(MultipathEndpoint endpoint) => Step(() =>
    {
        if (_endpoints.RemoveAll(other => other.Id == endpoint.Id) == 0) throw new CommandException("endpoint-unknown", "there is none");
    });

    public MultipathLimits Limits() => _limits;

    public void SetLimits(MultipathLimits limits) => Step(() => _limits = limits);

    public void AddRoute(RouteMessage route) => Step(() =>
    {
        // Over whichever interface: one route of a family for each metric.
        if (Picture().SelectMany(state => state.Routes).Any(other => other.IsDefault && other.Destination.Equals(route.Destination) && other.Metric == route.Metric)) throw new CommandException("kernel-refused", "File exists");
        _added.Add(route);
    });

    public bool DeleteRoute(RouteMessage route)
    {
        var found = false;
        Step(() => found = _added.RemoveAll(other => other.Metric == route.Metric && other.NextHops.SequenceEqual(route.NextHops) && other.Destination.Equals(route.Destination)) > 0);
        return found;
    }

    public string? ReadFile(string path) => _files.GetValueOrDefault(path);

    public void WriteFile(string path, string text) => Step(() => _files[path] = text);

    public void DeleteFile(string path)
    {
        Step(() => _files.Remove(path));
        foreach (var (watched, gone) in _watched.ToArray())
            if (watched == path) gone();
    }

    public ProcessAnswer Run(string program, params string[] arguments)
    {
        var answer = new ProcessAnswer(1, "", $"{program} does not understand");
        void Do() => answer = (program, arguments) switch
        {
            ("systemctl", ["daemon-reload"]) => new(0, "", ""),
            ("systemctl", ["reset-failed", _]) => new(0, "", ""),
            ("systemctl", ["enable", var name]) when _files.ContainsKey($"/etc/systemd/system/{name}") && _enabledServices.Add(name) | true => new(0, "", ""),
            ("systemctl", ["start", "--no-block", var name]) when _files.ContainsKey($"/etc/systemd/system/{name}") && _runningServices.Add(name) | true => new(0, "", ""),
            ("systemctl", ["start", var name]) when _files.ContainsKey($"/etc/systemd/system/{name}") => StartService(name),
            ("systemctl", ["show", "--property=StatusText", "--value", _]) => new(0, $"{ServiceStatus}\n", ""),
            ("systemctl", ["disable", "--now", var name]) when _enabledServices.Remove(name) | _runningServices.Remove(name) | true => new(0, "", ""),
            ("nmcli", ["-g", "connection.mptcp-flags", "connection", "show", var connection]) when _flags.TryGetValue(connection, out var flags) => new(0, flags + "\n", ""),
            ("nmcli", ["connection", "modify", var connection, "connection.mptcp-flags", var flags]) when _flags.ContainsKey(connection) => Modify(connection, flags),
            ("nmcli", ["device", "reapply", var device]) when _interfaces.Any(each => each.Name == device) => Reapply(this[device]),
            _ => answer,
        };
        if (arguments is ["-g", ..])
        {
            Do();
            return answer;
        }

        Commands.Add($"{program} {string.Join(' ', arguments)}");
        Step(Do);
        return answer;
    }

    // As systemd does with Type=notify: it waits for what the service does at first, which needs the lock.
    private ProcessAnswer StartService(string name)
    {
        if (_lock.CurrentCount == 0) return new(1, "", $"Job for {name} failed because a timeout was exceeded.\n");
        try
        {
            OnServiceStart?.Invoke();
        }
        catch (CommandException)
        {
            return new(1, "", $"Job for {name} failed because the control process exited with error code.\n");
        }

        _runningServices.Add(name);
        return new(0, "", "");
    }

    private ProcessAnswer Modify(string connection, string flags)
    {
        _flags[connection] = flags;
        return new(0, "", "");
    }

    // As NetworkManager 1.42 does: endpoints by the flags, 0 meaning "if MPTCP is on", and no routes of others.
    private ProcessAnswer Reapply(FakeInterface device)
    {
        if (IsReapplyRefused) return new(1, "", "Error: not now");
        _added.RemoveAll(route => route.Interfaces[0] == device.Index);
        var isWanted = _flags[device.Connection!] is "0x22" or "0x2a" || _flags[device.Connection!] == "0x0" && _settings["net.mptcp.enabled"] == "1";
        foreach (var address in device.Addresses.Select(IPAddress.Parse))
        {
            var isThere = _endpoints.Exists(endpoint => endpoint.Address.Equals(address));
            if (isWanted && !isThere) SetEndpoint(new(0, address, 0, MultipathEndpointFlags.Subflow, device.Index));
            if (!isWanted) RemoveEndpoint(address);
        }

        return new(0, "", "");
    }

    private void Step(Action change)
    {
        var number = Steps++;
        OnStep?.Invoke(number, false);
        change();
        OnStep?.Invoke(number, true);
    }

    private void SetDefaults()
    {
        _settings.Clear();
        foreach (var (name, value) in Defaults) _settings[name] = value;
        _settings["net.ipv4.conf.all.rp_filter"] = "0";
        foreach (var each in _interfaces) _settings[Sysctl.OfInterface(each.Name, "rp_filter")] = each.ReplyFilter;
    }

    private InterfaceFacts Facts(NetworkInterfaceState state, string? ofAll)
    {
        var own = _settings.GetValueOrDefault(Sysctl.OfInterface(state.Link.Name, "rp_filter"), "0");
        var seen = new HashSet<AddressFamily>();
        return new(state)
        {
            Ways =
            [
                .. state.Addresses.Where(address => !address.IsLinkLocal).Select(address => new WayOut(
                    address.Address, state.Routes.Any(route => route.IsDefault && route.Destination.AddressFamily == address.Address.AddressFamily), seen.Add(address.Address.AddressFamily))),
            ],
            OwnReplyFilter = own,
            ReplyFilter = InterfaceFacts.EffectiveReplyFilter(ofAll, own),
            LeasedGateways = _interfaces.FirstOrDefault(each => each.Index == state.Link.Index)?.Leased ?? [],
            Connection = _interfaces.FirstOrDefault(each => each.Index == state.Link.Index)?.Connection,
        };
    }

    private sealed class Watch(FakeMachine machine) : IInterfaceWatch
    {
        private bool _isBegun;

        public async ValueTask<IReadOnlyList<NetworkInterfaceState>> NextAsync(CancellationToken stop)
        {
            if (_isBegun) await machine.Changes.Reader.ReadAsync(stop);
            _isBegun = true;
            return machine.Picture();
        }

        public void Dispose() { }
    }

    private sealed class Nothing(Action? end = null) : IDisposable
    {
        public void Dispose() => end?.Invoke();
    }
}

/// <summary>An interface of a <see cref="FakeMachine"/>.</summary>
internal sealed class FakeInterface(string name, int index, params string[] addresses)
{
    public string Name { get; set; } = name;

    public int Index => index;

    public IReadOnlyList<string> Addresses { get; set; } = addresses;

    /// <summary>As <c>ip link add type</c>; null: hardware.</summary>
    public string? Kind { get; init; }

    public bool IsUp { get; set; } = true;

    public bool HasCarrier { get; set; } = true;

    public bool IsPointToPoint { get; init; }

    public string ReplyFilter { get; init; } = "0";

    /// <summary>Routers of its default routes, with their metrics.</summary>
    public IReadOnlyList<(string? Gateway, uint Metric)> Defaults { get; set; } = [];

    /// <summary>A router of a narrower route.</summary>
    public string? NarrowGateway { get; init; }

    public IReadOnlyList<IPAddress> Leased { get; init; } = [];

    public string? Connection { get; set; }

    /// <summary>A network card with an address and a default route.</summary>
    public static FakeInterface Uplink(string name, int index, uint metric = 100, string? kind = null) =>
        new(name, index, $"10.{index}.0.2") { Defaults = [($"10.{index}.0.1", metric)], Kind = kind };

    public NetworkInterfaceState State(IReadOnlyList<RouteMessage> added)
    {
        var flags = (IsUp ? 1u : 0) | (HasCarrier ? 0x1_0040u : 0) | (IsPointToPoint ? 0x90u : 0) | (Name == "lo" ? 8u : 0);
        List<RouteMessage> routes = [.. Defaults.Select(route => Default(route.Gateway, route.Metric)), .. added];
        if (NarrowGateway is not null) routes.Add(new(IPAddress.Parse("10.200.0.0"), 16, RouteMessage.MainTable, RouteType.Unicast, [new(index, IPAddress.Parse(NarrowGateway))], 0, IsCloned: false));
        return new(
            new(index, Kind == "tun" ? 65534 : 1, flags, Name, Kind),
            [.. Addresses.Select(address => new AddressMessage(index, IPAddress.Parse(address), address.Contains(':', StringComparison.Ordinal) ? 64 : 24, 0x80))],
            routes);
    }

    private RouteMessage Default(string? gateway, uint metric) => new(
        gateway?.Contains(':', StringComparison.Ordinal) == true ? IPAddress.IPv6Any : IPAddress.Any, 0, RouteMessage.MainTable, RouteType.Unicast, [new(index, gateway is null ? null : IPAddress.Parse(gateway))], metric, IsCloned: false);
}

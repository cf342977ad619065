using Bondline.Agent;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Cli.Screen;

/// <summary>Gathers what the agent tells and counts into what the screen shows. Any thread; what it keeps is bounded.</summary>
internal sealed class ScreenModel
{
    private const int KeptEvents = 200, KeptRequests = 200, KeptPaths = 64, MaxTextLength = 1000;

    /// <summary>A silence shorter than this is nobody's news, unless bytes had to move.</summary>
    private static readonly TimeSpan Blink = TimeSpan.FromMilliseconds(300);

    /// <summary>How long bytes that move are counted to the network that went away.</summary>
    private static readonly TimeSpan MovingTime = TimeSpan.FromSeconds(3);

    private const long WorthTelling = 64 << 10;

    private readonly TimeProvider _time;
    private readonly string? _notice;
    private readonly Dictionary<string, SubflowPolicy> _policies = [];
    private readonly Lock _gate = new();
    private readonly List<ShownTunnel> _tunnels;
    private readonly OrderedDictionary<string, PathActivity> _paths = []; // in the order they were first heard of
    private readonly Queue<ToldEvent> _events = [];
    private readonly Queue<RequestView> _served = [];
    private readonly long _began;
    private long _secondBegan, _seconds;
    private long _requests;
    private int _connections, _absences;
    private long _sent, _received;
    private bool _hasChecked;
    private Carrier _carrier;
    private DateTimeOffset? _aloneSince;
    private bool _isAloneTold;

    /// <param name="targets">The local services.</param>
    /// <param name="notice">Who can open the URLs.</param>
    /// <param name="rules">What networks are used for that are not paused.</param>
    /// <param name="time">For clocks and rates.</param>
    public ScreenModel(IEnumerable<LocalTarget> targets, string? notice, IReadOnlyList<PathRule> rules, TimeProvider time)
    {
        foreach (var rule in rules) _policies[rule.Interface] = rule.Policy;
        (_time, _notice) = (time, notice);
        _tunnels = [.. targets.Select(target => new ShownTunnel(target))];
        _began = _secondBegan = time.GetTimestamp();
    }

    /// <summary>Requests served so far, the paths that went away, and the bytes sent to visitors and received from them.</summary>
    public (long Requests, int Absences, long Sent, long Received) Totals
    {
        get
        {
            lock (_gate) return (_requests, _absences, _sent, _received);
        }
    }

    public void TunnelReady(LocalTarget target, string url)
    {
        lock (_gate)
        {
            if (Find(target) is not { } tunnel) return;
            if (tunnel.Url is not null) Tell(EventKind.Warning, $"the relay gave {target} another URL");
            tunnel.Url = url;
        }
    }

    public void LocalServiceAway(LocalTarget target)
    {
        lock (_gate)
            if (Find(target) is { } tunnel) tunnel.IsAway = true;
    }

    public void LocalServiceBack(LocalTarget target)
    {
        lock (_gate)
        {
            if (Find(target) is { } tunnel) tunnel.IsAway = false;
            Tell(EventKind.Good, $"{target} answers again");
        }
    }

    /// <summary>Something for the list of events.</summary>
    public void Note(EventKind kind, string text)
    {
        lock (_gate) Tell(kind, text);
    }

    /// <summary>The bond of all networks goes without saying; anything else, and the way back, does not.</summary>
    public void CarrierChanged(CarrierReport carrier)
    {
        lock (_gate)
        {
            if (carrier.Carrier != _carrier) Tell(EventKind.Note, $"carried by {(carrier.Carrier == Carrier.Multipath ? "kernel MPTCP" : "a connection on each network")}: {carrier.Reason}");
            _carrier = carrier.Carrier;
        }
    }

    /// <summary>The checks of the start that are done when the relay takes visitors, once.</summary>
    public void Check(string relay, string? congestionControlHint)
    {
        lock (_gate)
        {
            if (_hasChecked) return;
            _hasChecked = true;
            Tell(EventKind.Good, $"{relay} takes visitors for this agent");
            foreach (var path in _paths.Values.Where(path => path.Report is { State: PathState.LeftOut, Reason: "vpn" })) Tell(EventKind.Warning, $"{path.Name} is not used: {path.Report.Detail}");
            if (congestionControlHint is not null) Tell(EventKind.Note, congestionControlHint);
        }
    }

    /// <summary>Pauses a network, or ends its pause.</summary>
    /// <returns>What it is to be used for from now on.</returns>
    public SubflowPolicy TogglePause(string name)
    {
        lock (_gate)
        {
            var policy = _policies.GetValueOrDefault(name);
            if (!_paths.TryGetValue(name, out var path)) return policy;
            path.IsPaused = !path.IsPaused;
            return path.IsPaused ? SubflowPolicy.Off : policy;
        }
    }

    public void RequestServed(LocalTarget target, RequestServed request)
    {
        lock (_gate)
        {
            _requests++;
            Keep(_served, new(_time.GetLocalNow(), target.ToString(), Cut(request.Method), Cut(request.Target), request.Status, TimeSpan.FromMilliseconds(Math.Clamp(request.DurationMs, 0, int.MaxValue))), KeptRequests);
        }
    }

    public void RequestsUntold(int count)
    {
        if (count <= 0) return;
        lock (_gate)
        {
            _requests += count;
            Keep(_served, new(_time.GetLocalNow(), "", "", "", 0, default, count), KeptRequests);
        }
    }

    public void PathChanged(PathReport report)
    {
        var now = _time.GetLocalNow();
        lock (_gate)
        {
            if (!_paths.TryGetValue(report.Path, out var path))
            {
                MakeRoom();
                _paths.Add(report.Path, path = new(report.Path) { Since = now });
            }
            var before = path.Report;
            if (before.State != report.State) path.Since = now;
            path.Report = report;
            if (report.State == PathState.Active)
            {
                if (path.Away is { Event: not null }) Tell(EventKind.Good, $"{path.Name} is back");
                else if (!path.WasUsed && _hasChecked) Tell(EventKind.Good, $"{path.Name} joined");
                (path.Away, path.WasUsed) = (null, true);
            }
            else if (path.WasUsed && path.Away is null)
            {
                path.Away = new(now, path.IsPaused ? "was paused" : Words(report), _paths.Values.ToDictionary(other => other.Name, other => other.Reinjected));
            }
        }
    }

    /// <summary>Takes the agent's numbers; several times a second.</summary>
    public void Sample(AgentStatistics statistics)
    {
        lock (_gate)
        {
            var now = _time.GetLocalNow();
            _connections = statistics.Streams;
            (_sent, _received) = (statistics.Bytes.BytesSent, statistics.Bytes.BytesReceived);
            foreach (var path in _paths.Values) path.Count(statistics.Subflows.Where(subflow => subflow.Path == path.Name));
            foreach (var use in statistics.Budgets)
                if (_paths.TryGetValue(use.Budget.Path, out var path)) path.BudgetUsed = (double)use.UsedBytes / use.Budget.Bytes;
            var timestamp = _time.GetTimestamp();
            if (_time.GetElapsedTime(_secondBegan, timestamp) is var lasted && lasted >= TimeSpan.FromSeconds(1))
            {
                (_secondBegan, _seconds) = (timestamp, _seconds + 1);
                foreach (var path in _paths.Values) path.EndSecond(lasted);
            }
            TellAlone(now);
            foreach (var path in _paths.Values) TellAbsence(path, now);
        }
    }

    public ScreenView View()
    {
        lock (_gate)
        {
            var total = Math.Max(1, _paths.Values.Sum(path => path.Sent + path.Received));
            return new ScreenView
            {
                Tunnels = [.. _tunnels.Select(tunnel => new TunnelView(tunnel.Url, tunnel.Target.ToString(), tunnel.IsAway, tunnel.Target.Kind == TunnelKind.Http))],
                Notice = _notice,
                Uptime = _time.GetElapsedTime(_began),
                Seconds = _seconds,
                Connections = _connections,
                Requests = _requests,
                Paths = [.. _paths.Values.Where(IsShown).OrderBy(path => path.Name, StringComparer.Ordinal).Select(path => View(path, total))],
                LeftOut =
                [
                    .. _paths.Values.Where(path => !IsShown(path) && path.Report.Medium != InterfaceMedium.Loopback).OrderBy(path => path.Name, StringComparer.Ordinal)
                        .Select(path => new LeftOutView(path.Name, path.Report.Medium, path.Report.Detail ?? path.Report.Reason ?? "")),
                ],
                Events = [.. _events.Select(told => new EventView(told.At, told.Kind, told.Text))],
                Served = [.. _served],
            };
        }
    }

    /// <summary>Once used, a network keeps its line.</summary>
    private static bool IsShown(PathActivity path) => path.WasUsed || path.Report.State != PathState.LeftOut;

    private static PathView View(PathActivity path, long total)
    {
        var report = path.Report;
        var since = path.Away is { } away ? $"since {away.At:HH:mm:ss}" : null;
        var why = report.Detail ?? (report.State is PathState.Active or PathState.Suspect or PathState.Dead ? null : report.Reason);
        if (path.IsPaused) why = "p: use it again";
        var trouble = report.State == PathState.Active ? null : string.Join("; ", new[] { since, why }.OfType<string>());
        return new(
            path.Name, report.Medium, report.State, path.Policy, trouble, path.Rtt, path.UpBitsPerSecond, path.DownBitsPerSecond, path.Sent + path.Received, (double)(path.Sent + path.Received) / total, path.History)
        { IsPaused = path.IsPaused, BudgetUsed = path.BudgetUsed };
    }

    private void TellAbsence(PathActivity path, DateTimeOffset now)
    {
        if (path.Away is not { } away || now - away.At > MovingTime + Blink) return;
        var (heir, moved) = (default(PathActivity), 0L);
        var others = 0L;
        foreach (var other in _paths.Values.Where(other => other != path))
        {
            var bytes = other.Reinjected - away.ReinjectedBefore.GetValueOrDefault(other.Name);
            others += bytes;
            if (other.Report.State == PathState.Active && (heir is null || bytes > moved)) (heir, moved) = (other, bytes);
        }
        if (away.Event is null)
        {
            if (now - away.At < Blink && others < WorthTelling && path.Report.State is PathState.Suspect) return;
            if (!path.IsPaused) _absences++;
            away.Event = Tell(EventKind.Warning, "", away.At);
        }
        away.Event.Text = (heir, others) switch
        {
            (null, _) => $"{path.Name} {away.Words}",
            (_, 0) => $"{path.Name} {away.Words}; {heir.Name} carries on, nothing lost",
            _ when others > moved => $"{path.Name} {away.Words}, {ScreenLayout.Size(others)} moved to {heir.Name} and others, nothing lost",
            _ => $"{path.Name} {away.Words}, {ScreenLayout.Size(others)} moved to {heir.Name}, nothing lost",
        };
    }

    /// <summary>No network left: everything waits, and is told apart from a network that another replaces.</summary>
    private void TellAlone(DateTimeOffset now)
    {
        var isAlone = _paths.Values.Any(path => path.WasUsed) && !_paths.Values.Any(path => path.Report.State == PathState.Active);
        if (!isAlone)
        {
            if (_isAloneTold) Tell(EventKind.Good, $"the relay is reached again after {ScreenLayout.Span(now - _aloneSince!.Value)}");
            (_aloneSince, _isAloneTold) = (null, false);
            return;
        }
        _aloneSince ??= now;
        if (_isAloneTold || now - _aloneSince < 2 * Blink) return;
        _isAloneTold = true;
        Tell(EventKind.Bad, "no network reaches the relay: connections wait and go on when one returns");
    }

    private static string Words(PathReport report) => report.Reason switch
    {
        "carrier" => "lost its link",
        "address" => "lost its address",
        "no-route" => "lost its route to the relay",
        "reset" => "was cut off",
        "budget" => "has used up its budget",
        "intercepted" => "leads to somebody who is not the relay",
        "refused" => "is refused by the relay",
        "captive" => "wants a sign-in",
        "mtu" => "loses large packets",
        "proxy" => "is held up by its proxy",
        "suspend" => "slept with this machine",
        _ => "went silent",
    };

    private ToldEvent Tell(EventKind kind, string text, DateTimeOffset? at = null)
    {
        var told = new ToldEvent(at ?? _time.GetLocalNow(), kind) { Text = Cut(text) };
        Keep(_events, told, KeptEvents);
        return told;
    }

    // Containers come and go, each with interfaces of other names.
    private void MakeRoom()
    {
        if (_paths.Count < KeptPaths) return;
        var oldest = _paths.Values.Where(path => !IsShown(path)).OrderBy(path => path.Since).FirstOrDefault() ?? _paths.Values.OrderBy(path => path.Since).First();
        _paths.Remove(oldest.Name);
    }

    private ShownTunnel? Find(LocalTarget target) => _tunnels.Find(tunnel => tunnel.Target == target);

    private static void Keep<T>(Queue<T> kept, T added, int most)
    {
        kept.Enqueue(added);
        if (kept.Count > most) kept.Dequeue();
    }

    private static string Cut(string text) => text.Length <= MaxTextLength ? text : text[..MaxTextLength];

    /// <summary>An event whose text may still grow, as bytes move.</summary>
    public sealed class ToldEvent(DateTimeOffset at, EventKind kind)
    {
        public DateTimeOffset At => at;

        public EventKind Kind => kind;

        public required string Text { get; set; }
    }

    private sealed class ShownTunnel(LocalTarget target)
    {
        public LocalTarget Target => target;

        public string? Url { get; set; }

        public bool IsAway { get; set; }
    }
}

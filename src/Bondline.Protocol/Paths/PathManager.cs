using System.Net;

namespace Bondline.Protocol;

/// <summary>Decides which subflows to dial and to close: observations in, commands out. No I/O, no clock; jitter comes from the seed.</summary>
/// <remarks>
/// While a path has no live subflow a new dial starts every 300 ms beside those in flight, so that a path that heals is used within a second: a connection in
/// TCP's back-off is not waited for. A dead or worn subflow is closed when its replacement has joined, not before: the dead one may be the one that recovers, the worn one carries on. Not thread safe.
/// </remarks>
public sealed class PathManager
{
    /// <summary>The path of the connection that the kernel spreads over the networks; an interface of this name is no path beside it.</summary>
    public const string MultipathName = "mptcp";

    internal const int MaxDials = 3;
    internal static readonly TimeSpan DialTimeout = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan DialInterval = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan EarlyIntervalCap = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LateInterval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan NarrowDelay = TimeSpan.FromMilliseconds(300); // a probe that was lost by chance is back by then
    private static readonly TimeSpan DeniedInterval = TimeSpan.FromSeconds(60); // a wrong password, tried often, locks an account
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan EarlyTime = TimeSpan.FromMinutes(1);

    // Long enough for any path that ever worked; on one that never did it grows with every failure, in case it is very slow.
    private static readonly TimeSpan ConnectPatience = TimeSpan.FromMilliseconds(900);
    private static readonly TimeSpan ConnectedPatience = TimeSpan.FromSeconds(1.5);
    private static readonly TimeSpan ResolveInterval = TimeSpan.FromSeconds(5);

    private readonly PathSelection _selection;
    private readonly CarrierPolicy _carrier;
    private readonly Dictionary<string, ManagedPath> _paths = [];
    private readonly List<PathCommand> _commands = [];
    private ulong _random;
    private IReadOnlyList<InterfaceView> _interfaces = [];
    private IReadOnlyList<RelayAddress> _relay = [];
    private int _lastDial;
    private Instant _nextResolve = new(long.MinValue);
    private bool _hasJoined, _isResolveForced;
    private IReadOnlyList<IPAddress>? _kernelEndpoints;
    private PathCommand.Carry? _lastCarry;

    /// <param name="rules">What the user said about interfaces.</param>
    /// <param name="isExclusive">Only the interfaces named are used, if any is.</param>
    /// <param name="seed">Of the jitter.</param>
    /// <param name="carrier">What the user wants the bond carried by.</param>
    /// <param name="hasMultipath">This system has sockets of MPTCP, or may come to have them.</param>
    public PathManager(IReadOnlyList<PathRule> rules, bool isExclusive, ulong seed, CarrierMode carrier = CarrierMode.Bond, bool hasMultipath = false)
    {
        _selection = new(rules, isExclusive);
        _carrier = new(carrier, hasMultipath);
        _random = (seed * 0x9E37_79B9_7F4A_7C15) | 1; // never zero, and close seeds differ
    }

    /// <summary>When <see cref="PathObservation.Timeout"/> is due.</summary>
    public Instant NextTimeout { get; private set; } = Instant.Never;

    /// <summary>Takes one observation.</summary>
    /// <returns>What to do about it, in this order. The list is reused by the next call.</returns>
    public IReadOnlyList<PathCommand> Handle(PathObservation seen, Instant now)
    {
        _commands.Clear();
        switch (seen)
        {
            case PathObservation.Interfaces interfaces:
                if (HaveNetworksChanged(interfaces.All)) _carrier.HandleChanged(now);
                _interfaces = interfaces.All;
                _isResolveForced = true; // another network, perhaps another resolver
                SelectPaths(now);
                break;
            case PathObservation.Relay relay when !relay.Addresses.SequenceEqual(_relay): // asked again while a path fails, and mostly told the same
                _relay = relay.Addresses;
                SelectPaths(now);
                break;
            case PathObservation.DialConnected connected when FindDial(connected.Dial, out _) is { } dial:
                dial.ConnectedAt = now;
                break;
            case PathObservation.DialFailed failed when FindDial(failed.Dial, out var path) is { } dial:
                HandleFailed(path, dial, failed, now);
                break;
            case PathObservation.Probed probed when _paths.GetValueOrDefault(probed.Path) is { } path:
                (path.IsProbing, path.IsProbed, path.Portal, path.NextProbe) = (false, true, probed.Portal, now + ProbeInterval);
                FailIfHopeless();
                break;
            case PathObservation.DialJoined joined:
                HandleJoined(joined);
                break;
            case PathObservation.SubflowChanged changed when FindSubflow(changed.Subflow, out var path) is { } subflow:
                HandleChanged(path, subflow, changed, now);
                break;
            case PathObservation.SubflowWorn worn when FindSubflow(worn.Subflow, out var path) is { IsWorn: false } subflow:
                subflow.IsWorn = true;
                Restart(path, now);
                break;
            case PathObservation.SubflowClosed closed when FindSubflow(closed.Subflow, out var path) is { } subflow:
                path.Subflows.Remove(subflow);
                if (!path.IsLive) Restart(path, now);
                break;
            case PathObservation.BondEnded:
                foreach (var path in _paths.Values)
                {
                    path.Subflows.Clear();
                    Restart(path, now);
                }

                break;
            case PathObservation.MultipathSeen multipath when FindSubflow(multipath.Subflow, out _) is { } subflow:
                (subflow.IsFallen, subflow.Networks) = (!multipath.IsMultipath, [.. multipath.Locals.Distinct()]);
                break;
            case PathObservation.KernelEndpoints endpoints:
                _kernelEndpoints = endpoints.Addresses;
                break;
            case PathObservation.PolicyChanged changed:
                _selection.Change(changed.Path, changed.Policy);
                SelectPaths(now);
                break;
            case PathObservation.HeldBack held:
                _selection.HoldBack(held.Path, held.Reason);
                SelectPaths(now);
                break;
            case PathObservation.Resumed:
                _isResolveForced = true;
                foreach (var path in _paths.Values)
                {
                    Restart(path, now);
                    path.IsDialForced = true;
                }

                break;
        }

        if (_carrier.Update(CarrierFacts(), now)) SelectPaths(now);
        var carry = new PathCommand.Carry(_carrier.Carrier, _carrier.Reason, _carrier.HasChoice);
        if (_interfaces.Count > 0 && _lastCarry != carry) _commands.Add(_lastCarry = carry);
        foreach (var path in _paths.Values)
        {
            DialIfDue(path, now);
            ProbeIfDue(path, now);
            AlignPolicies(path);
            Report(path);
        }

        ResolveIfDue(now);
        NextTimeout = FindNextTimeout();
        return _commands;
    }

    private void SelectPaths(Instant now)
    {
        SelectMultipath(now);
        foreach (var seen in _interfaces.Where(seen => seen.Name != MultipathName))
        {
            if (!_paths.TryGetValue(seen.Name, out var path)) _paths[seen.Name] = path = new(seen.Name);
            var isNew = path.Index != seen.Index;
            path.Index = seen.Index;
            Apply(path, Choose(seen), isNew, now);
            foreach (var subflow in path.Subflows)
                if (path.Choice.IsBound && subflow.Local is { } local && !subflow.IsLost && !seen.Addresses.Contains(local))
                    Lose(subflow, SubflowReason.Address);
            if (path.Choice.IsPath && !path.IsLive && path.NextDial > now) Restart(path, now);
        }

        foreach (var gone in _paths.Values.Where(path => !path.IsMultipath && !_interfaces.Any(seen => seen.Name == path.Name)).ToList())
        {
            gone.Index = 0;
            Apply(gone, new([], false, SubflowPolicy.Off, SubflowReason.Carrier, "carrier", "the interface is gone"), isNew: false, now);
            if (gone.Subflows.Count > 0 || gone.Dials.Count > 0) continue;
            Report(gone);
            _paths.Remove(gone.Name);
        }
    }

    private PathChoice Choose(InterfaceView seen)
    {
        var choice = _selection.Choose(seen, _interfaces, _relay);
        return choice.IsPath && !_carrier.UsesNetworks ? new([], false, SubflowPolicy.Off, SubflowReason.None, "carrier", "left to kernel MPTCP") : choice;
    }

    /// <summary>The path that is no interface: what it leads over is the kernel's choice.</summary>
    private void SelectMultipath(Instant now)
    {
        if (!_paths.TryGetValue(MultipathName, out var path))
        {
            if (!_carrier.MayUseKernel || _interfaces.Count == 0 || !(_carrier.UsesKernel || _selection.IsOff(MultipathName))) return;
            _paths[MultipathName] = path = new(MultipathName) { IsMultipath = true };
        }

        Apply(path, _selection.IsOff(MultipathName) ? LeftOut("policy", "switched off") : _carrier.UsesKernel ? new(_relay, false, SubflowPolicy.Normal, SubflowReason.None, null, null) : LeftOut("carrier", "not needed: each network has a connection of its own"), isNew: false, now);
        if (path.Choice.IsPath && !path.IsLive && path.NextDial > now) Restart(path, now);

        static PathChoice LeftOut(string reason, string detail) => new([], false, SubflowPolicy.Off, SubflowReason.None, reason, detail);
    }

    private CarrierFacts CarrierFacts()
    {
        var choices = _interfaces.Select(seen => (Seen: seen, Choice: _selection.Choose(seen, _interfaces, _relay))).ToList();
        var networks = choices.Where(each => each.Choice.IsPath).Select(each => _paths.GetValueOrDefault(each.Seen.Name)).ToList();
        var kernel = _paths.GetValueOrDefault(MultipathName)?.Subflows.Find(subflow => subflow.IsLive);
        var possible = PossibleForKernel(choices, kernel, out var isForbidden);
        return new(
            Math.Max(networks.Count, possible), networks.Count(path => path is not null && (path.HasJoined || path.IsLive)), networks.Count(path => path is { IsLive: true }), possible, isForbidden,
            kernel is null ? 0 : Math.Max(1, kernel.Networks.Count), kernel is { IsFallen: true });
    }

    /// <summary>How many networks the kernel may spread a connection over: its endpoints, and the system's own way to the relay.</summary>
    /// <param name="choices">All interfaces, and what is to become of them.</param>
    /// <param name="kernel">The kernel's connection, if there is one.</param>
    /// <param name="isForbidden">One of them is not to be used like any other.</param>
    /// <returns>0 also if it is forbidden.</returns>
    private int PossibleForKernel(List<(InterfaceView Seen, PathChoice Choice)> choices, ManagedSubflow? kernel, out bool isForbidden)
    {
        isForbidden = false;
        if (_kernelEndpoints is not { Count: > 0 } endpoints || _relay is not [var relay, ..] || relay.IsProxy) return 0;
        var leading = endpoints.Where(address => address.AddressFamily == relay.EndPoint.AddressFamily).Concat(kernel?.Networks ?? []).Distinct().ToList();
        var possible = 0;
        foreach (var (seen, choice) in choices)
        {
            var isOwn = seen.Index == relay.SystemInterface;
            var addresses = leading.Count(seen.Addresses.Contains);
            if (isOwn && _paths.GetValueOrDefault(seen.Name)?.Local is { } first && !leading.Contains(first)) addresses++; // needs no endpoint
            if (addresses == 0 && !isOwn) continue;
            isForbidden = choice.IsPath ? choice.Policy != SubflowPolicy.Normal : choice.Lost == SubflowReason.None;
            if (isForbidden) return 0;
            if (choice.IsPath) possible += Math.Max(1, addresses);
        }

        return possible;
    }

    /// <summary>Whether other networks may be reached, or otherwise, than before; carrier and routes of the same ones do not count.</summary>
    private bool HaveNetworksChanged(IReadOnlyList<InterfaceView> now) =>
        !now.Select(seen => (seen.Name, seen.Index)).SequenceEqual(_interfaces.Select(seen => (seen.Name, seen.Index)))
        || now.Zip(_interfaces).Any(pair => !pair.First.Addresses.SequenceEqual(pair.Second.Addresses));

    /// <summary>Interfaces by name; where several uplinks are behind one, by address too.</summary>
    private string Names(IReadOnlyList<IPAddress> locals)
    {
        var names = locals.Select(local => (Local: local, Name: _interfaces.FirstOrDefault(seen => seen.Addresses.Contains(local))?.Name)).ToList();
        return string.Join(", ", names.Select(each => each.Name is null ? $"{each.Local}" : names.Count(other => other.Name == each.Name) > 1 ? $"{each.Name} ({each.Local})" : each.Name));
    }

    private void Apply(ManagedPath path, PathChoice choice, bool isNew, Instant now)
    {
        var was = path.Choice;
        path.Choice = choice;
        if (choice.IsPath)
        {
            if (was.IsPath && !isNew) return;
            foreach (var subflow in path.Subflows.Where(subflow => subflow.IsLost))
            {
                subflow.IsLost = false;
                _commands.Add(new PathCommand.LinkRestored(subflow.Id));
            }

            path.HeldUntil = new(long.MinValue);
            path.IsNarrow = false;
            (path.IsProbed, path.HasJoinedHere, path.Portal, path.NextProbe) = (false, false, null, now);
            Restart(path, now);
            return;
        }

        foreach (var dial in path.Dials) _commands.Add(new PathCommand.Abandon(dial.Id));
        path.Dials.Clear();
        foreach (var subflow in path.Subflows.ToList())
        {
            if (choice.Lost != SubflowReason.None)
            {
                if (!subflow.IsLost) Lose(subflow, choice.Lost);
                continue;
            }

            _commands.Add(new PathCommand.Close(subflow.Id, choice.Detail ?? "not a path any more"));
            path.Subflows.Remove(subflow);
        }
    }

    private void Lose(ManagedSubflow subflow, SubflowReason why)
    {
        subflow.IsLost = true;
        _commands.Add(new PathCommand.LinkLost(subflow.Id, why));
    }

    private void HandleFailed(ManagedPath path, ManagedDial dial, PathObservation.DialFailed failed, Instant now)
    {
        path.Dials.Remove(dial);
        if (failed.Failure == DialFailure.Abandoned) return;
        path.Failures++;
        (path.LastFailure, path.LastFailureDetail) = (failed.Failure, failed.Detail);
        if (failed.Failure == DialFailure.ProxyDenied) path.HeldUntil = now + DeniedInterval;
        FailIfHopeless();
    }

    /// <summary>Somebody else answered: only if no path found the relay meanwhile, and none waits for a sign-in, is it the relay's key that is wrong, not one network.</summary>
    private void FailIfHopeless()
    {
        if (_hasJoined || _paths.Values.FirstOrDefault(path => path.LastFailure == DialFailure.WrongKey) is not { } wrong) return;
        if (_paths.Values.All(path => !path.Choice.IsPath || (path is { LastFailure: not null, Portal: null } && (path.IsProbed || !MayProbe(path)))))
            _commands.Add(new PathCommand.Fail(wrong.LastFailureDetail!));
    }

    private void ProbeIfDue(ManagedPath path, Instant now)
    {
        if (!path.WantsProbe || now < path.NextProbe || !MayProbe(path)) return;
        path.IsProbing = true;
        _commands.Add(new PathCommand.Probe(path.Name, path.Choice.Endpoints[0]));
    }

    /// <summary>A portal is where a relay should be: not on this machine, nor behind a proxy.</summary>
    private static bool MayProbe(ManagedPath path) => path.Choice is { IsPath: true, IsBound: true } && !path.Choice.Endpoints[0].IsProxy && IsPortalLikely(path);

    private static bool IsPortalLikely(ManagedPath path) => path.LastFailure switch
    {
        DialFailure.TimedOut or DialFailure.Closed or DialFailure.Intercepted or DialFailure.WrongKey => true,
        DialFailure.Refused => !path.HasJoinedHere, // where it was reached before, the relay is stopped, and what answers beside it is its machine's web server
        _ => false,
    };

    private void HandleJoined(PathObservation.DialJoined joined)
    {
        if (FindDial(joined.Dial, out var path) is not { } dial)
        {
            _commands.Add(new PathCommand.Close(joined.Subflow, "abandoned")); // it had joined before it heard
            return;
        }

        _hasJoined = path.HasJoined = path.HasJoinedHere = true;
        path.Dials.Remove(dial);
        path.Local = joined.Local;
        (path.Failures, path.Attempts, path.LastFailure, path.LastFailureDetail, path.IsDialForced, path.Portal) = (0, 0, null, null, false, null);
        AbandonDials(path);
        if (path.Subflows.Exists(other => other is { State: SubflowState.Active, IsLost: false, IsWorn: false, IsUnheard: false }))
        {
            _commands.Add(new PathCommand.Close(joined.Subflow, "not needed: the subflow it should replace is alive again"));
            return;
        }

        foreach (var replaced in path.Subflows) _commands.Add(new PathCommand.Close(replaced.Id, "replaced"));
        path.Subflows.Clear();
        path.Subflows.Add(new(joined.Subflow, joined.Local, dial.Policy, dial.Relay, dial.IsNarrow));
    }

    private void HandleChanged(ManagedPath path, ManagedSubflow subflow, PathObservation.SubflowChanged changed, Instant now)
    {
        var wasLive = path.IsLive;
        (subflow.State, subflow.Reason) = (changed.State, changed.Reason);
        if (subflow.IsUnheard)
        {
            Restart(path, now);
        }
        else if (changed is { State: SubflowState.Suspect, Reason: SubflowReason.Mtu } && !path.IsNarrow)
        {
            (path.IsNarrow, path.IsDialForced, path.NextDial) = (true, true, now + NarrowDelay);
        }
        else if (changed.State == SubflowState.Active && subflow is { IsLost: false, IsWorn: false })
        {
            path.IsDialForced = false;
            path.IsNarrow = subflow.IsNarrow;
            AbandonDials(path);
        }
        else if (wasLive && !path.IsLive)
        {
            path.IsNarrow |= changed.Reason == SubflowReason.Mtu;
            Restart(path, now);
        }
    }

    /// <summary>What a subflow or its dial began with may not be wanted any more.</summary>
    private void AlignPolicies(ManagedPath path)
    {
        if (!path.Choice.IsPath) return;
        foreach (var subflow in path.Subflows.Where(subflow => subflow.Policy != path.Choice.Policy))
        {
            subflow.Policy = path.Choice.Policy;
            _commands.Add(new PathCommand.ChangePolicy(subflow.Id, subflow.Policy));
        }
    }

    private void AbandonDials(ManagedPath path)
    {
        foreach (var dial in path.Dials) _commands.Add(new PathCommand.Abandon(dial.Id));
        path.Dials.Clear();
    }

    /// <summary>Dial at once, and often at first.</summary>
    private static void Restart(ManagedPath path, Instant now)
    {
        path.NextDial = now;
        path.DownSince = now;
        path.Failures = 0;
        path.Attempts = 0;
    }

    /// <summary>What a dial is bound to. The kernel's connection begins where the system's routes lead; as these do not see that a network is silent, each one with an endpoint is then tried in turn.</summary>
    private string? InterfaceFor(ManagedPath path)
    {
        if (!path.IsMultipath) return path.Choice.IsBound ? path.Name : null;
        var turn = path.Attempts / path.Choice.Endpoints.Count; // each of the relay's addresses through one before the next
        var networks = _interfaces.Where(seen => seen is { IsUp: true, HasCarrier: true } && seen.Addresses.Any(address => _kernelEndpoints?.Contains(address) == true)).Select(seen => seen.Name).ToList();
        return networks.Count > 1 && turn % (networks.Count + 1) is > 0 and var number ? networks[number - 1] : null;
    }

    private void DialIfDue(ManagedPath path, Instant now)
    {
        foreach (var late in path.Dials.Where(dial => now >= dial.Deadline).ToList())
        {
            path.Dials.Remove(late);
            path.Failures++;
            (path.LastFailure, path.LastFailureDetail) = (DialFailure.TimedOut, $"no answer from {late.Relay}");
            _commands.Add(new PathCommand.Abandon(late.Id));
        }

        if (!path.WantsDial || now < path.NextDial || now < path.HeldUntil || now < ConnectedUntil(path)) return;
        if (path.Dials.Count >= MaxDials)
        {
            var oldest = path.Dials[0];
            if (oldest.ConnectedAt is not null || now < oldest.StartedAt + Patience(path)) return;
            path.Dials.RemoveAt(0);
            path.Failures++;
            (path.LastFailure, path.LastFailureDetail) = (DialFailure.TimedOut, $"no answer from {oldest.Relay}");
            _commands.Add(new PathCommand.Abandon(oldest.Id));
        }

        var relay = path.Choice.Endpoints[path.Rotation++ % path.Choice.Endpoints.Count];
        path.WasDialled = true;
        path.IsDialForced = false;
        path.Dials.Add(new(++_lastDial, relay, path.Choice.Policy, path.IsNarrow, now, now + DialTimeout));
        _commands.Add(new PathCommand.Dial(_lastDial, path.Name, InterfaceFor(path), relay, path.Choice.Policy, DialTimeout, path.IsNarrow, path.IsMultipath));
        path.Attempts++;
        path.NextDial = now + Jitter(Interval(path, now));
    }

    private static Instant ConnectedUntil(ManagedPath path) =>
        path.Dials.Max(dial => dial.ConnectedAt) is { } connected ? connected + ConnectedPatience : new(long.MinValue);

    private static TimeSpan Patience(ManagedPath path) => path.HasJoined ? ConnectPatience : ConnectPatience + TimeSpan.FromMilliseconds(100 * Math.Min(path.Failures, 20));

    private static TimeSpan Interval(ManagedPath path, Instant now)
    {
        if (now - path.DownSince > EarlyTime) return LateInterval;
        var answered = path.LastFailure is null or DialFailure.TimedOut or DialFailure.Unreachable ? 0 : Math.Min(path.Failures, 4);
        var interval = DialInterval * Math.Pow(1.5, answered);
        return interval < EarlyIntervalCap ? interval : EarlyIntervalCap;
    }

    private TimeSpan Jitter(TimeSpan interval)
    {
        _random ^= _random << 13; // xorshift64
        _random ^= _random >> 7;
        _random ^= _random << 17;
        return interval * (0.8 + 0.4 * (_random >> 11) / (1UL << 53));
    }

    private void ResolveIfDue(Instant now)
    {
        var isNeeded = _relay.Count == 0 || _paths.Values.Any(path => path.Failures > 0 && path.Choice.IsPath && !path.IsLive);
        if (!_isResolveForced && (!isNeeded || now < _nextResolve)) return;
        _isResolveForced = false;
        _nextResolve = now + Jitter(ResolveInterval);
        _commands.Add(new PathCommand.Resolve());
    }

    private void Report(ManagedPath path)
    {
        var report = Describe(path);
        if (report == path.LastReport) return;
        path.LastReport = report;
        _commands.Add(report);
    }

    private PathCommand.Report Describe(ManagedPath path)
    {
        if (!path.Choice.IsPath && path.Choice.Reason is { } reason)
            return As(path.WasDialled && path.Choice.Lost != SubflowReason.None ? PathSituation.Closed : PathSituation.LeftOut, reason, path.Choice.Detail);
        if (path.Subflows.Find(subflow => subflow is { State: SubflowState.Active, IsLost: false }) is { } active)
            return path.IsMultipath ? DescribeMultipath(active) : active.IsNarrow
                ? As(PathSituation.Active, "mtu", "large packets vanish on this network: it is used with small ones")
                : As(PathSituation.Active, null, active.Relay.IsProxy ? $"through {active.Relay}" : active.Relay.Original is null ? null : $"reaches {active.Relay}");
        if (path.Subflows.Find(subflow => subflow.IsLive) is { } suspect) return As(PathSituation.Suspect, Word(suspect.Reason), null);
        if (path is { LastFailure: not null, Portal: { } portal })
            return As(path.Subflows.Count > 0 ? PathSituation.Dead : PathSituation.Connecting, "captive", $"this network wants a sign-in first{(portal.Length > 0 ? $", at {portal}" : "")}: open any http:// page in a browser on it");
        if (path.LastFailure is { } failure) return As(path.Subflows.Count > 0 ? PathSituation.Dead : PathSituation.Connecting, Word(failure), path.LastFailureDetail);
        if (path.Subflows is [var dead, ..]) return As(PathSituation.Dead, Word(dead.Reason), null);
        return path.Choice.IsPath ? As(PathSituation.Connecting, null, null) : As(PathSituation.Connecting, "resolving", "the relay's address is not known yet");

        PathCommand.Report DescribeMultipath(ManagedSubflow subflow) => subflow switch
        {
            { IsFallen: true } => As(PathSituation.Active, "fallback", "fell back to TCP: the relay, or something on the way to it, does not speak MPTCP"),
            { Networks.Count: 0 } => As(PathSituation.Active, null, null),
            { Networks: [_] } => As(PathSituation.Active, null, $"over {Names(subflow.Networks)} alone"),
            _ => As(PathSituation.Active, null, $"over {Names(subflow.Networks)}"),
        };

        PathCommand.Report As(PathSituation situation, string? reason, string? detail) => new(path.Name, situation, reason, detail, path.Choice.Policy);
    }

    private static string? Word(SubflowReason reason) => reason switch
    {
        SubflowReason.None => null,
        SubflowReason.Route => "no-route",
        var other => other.ToString().ToLowerInvariant(),
    };

    private static string Word(DialFailure failure) => failure switch
    {
        DialFailure.TimedOut => "timeout",
        DialFailure.WrongKey => "intercepted",
        DialFailure.ProxyDenied => "proxy",
        var other => other.ToString().ToLowerInvariant(),
    };

    private ManagedDial? FindDial(int id, out ManagedPath path)
    {
        foreach (var candidate in _paths.Values)
        {
            path = candidate;
            if (candidate.Dials.Find(dial => dial.Id == id) is { } dial) return dial;
        }

        path = null!;
        return null;
    }

    private ManagedSubflow? FindSubflow(SubflowId id, out ManagedPath path)
    {
        foreach (var candidate in _paths.Values)
        {
            path = candidate;
            if (candidate.Subflows.Find(subflow => subflow.Id == id) is { } subflow) return subflow;
        }

        path = null!;
        return null;
    }

    private Instant FindNextTimeout()
    {
        var next = _carrier.NextTimeout;
        foreach (var path in _paths.Values)
        {
            foreach (var dial in path.Dials) next = Instant.Earlier(next, dial.Deadline);
            if (path.WantsProbe && MayProbe(path)) next = Instant.Earlier(next, path.NextProbe);
            if (!path.WantsDial) continue;
            var due = Instant.Later(Instant.Later(path.NextDial, path.HeldUntil), ConnectedUntil(path));
            if (path.Dials.Count >= MaxDials) due = path.Dials[0].ConnectedAt is null ? Instant.Later(due, path.Dials[0].StartedAt + Patience(path)) : path.Dials[0].Deadline;
            next = Instant.Earlier(next, due);
        }

        return _relay.Count == 0 ? Instant.Earlier(next, _nextResolve) : next;
    }

    /// <summary>One interface, or what the kernel makes of all of them.</summary>
    private sealed class ManagedPath(string name)
    {
        public string Name { get; } = name;

        /// <summary>No interface: the kernel's connection.</summary>
        public bool IsMultipath { get; init; }

        public int Index { get; set; }

        public PathChoice Choice { get; set; } = new([], false, SubflowPolicy.Off, SubflowReason.None, null, null);

        public List<ManagedSubflow> Subflows { get; } = [];

        /// <summary>The address that the system chose for the last subflow that joined.</summary>
        public IPAddress? Local { get; set; }

        /// <summary>In flight, oldest first.</summary>
        public List<ManagedDial> Dials { get; } = [];

        public Instant NextDial { get; set; }

        /// <summary>Not dialled before, whatever happens but a change of the network.</summary>
        public Instant HeldUntil { get; set; } = new(long.MinValue);

        public Instant DownSince { get; set; }

        public int Failures { get; set; }

        public DialFailure? LastFailure { get; set; }

        public string? LastFailureDetail { get; set; }

        /// <summary>Who wants a sign-in before anybody gets through; null: nobody that is known.</summary>
        public string? Portal { get; set; }

        public Instant NextProbe { get; set; }

        public bool IsProbing { get; set; }

        /// <summary>Asked since the network is this one.</summary>
        public bool IsProbed { get; set; }

        public bool WantsProbe => !IsProbing && !IsLive && LastFailure is not null;

        public int Rotation { get; set; }

        /// <summary>Dials since it was last live, or the network became this one.</summary>
        public int Attempts { get; set; }

        public bool IsDialForced { get; set; }

        /// <summary>Large packets vanished here.</summary>
        public bool IsNarrow { get; set; }

        public bool WasDialled { get; set; }

        public bool HasJoined { get; set; }

        /// <summary>Since the network is this one.</summary>
        public bool HasJoinedHere { get; set; }

        public PathCommand.Report? LastReport { get; set; }

        public bool IsLive => Subflows.Exists(subflow => subflow.IsLive);

        public bool WantsDial => Choice.IsPath && (!IsLive || IsDialForced || Subflows.Exists(subflow => subflow.IsWorn || subflow.IsUnheard));
    }

    private sealed class ManagedSubflow(SubflowId id, IPAddress? local, SubflowPolicy policy, RelayAddress relay, bool isNarrow)
    {
        public bool IsNarrow { get; } = isNarrow;

        public RelayAddress Relay { get; } = relay;

        public SubflowPolicy Policy { get; set; } = policy;

        public SubflowId Id { get; } = id;

        public IPAddress? Local { get; } = local;

        public SubflowState State { get; set; }

        public SubflowReason Reason { get; set; }

        /// <summary>Of the kernel's connection: it is plain TCP.</summary>
        public bool IsFallen { get; set; }

        /// <summary>Of the kernel's connection: the local addresses it is spread over.</summary>
        public IReadOnlyList<IPAddress> Networks { get; set; } = [];

        public bool IsLost { get; set; }

        /// <summary>In use until its replacement has joined.</summary>
        public bool IsWorn { get; set; }

        /// <summary>What is sent on it arrives, and no answer comes back on it.</summary>
        public bool IsUnheard => this is { State: SubflowState.Active, Reason: SubflowReason.Unheard };

        public bool IsLive => !IsLost && State is SubflowState.Active or SubflowState.Suspect;
    }

    private sealed class ManagedDial(int id, RelayAddress relay, SubflowPolicy policy, bool isNarrow, Instant startedAt, Instant deadline)
    {
        public SubflowPolicy Policy { get; } = policy;

        public int Id { get; } = id;

        public RelayAddress Relay { get; } = relay;

        public bool IsNarrow { get; } = isNarrow;

        public Instant StartedAt { get; } = startedAt;

        public Instant Deadline { get; } = deadline;

        public Instant? ConnectedAt { get; set; }
    }
}

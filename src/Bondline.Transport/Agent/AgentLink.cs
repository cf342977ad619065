using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Threading.Channels;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Keeps one bond to a relay for as long as it runs: watches the interfaces, dials, joins, resumes, and opens a new bond when the relay has forgotten the old one.</summary>
/// <remarks>One loop owns the path manager: everything that happens is an observation in its queue, everything it decides is carried out by that loop.</remarks>
public sealed class AgentLink : IAsyncDisposable, IBondObserver, IDeadlineOwner
{
    private static readonly TimeSpan WatchRetry = TimeSpan.FromSeconds(1), AfterFailure = TimeSpan.FromSeconds(1), MultipathLook = TimeSpan.FromMilliseconds(250), EndpointLook = TimeSpan.FromSeconds(10);

    private readonly AgentLinkOptions _options;
    private readonly TransportContext _context;
    private readonly RelayResolver _resolver;
    private readonly Nat64Discovery _nat64;
    private readonly PathManager _manager;
    private readonly AgentDialer _dialer;
    private readonly Channel<object> _inputs = Channel.CreateUnbounded<object>(new() { SingleReader = true }); // one per network event, drained at once
    private readonly Dictionary<int, CancellationTokenSource> _dials = [];
    private readonly Dictionary<SubflowId, SubflowPump> _subflows = [];
    private readonly Lock _reportsGate = new();
    private readonly Dictionary<string, PathReport> _reports = [];
    private readonly Lock _carriedGate = new();
    private readonly Dictionary<string, long> _carried = []; // by subflows that are over
    private readonly List<SubflowPump> _carrying = [];
    private readonly HashSet<Task> _tasks = [];
    private readonly CancellationTokenSource _stop = new();
    private Func<AgentBond, CancellationToken, Task> _onBond = null!;
    private Task _bondRun = Task.CompletedTask;
    private Task? _resolving;
    private IReadOnlyList<InterfaceView> _interfaces = [];
    private Task? _run;
    private bool _isStopping;
    private volatile BondMode _mode;

    public AgentLink(AgentLinkOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _mode = options.Mode;
        _context = new(options.TimeProvider, options.Platform, options.Log, options.Record);
        _resolver = new(options.Platform, options.Proxies);
        _nat64 = new(options.Platform);
        _manager = new(options.Paths, options.PathsAreExclusive, MemoryMarshal.Read<ulong>(RandomNumberGenerator.GetBytes(sizeof(ulong))), options.Carrier, options.Platform.MayHaveMultipath);
        _dialer = new(options, _context, _resolver, this) { BondOpened = HandleBondOpened };
    }

    /// <summary>Raised when a path's state or its reason changed; on any thread, one at a time. Handlers return quickly and throw nothing.</summary>
    public event Action<PathReport>? PathChanged;

    /// <summary>Raised when it is known what carries the bond, and when that or the reason changes; on any thread, one at a time. Handlers return quickly and throw nothing.</summary>
    public event Action<CarrierReport>? CarrierChanged;

    /// <summary>Raised each time the relay has no room for another bond; it is dialled again. On any thread. Handlers return quickly and throw nothing.</summary>
    public event Action<BondRefusedException>? Declined;

    /// <summary>How the paths are used together; a change reaches both ends of the bond of now and of later ones. Any thread may ask and change.</summary>
    public BondMode Mode
    {
        get => _mode;
        set
        {
            _mode = value;
            _dialer.Bond?.Driver.ChangeMode(() => Mode);
        }
    }

    /// <summary>Every interface of the machine, used or left out, with its round-trip time now.</summary>
    public IReadOnlyList<PathReport> Paths
    {
        get
        {
            var pumps = _dialer.Bond?.Driver.Pumps ?? [];
            lock (_reportsGate)
                return [.. _reports.Values.Select(report => pumps.LastOrDefault(pump => pump.Path == report.Path) is { } pump ? report with { Rtt = pump.Subflow.SmoothedRtt } : report)];
        }
    }

    /// <summary>Runs until <paramref name="stop"/> is cancelled, which ends it without an exception after the relay was told. Once.</summary>
    /// <param name="onBond">Run once per bond, one after the other: registers tunnels, accepts streams. Its token is cancelled when that bond is over; its exception ends the link.</param>
    /// <param name="stop">Ends the link.</param>
    /// <exception cref="BondRefusedException">The relay refused us for good, or we it.</exception>
    public async Task RunAsync(Func<AgentBond, CancellationToken, Task> onBond, CancellationToken stop)
    {
        ArgumentNullException.ThrowIfNull(onBond);
        if (_run is not null) throw new InvalidOperationException("An agent's link runs once.");
        _onBond = onBond;
        _run = RunToEndAsync(stop);
        await _run;
    }

    /// <summary>Uses an interface otherwise from now on, in both directions; <see cref="SubflowPolicy.Off"/> closes its subflow, and its bytes go over the others. On any thread.</summary>
    /// <param name="path">The interface's name; one that was left out because it was not named is used.</param>
    /// <param name="policy">What for.</param>
    public void ChangePolicy(string path, SubflowPolicy policy) => Post(new PathObservation.PolicyChanged(path, policy));

    /// <summary>Leaves a metered interface alone for the reason given, until null is given. On any thread; before the link runs, it is not even dialled.</summary>
    public void HoldBack(string path, string? reason) => Post(new PathObservation.HeldBack(path, reason));

    /// <summary>Bytes of frames that the interface's subflows carried in both directions since the link began.</summary>
    public long BytesCarried(string path)
    {
        lock (_carriedGate)
        {
            var bytes = _carried.GetValueOrDefault(path);
            foreach (var pump in _carrying)
                if (pump.Path == path) bytes += Bytes(pump);
            return bytes;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (_run is not null) await _run.ContinueWith(static _ => { }, TaskScheduler.Default); // its exception was RunAsync's
        _context.Dispose();
        _stop.Dispose();
    }

    void IBondObserver.HandleSubflowChanged(SubflowPump pump, SubflowState state, SubflowReason reason) =>
        Post(new PathObservation.SubflowChanged(pump.Handle, state, reason));

    void IBondObserver.HandleSubflowWorn(SubflowPump pump) => Post(new PathObservation.SubflowWorn(pump.Handle));

    void IDeadlineOwner.HandleDeadline(Instant now, TimeSpan late) => Post(new PathObservation.Timeout());

    void IDeadlineOwner.HandleResumed(Instant now) => Post(new PathObservation.Resumed());

    private async Task RunToEndAsync(CancellationToken stop)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stop, _stop.Token);
        var deadline = _context.Deadlines.Register(this);
        _resolver.SetHosts(_options.Join.Hosts);
        var watching = Task.WhenAll(WatchAsync(over.Token), WatchEndpointsAsync(over.Token));
        try
        {
            await LoopAsync(deadline, over.Token);
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // asked to stop
        }
        finally
        {
            await over.CancelAsync();
            _context.Deadlines.Unregister(deadline);
            Volatile.Write(ref _isStopping, true);
            if (_dialer.Bond is { } bond) await bond.CloseAsync(ProtocolError.None, "the agent stops");
            await Task.WhenAll([watching, _resolving ?? Task.CompletedTask, .. _tasks]);
            await _bondRun; // no dial can start another one any more
            foreach (var dial in _dials.Values) dial.Dispose();
        }
    }

    private async Task LoopAsync(Deadline deadline, CancellationToken over)
    {
        await foreach (var input in _inputs.Reader.ReadAllAsync(over))
        {
            switch (input)
            {
                case Exception final:
                    throw final;
                case BondOver ended:
                    if (IsFinal(ended.End.Error) && ended.End.ByPeer) throw new BondRefusedException(ended.End.Error, ended.End.Reason);
                    if (ended.End is { ByPeer: true, Error: ProtocolError.Internal }) _tasks.Add(AllowNextLaterAsync(ended.Bond, over));
                    else ended.Bond.AllowNext();
                    _resolver.SetHosts(_options.Join.Hosts);
                    Handle(new PathObservation.BondEnded(), over);
                    break;
                case Joined joined:
                    ForgetDial(joined.Dial);
                    _subflows[joined.Pump.Handle] = joined.Pump;
                    Handle(new PathObservation.DialJoined(joined.Dial, joined.Pump.Handle, joined.Pump.Local?.Address), over);
                    break;
                case PathObservation.Interfaces interfaces:
                    _interfaces = _nat64.Complete(interfaces.All);
                    Handle(new PathObservation.Relay(_resolver.Locate()), over); // the routes to it may have changed too
                    Handle(new PathObservation.Interfaces(_interfaces), over);
                    break;
                case Nat64Found:
                    _interfaces = _nat64.Complete(_interfaces);
                    Handle(new PathObservation.Interfaces(_interfaces), over);
                    break;
                case PathObservation.SubflowClosed closed:
                    _subflows.Remove(closed.Subflow);
                    Handle(closed, over);
                    break;
                case PathObservation.DialFailed failed:
                    ForgetDial(failed.Dial);
                    Handle(failed, over);
                    break;
                case PathObservation observation:
                    Handle(observation, over);
                    break;
            }

            _context.Deadlines.Arm(deadline, _manager.NextTimeout);
        }
    }

    private void Handle(PathObservation observation, CancellationToken over)
    {
        foreach (var command in _manager.Handle(observation, _context.Clock.Now))
        {
            switch (command)
            {
                case PathCommand.Dial dial:
                    var abandon = CancellationTokenSource.CreateLinkedTokenSource(over);
                    _dials[dial.Id] = abandon;
                    _tasks.RemoveWhere(task => task.IsCompleted);
                    _tasks.Add(RunDialAsync(dial, abandon));
                    break;
                case PathCommand.Probe probe:
                    _tasks.Add(RunProbeAsync(probe, over));
                    break;
                case PathCommand.Abandon abandoned:
                    if (_dials.TryGetValue(abandoned.Id, out var pending)) pending.Cancel();
                    break;
                case PathCommand.LinkLost lost when _subflows.TryGetValue(lost.Subflow, out var pump):
                    pump.Driver.HandleLinkLost(pump, lost.Reason);
                    break;
                case PathCommand.LinkRestored restored when _subflows.TryGetValue(restored.Subflow, out var pump):
                    pump.Driver.HandleLinkRestored(pump);
                    break;
                case PathCommand.ChangePolicy change when _subflows.TryGetValue(change.Subflow, out var pump):
                    pump.Driver.ChangePolicy(pump, change.Policy);
                    break;
                case PathCommand.Close close when _subflows.TryGetValue(close.Subflow, out var pump):
                    pump.Abort(close.Why);
                    break;
                case PathCommand.Resolve:
                    if (_resolving is null or { IsCompleted: true }) _resolving = ResolveAsync(_interfaces, over);
                    break;
                case PathCommand.Report report:
                    Report(report);
                    break;
                case PathCommand.Carry carry:
                    CarrierChanged?.Invoke(new(carry.Carrier, carry.Reason, carry.HasChoice));
                    break;
                case PathCommand.Fail fail:
                    throw new BondRefusedException(ProtocolError.None, fail.Detail, isPinMismatch: true);
            }
        }
    }

    /// <summary>One dial and, if it joins, its subflow's life.</summary>
    private async Task RunDialAsync(PathCommand.Dial dial, CancellationTokenSource abandon)
    {
        await Task.Yield(); // the loop goes on
        try
        {
            var (pump, early) = await _dialer.DialAsync(dial, () => Post(new PathObservation.DialConnected(dial.Id)), abandon.Token);
            lock (_carriedGate) _carrying.Add(pump);
            Post(new Joined(dial.Id, pump));
            var looking = dial.IsMultipath ? LookAsync(pump) : Task.CompletedTask;
            try
            {
                await pump.RunAsync(early);
            }
            finally
            {
                Close(pump);
            }

            await looking;

            Post(new PathObservation.SubflowClosed(pump.Handle, pump.Ending));
        }
        catch (DialException failure)
        {
            if (failure.Failure != DialFailure.Abandoned) _context.Log.DialFailed(dial.Path, dial.Remote, failure.Message);
            if (IsFinal(failure.Error)) Post(new BondRefusedException(failure.Error, failure.InnerException!.Message));
            else Post(new PathObservation.DialFailed(dial.Id, failure.Failure, failure.Message));
            if (failure.Error == ProtocolError.TooManyBonds) Declined?.Invoke(new(failure.Error, failure.InnerException!.Message));
        }
        catch (Exception bug)
        {
            _context.Log.Unexpected("dial", bug);
            Post(new PathObservation.DialFailed(dial.Id, DialFailure.Local, "unexpected error"));
        }
    }

    /// <summary>Follows what the kernel makes of its connection: it says nothing by itself to those without rights.</summary>
    private async Task LookAsync(SubflowPump pump)
    {
        PathObservation.MultipathSeen? last = null;
        while (!pump.Completion.IsCompleted)
        {
            var seen = pump.SeeMultipath();
            if (last is null || last.IsMultipath != seen.IsMultipath || !last.Locals.SequenceEqual(seen.Locals)) Post(last = seen);
            await Task.WhenAny(pump.Completion, Task.Delay(MultipathLook, _context.Clock.Provider));
        }
    }

    private void Close(SubflowPump pump)
    {
        lock (_carriedGate)
        {
            _carrying.Remove(pump);
            _carried[pump.Path] = _carried.GetValueOrDefault(pump.Path) + Bytes(pump);
        }
    }

    private static long Bytes(SubflowPump pump)
    {
        lock (pump.Driver.Gate) return pump.Subflow.BytesSent + pump.Subflow.BytesReceived;
    }

    private async Task RunProbeAsync(PathCommand.Probe probe, CancellationToken over)
    {
        string? portal = null;
        try
        {
            portal = await PortalProbe.FindAsync(_options.Platform, probe, _resolver.LeadOf(probe.Relay, 0).Host.Host, over);
        }
        catch (OperationCanceledException)
        {
            return; // asked to stop
        }
        catch (Exception bug)
        {
            _context.Log.Unexpected("probe", bug);
        }

        Post(new PathObservation.Probed(probe.Path, portal));
    }

    private void ForgetDial(int id)
    {
        if (_dials.Remove(id, out var over)) over.Dispose();
    }

    private void HandleBondOpened(AgentBond bond)
    {
        bond.Driver.ChangeMode(() => Mode);
        if (Volatile.Read(ref _isStopping)) bond.Driver.Fail(ProtocolError.None, "the agent stops");
        _context.Log.BondOpened(bond.Id, $"relay {bond.RelayId}");
        _bondRun = RunBondAsync(bond, _bondRun);
    }

    private async Task RunBondAsync(AgentBond bond, Task previous)
    {
        await Task.Yield(); // the dial goes on
        var ending = TellEndAsync(bond);
        await previous;
        using var over = new CancellationTokenSource();
        Task work;
        try
        {
            work = _onBond(bond, over.Token);
        }
        catch (Exception failure)
        {
            work = Task.FromException(failure);
        }

        var first = await Task.WhenAny(work, bond.Completion);
        if (first == work && !work.IsCompletedSuccessfully) bond.Driver.Fail(ProtocolError.GoingAway, "the agent stops");
        await ending;
        await over.CancelAsync();
        try
        {
            await work;
        }
        catch (OperationCanceledException)
        {
            // told to stop
        }
        catch (Exception failure)
        {
            Post(failure);
        }

        await bond.Driver.Closed;
    }

    /// <summary>A relay that fails at serving a bond is not met with the next one at once, again and again.</summary>
    private async Task AllowNextLaterAsync(AgentBond ended, CancellationToken over)
    {
        await Task.Delay(AfterFailure, _context.Clock.Provider, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ended.AllowNext();
    }

    private async Task TellEndAsync(AgentBond bond) => Post(new BondOver(bond, await bond.Completion));

    private async Task WatchAsync(CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            try
            {
                using var watch = _options.Platform.Watch();
                while (true) Post(new PathObservation.Interfaces(await watch.NextAsync(over)));
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception failure)
            {
                _context.Log.Unexpected("watch over the interfaces", failure);
                await Task.Delay(WatchRetry, _context.Clock.Provider, over).ContinueWith(static _ => { }, TaskScheduler.Default);
            }
        }
    }

    /// <summary>Nobody tells an ordinary program when the kernel's endpoints change.</summary>
    private async Task WatchEndpointsAsync(CancellationToken over)
    {
        if (_options.Carrier == CarrierMode.Bond || !_options.Platform.MayHaveMultipath) return;
        IReadOnlyList<IPAddress>? last = null;
        while (!over.IsCancellationRequested)
        {
            var seen = _options.Platform.MultipathEndpoints();
            if (seen is null != last is null || (seen is not null && !seen.SequenceEqual(last!))) Post(new PathObservation.KernelEndpoints(last = seen));
            await Task.Delay(EndpointLook, _context.Clock.Provider, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ResolveAsync(IReadOnlyList<InterfaceView> interfaces, CancellationToken over)
    {
        try
        {
            if (await _resolver.ResolveAsync(over) is { } failure) _context.Log.DialFailed("", failure.Name, failure.Why);
            Post(new PathObservation.Relay(_resolver.Locate()));
            if (await _nat64.FindAsync(interfaces, over)) Post(new Nat64Found());
        }
        catch (OperationCanceledException)
        {
            // asked to stop
        }
    }

    private void Report(PathCommand.Report report)
    {
        var detail = report.Detail;
        if (report.Reason == "timeout" && IsReplyFiltered(report.Path, out var explanation)) detail = $"{detail}; {explanation}";
        var state = report.Situation switch
        {
            PathSituation.Connecting => PathState.Connecting,
            PathSituation.Active => PathState.Active,
            PathSituation.Suspect => PathState.Suspect,
            PathSituation.Dead => PathState.Dead,
            PathSituation.Closed => PathState.Closed,
            _ => PathState.LeftOut,
        };
        var rtt = _dialer.Bond?.Driver.Pumps.LastOrDefault(pump => pump.Path == report.Path)?.Subflow.SmoothedRtt;
        var found = _interfaces.FirstOrDefault(seen => seen.Name == report.Path);
        var medium = found is not null ? _options.Platform.MediumOf(found) : _reports.GetValueOrDefault(report.Path)?.Medium ?? default;
        var shown = new PathReport(report.Path, state, report.Reason, detail, rtt) { Medium = medium, Policy = report.Policy };
        lock (_reportsGate)
        {
            if (found is null && report.Path != PathManager.MultipathName) _reports.Remove(report.Path);
            else _reports[report.Path] = shown;
        }

        PathChanged?.Invoke(shown);
    }

    /// <summary>A strict filter drops replies only where the system itself would reach the relay another way, and only of IPv4.</summary>
    private bool IsReplyFiltered(string path, [NotNullWhen(true)] out string? explanation)
    {
        explanation = null;
        return _resolver.Locate().Any(relay => relay is { SystemInterface: not 0, EndPoint.AddressFamily: AddressFamily.InterNetwork } && !_interfaces.Any(seen => seen.Name == path && seen.Index == relay.SystemInterface))
            && _options.Platform.IsReplyFiltered(path, out explanation);
    }

    private void Post(object input) => _inputs.Writer.TryWrite(input);

    private static bool IsFinal(ProtocolError error) =>
        error is ProtocolError.TokenRefused or ProtocolError.TokenRevoked or ProtocolError.VersionUnsupported or ProtocolError.Superseded;

    private sealed record Joined(int Dial, SubflowPump Pump);

    private sealed record Nat64Found;

    private sealed record BondOver(AgentBond Bond, BondEnd End);
}

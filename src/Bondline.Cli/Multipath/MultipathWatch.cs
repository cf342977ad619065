using Bondline.Linux;

namespace Bondline.Cli.Multipath;

/// <summary>What <see cref="MultipathWatch"/> tells its user.</summary>
internal interface IMultipathWatchReport : IMultipathReport
{
    /// <summary>What is followed, at the start, and what would make it better.</summary>
    void Following(MultipathPlan plan, IEnumerable<Advice> advice);

    /// <summary>What there was to do for the networks at the start is done.</summary>
    void Ready() { }

    /// <summary>An endpoint was added.</summary>
    void Added(string interfaceName, EndpointPlace place);

    /// <summary>An endpoint was deleted.</summary>
    /// <param name="interfaceName">Its interface.</param>
    /// <param name="place">Where it was.</param>
    /// <param name="why">What is the matter with it.</param>
    void Deleted(string interfaceName, EndpointPlace place, LeftOut why);

    /// <summary>Something could not be done; it is tried again with the next change of the networks.</summary>
    void Failed(CommandException why);
}

/// <summary><c>bondline mptcp watch</c>: does what <c>enable</c> does and <see cref="MultipathPlan.Hasten"/> says, and again with every change of the machine's networks. What it makes, <c>disable</c> undoes.</summary>
/// <param name="system">The machine.</param>
/// <param name="names">The interfaces the user named; none: choose. Null: those named by whoever enabled it.</param>
/// <param name="report">Told of everything.</param>
/// <param name="clock">For networks that come and go.</param>
/// <param name="agent">The process that needs it, and undoes it at its end; null: a user does, or it is only followed (no <paramref name="names"/>).</param>
internal sealed class MultipathWatch(IMultipathSystem system, IReadOnlyList<string>? names, IMultipathWatchReport report, TimeProvider clock, int? agent = null)
{
    // A routing daemon may change thousands of routes; none of them says that a link is gone.
    private static readonly TimeSpan RoutesSettle = TimeSpan.FromMilliseconds(100);

    // Somebody holds the lock for long, such as an "enable --persist" that waits for systemd.
    private static readonly TimeSpan LockRetry = TimeSpan.FromSeconds(1);

    private readonly long _origin = clock.GetTimestamp();
    private readonly Dictionary<int, string> _interfaceNames = [];
    private readonly HashSet<string> _toldFailures = [];
    private EndpointFollower? _follower;
    private TimeSpan? _lockRetryAt; // null: the last picture was handled

    /// <summary>Runs until it is stopped, or somebody disables MPTCP here.</summary>
    /// <returns>False if it was disabled.</returns>
    /// <exception cref="CommandException">It cannot begin.</exception>
    public async Task<bool> RunAsync(CancellationToken stop)
    {
        MultipathRequirements.CheckRight(system, "follow the networks");
        using var watch = system.WatchInterfaces();
        var picture = await watch.NextAsync(stop);
        MultipathRequirements.Check(system.ReadFacts(picture), []); // interfaces that are named may come later
        if (!Handle(picture, stop)) return false;
        while (_lockRetryAt is not null)
        {
            await Task.Delay(LockRetry, clock, stop);
            if (!Handle(picture, stop)) return false;
        }

        report.Ready();
        using var disabled = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using var journal = system.WatchFile(MultipathFiles.JournalOf(system.NamespaceName), disabled.Cancel);
        try
        {
            Task<IReadOnlyList<NetworkInterfaceState>>? next = null;
            while (true)
            {
                next ??= watch.NextAsync(disabled.Token).AsTask();
                if ((_lockRetryAt ?? _follower!.NextTimeout) is { } due && !await CameAsync(next, due - Now, disabled.Token))
                {
                    if (!Handle(picture, stop)) return false;
                    continue;
                }

                var seen = await next;
                next = null;
                for (var settle = Task.Delay(RoutesSettle, clock, disabled.Token); HasSameLinks(picture, seen); next = null)
                {
                    next ??= watch.NextAsync(disabled.Token).AsTask();
                    if (await Task.WhenAny(next, settle) == settle) break;
                    seen = await next;
                }

                picture = seen;
                if (!Handle(picture, stop)) return false;
            }
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return false; // its journal is gone
        }
    }

    private TimeSpan Now => clock.GetElapsedTime(_origin);

    private async Task<bool> CameAsync(Task picture, TimeSpan limit, CancellationToken stop) =>
        await Task.WhenAny(picture, Task.Delay(limit > TimeSpan.Zero ? limit : TimeSpan.Zero, clock, stop)) == picture;

    /// <returns>False if somebody disabled MPTCP here; true also if it is to be called again for <see cref="_lockRetryAt"/>.</returns>
    private bool Handle(IReadOnlyList<NetworkInterfaceState> picture, CancellationToken stop)
    {
        using var taken = system.TryLock(stop);
        _lockRetryAt = taken is null ? Now + LockRetry : null;
        if (taken is null)
        {
            Tell(new("kernel-refused", $"another bondline has held {MultipathFiles.Lock} for long, and the networks are not followed until it gives it back", "Wait for it, or end it"));
            return true;
        }

        var journal = MultipathJournal.OfNamespace(system);
        if (!journal.Exists && (_follower is not null || (names is null && agent is null))) return false;
        if (agent is { } process) journal.Join(process);
        else if (_follower is null && names is not null) journal.Begin(names);
        foreach (var state in picture) _interfaceNames[state.Link.Index] = state.Link.Name;
        var others = MultipathJournal.Persistent(system).Changes.OfType<ConnectionChange>().Select(change => change.Interface).ToHashSet();
        var facts = system.ReadFacts(picture);
        var theirs = picture.Where(state => others.Contains(state.Link.Name)).Select(state => state.Link.Index).ToHashSet();
        new MultipathSetup(system).Forget(journal, facts);
        var own = journal.Changes.Where(change => change is not EndpointChange endpoint || !theirs.Contains(endpoint.InterfaceIndex)).ToList();
        var plan = MultipathPlan.Make(facts, names ?? journal.Names, others, own);
        if (_follower is null) report.Following(plan, MultipathAdvice.OfSettings(facts));
        _follower ??= new([]);
        _follower.Own(own.OfType<EndpointChange>().Select(change => change.Place)); // another process may follow the same networks, or have given some to NetworkManager
        var commands = _follower.Follow(plan.Places, facts.Endpoints ?? [], Now);

        // First what frees connections from a dead network, then what the new endpoints need.
        foreach (var command in commands.OfType<EndpointCommand.Delete>().Where(command => !command.IsReplaced)) Delete(command, plan, picture, journal);
        foreach (var change in plan.Changes.Where(change => change is not EndpointChange)) Make(change, journal);
        Hasten(plan, facts, journal);
        foreach (var command in commands)
        {
            if (command is EndpointCommand.Add add) Add(add, journal);
            else if (command is EndpointCommand.Delete { IsReplaced: true } delete) Delete(delete, plan, picture, journal);
        }

        var known = picture.Select(state => state.Link.Index).Concat((facts.Endpoints ?? []).Select(endpoint => endpoint.InterfaceIndex)).ToHashSet();
        foreach (var gone in _interfaceNames.Keys.Except(known).ToList()) _interfaceNames.Remove(gone);
        return true;
    }

    // Only for a user: an agent sees to its own sockets. Only once: whoever sets it back wants it so.
    private void Hasten(MultipathPlan plan, MultipathFacts facts, MultipathJournal journal)
    {
        if (names is not null && plan.Used.Skip(1).Any() && MultipathPlan.Hasten(facts) is { } change && !journal.Changes.Contains(change)) Make(change, journal);
    }

    private void Add(EndpointCommand.Add add, MultipathJournal journal)
    {
        var change = new EndpointChange(add.Place.Address, NameOf(add.Place), add.Place.InterfaceIndex, add.Flags);
        try
        {
            new MultipathSetup(system).Make(change, journal);
            report.Added(change.Interface, add.Place);
        }
        catch (CommandException why)
        {
            _follower!.HandleRefused(add.Place);
            Tell(why);
        }
    }

    private void Delete(EndpointCommand.Delete delete, MultipathPlan plan, IReadOnlyList<NetworkInterfaceState> picture, MultipathJournal journal)
    {
        var place = new EndpointPlace(delete.Endpoint.Address, delete.Endpoint.InterfaceIndex);
        try
        {
            system.DeleteEndpoint(delete.Endpoint);
        }
        catch (CommandException why)
        {
            if (why.Code != "endpoint-unknown") // else somebody else was faster
            {
                Tell(why);
                return;
            }
        }

        foreach (var change in journal.Changes.OfType<EndpointChange>().Where(change => change.Place == place).ToList()) journal.Remove(change);
        report.Deleted(NameOf(place), place, Why(delete, place, plan, picture));
    }

    private void Make(MultipathChange change, MultipathJournal journal)
    {
        try
        {
            new MultipathSetup(system).Make(change, journal);
            report.Changing(change);
        }
        catch (CommandException why)
        {
            Tell(why);
        }
    }

    // It is tried again, and mostly fails again.
    private void Tell(CommandException why)
    {
        if (_toldFailures.Count > 100) _toldFailures.Clear();
        if (_toldFailures.Add(why.Message)) report.Failed(why);
    }

    private static LeftOut Why(EndpointCommand.Delete delete, EndpointPlace place, MultipathPlan plan, IReadOnlyList<NetworkInterfaceState> picture) =>
        delete.IsReplaced ? new("address", "the interface has another address now")
        : plan.Interfaces.FirstOrDefault(verdict => verdict.Index == place.InterfaceIndex)?.LeftOut is { } why ? why
        : picture.Any(state => state.Link.Index == place.InterfaceIndex) ? new("address", "the address is gone")
        : new("carrier", "the interface is gone");

    private string NameOf(EndpointPlace place) => _interfaceNames.GetValueOrDefault(place.InterfaceIndex) ?? $"interface {place.InterfaceIndex}";

    private static bool HasSameLinks(IReadOnlyList<NetworkInterfaceState> one, IReadOnlyList<NetworkInterfaceState> other) =>
        one.Count == other.Count && one.Zip(other).All(pair => pair.First.Link == pair.Second.Link && pair.First.Addresses.SequenceEqual(pair.Second.Addresses));
}

using System.Globalization;

namespace Bondline.Cli.Multipath;

/// <summary>What a command of <c>bondline mptcp</c> tells its user as it goes.</summary>
internal interface IMultipathReport
{
    /// <summary>A change is about to be made, or would be.</summary>
    void Changing(MultipathChange change);

    /// <summary>There is something to know about the change just made.</summary>
    void Remark(MultipathChange change, string remark);
}

/// <summary>What enabling came to.</summary>
/// <param name="Plan">What there was to do.</param>
/// <param name="Changes">How many changes were made, or would be.</param>
internal sealed record EnablingResult(MultipathPlan Plan, int Changes);

/// <summary><c>bondline mptcp enable</c> and <c>disable</c>.</summary>
internal sealed class MultipathEnabling(IMultipathSystem system)
{
    /// <summary>Makes connections use every network, or says what would be changed for it.</summary>
    /// <exception cref="CommandException">It cannot be done; all is as before.</exception>
    public async Task<EnablingResult> EnableAsync(IReadOnlyList<string> names, bool isPersistent, bool isDryRun, IMultipathReport report, CancellationToken stop)
    {
        var facts = await ReadFactsAsync(names, stop);
        if (!isDryRun) MultipathRequirements.CheckRight(system, "change the network's settings");
        Attempt attempt;
        EnablingResult result;
        using (isDryRun ? null : system.Lock(stop))
        {
            if (!isDryRun) facts = await ReadFactsAsync(names, stop); // whoever had the lock may have changed it all
            attempt = new(MultipathJournal.OfNamespace(system), MultipathJournal.Persistent(system));
            result = Make(attempt, facts, names, isPersistent, isDryRun, report);
        }

        if (!isDryRun && attempt.Steps.Exists(step => step.Change is ServiceChange)) StartService(attempt);
        return result;
    }

    private EnablingResult Make(Attempt attempt, MultipathFacts facts, IReadOnlyList<string> names, bool isPersistent, bool isDryRun, IMultipathReport report)
    {
        var journal = attempt.Journal;
        try
        {
            var plan = Plan(attempt, facts, names, isPersistent, isDryRun);
            var result = new EnablingResult(plan, attempt.Steps.Count);
            if (isDryRun)
            {
                foreach (var (change, _) in attempt.Steps) report.Changing(change);
                return result;
            }

            if (journal.Begin(names) is { } giveBack) attempt.Replaced.Push(giveBack);
            var handover = new ConnectionHandover(system, journal, facts, attempt.Steps.Select(step => step.Change).OfType<ConnectionChange>());
            foreach (var restore in handover.Restores) attempt.Replaced.Push(restore);
            new MultipathSetup(system).Make(attempt.Steps, (change, remark) =>
            {
                if (remark is null)
                {
                    report.Changing(change);
                    return;
                }

                report.Remark(change, remark);
                if (change is ConnectionChange later) handover.Postpone(later);
            });
            handover.Complete();
            return result;
        }
        catch (CommandException)
        {
            RestoreQuietly(attempt.Replaced);
            foreach (var empty in attempt.Created.Where(each => each.Changes.Count == 0)) empty.Delete();
            throw;
        }
    }

    private MultipathPlan Plan(Attempt attempt, MultipathFacts facts, IReadOnlyList<string> names, bool isPersistent, bool isDryRun)
    {
        var (journal, persistent) = (attempt.Journal, attempt.Persistent);
        if (!isDryRun) new MultipathSetup(system).Forget(journal, facts);
        var connections = isPersistent ? Connections(facts, MultipathPlan.Make(facts, names, []), journal) : [];
        var managed = persistent.Changes.OfType<ConnectionChange>().Concat(connections).DistinctBy(change => change.Interface).ToDictionary(change => change.Interface, change => change.Connection);
        var plan = MultipathPlan.Make(facts, names, managed.Keys, [.. journal.Changes.OfType<RouteChange>()]);
        var kept = isPersistent ? Persist(facts, plan, names, connections, managed, journal, persistent, isDryRun ? null : attempt.Replaced) : [];
        // NetworkManager adds endpoints only where MPTCP is on, and takes away the routes of others where it applies a connection again.
        attempt.Add(plan.Changes.Where(change => change is SysctlChange), journal);
        attempt.Add(kept.Where(change => change is ConnectionChange), persistent);
        attempt.Add(plan.Changes.Where(change => change is not SysctlChange), journal);
        attempt.Add(kept.Where(change => change is not ConnectionChange), persistent);
        return plan;
    }

    // It does at first what needs the lock, and has it to itself.
    private void StartService(Attempt attempt)
    {
        try
        {
            ServiceChange.Start(system);
        }
        catch (CommandException)
        {
            using var taken = system.Lock(CancellationToken.None);
            attempt.Journal.Read(); // the service may have written there
            attempt.Persistent.Read();
            if (!attempt.Journal.Exists) throw; // somebody has disabled it meanwhile
            var setup = new MultipathSetup(system);
            setup.TakeBack(attempt.New);
            RestoreQuietly(attempt.Replaced);
            foreach (var each in attempt.Created) setup.Undo(each, static (_, _) => { });
            throw;
        }
    }

    private async Task<MultipathFacts> ReadFactsAsync(IReadOnlyList<string> names, CancellationToken stop)
    {
        IReadOnlyList<Linux.NetworkInterfaceState> interfaces;
        using (var watch = system.WatchInterfaces()) interfaces = await watch.NextAsync(stop);
        var facts = system.ReadFacts(interfaces);
        MultipathRequirements.Check(facts, names);
        return facts;
    }

    private static void RestoreQuietly(Stack<Action> replaced)
    {
        while (replaced.TryPop(out var restore))
        {
            try
            {
                restore();
            }
            catch (CommandException)
            {
                // Whatever made the command fail may go on. The user is told of that.
            }
        }
    }

    /// <summary>Undoes what was enabled here: the last change first, what outlives the machine's restart before the rest.</summary>
    /// <returns>False if nothing was enabled.</returns>
    /// <exception cref="CommandException">Something could not be undone; it stays written down.</exception>
    public bool Disable(Action<MultipathChange, UndoResult> report, CancellationToken stop)
    {
        MultipathRequirements.CheckRight(system, "change the network's settings");
        using var taken = system.Lock(stop);
        var journals = (MultipathJournal[])[MultipathJournal.Persistent(system), MultipathJournal.OfNamespace(system)];
        // What concerns the whole machine is undone where it was done.
        if (!system.IsNamespaceOfServices) journals = journals[1..];
        if (!journals.Any(journal => journal.Exists)) return false;
        var setup = new MultipathSetup(system);
        CheckUndone([.. journals.SelectMany(journal => setup.Undo(journal, report))]);
        return true;
    }

    /// <summary>An agent ends for which this namespace was set up; undoes it if nobody else needs it.</summary>
    /// <exception cref="CommandException">It could not be undone; it stays written down.</exception>
    public void Leave(int agent)
    {
        if (!MultipathJournal.OfNamespace(system).Exists) return;
        using var taken = system.Lock(CancellationToken.None);
        var journal = MultipathJournal.OfNamespace(system);
        if (journal.Leave(agent)) CheckUndone(new MultipathSetup(system).Undo(journal, static (_, _) => { }));
    }

    private static void CheckUndone(IReadOnlyList<(MultipathChange Change, CommandException Why)> failed)
    {
        if (failed is [var (change, why), ..])
            throw new CommandException(why.Code, $"{(failed.Count == 1 ? "one change" : $"{failed.Count} changes")} could not be undone, the first of them \"{change.Command}\": {why.Message}", "Mend that, then disable again");
    }

    // Those of NetworkManager's connections that need other flags, and those that have them.
    private List<ConnectionChange> Connections(MultipathFacts facts, MultipathPlan plan, MultipathJournal journal)
    {
        var changes = new List<ConnectionChange>();
        foreach (var (name, connection) in MultipathPersistence.Managed(facts, plan))
        {
            if (ConnectionChange.Read(system, connection) is not { } was) continue;
            var flags = plan.Changes.OfType<RouteChange>().Any(route => route.Interface == name) ? ConnectionChange.WithoutRoute : ConnectionChange.Ordinary;
            var index = facts.Interfaces.First(each => each.Name == name).Index;
            var hadEndpoint = (facts.Endpoints ?? []).Any(endpoint => endpoint.InterfaceIndex == index && !journal.Changes.OfType<EndpointChange>().Any(ours => ours.IsAt(endpoint)));
            changes.Add(new(connection, name, OpensSubflows(was) ? was : flags, was, hadEndpoint));
        }

        return changes;
    }

    private List<MultipathChange> Persist(
        MultipathFacts facts,
        MultipathPlan plan,
        IReadOnlyList<string> names,
        IReadOnlyList<ConnectionChange> connections,
        Dictionary<string, string> managed,
        MultipathJournal journal,
        MultipathJournal persistent,
        Stack<Action>? replaced)
    {
        if (!system.IsNamespaceOfServices)
            throw new CommandException("service-refused", "--persist is for the machine's own network namespace, whose settings are made again when it starts; this is another one", "Leave --persist out");
        var changes = new List<MultipathChange>(connections.Where(connection => connection.Flags != connection.Was && !persistent.Changes.OfType<ConnectionChange>().Any(old => old.Connection == connection.Connection)));

        var old = persistent.Changes.OfType<SettingsChange>().FirstOrDefault();
        var settings = MultipathPersistence.Settings([.. (old?.Settings ?? []).Concat(journal.Changes.OfType<SysctlChange>()).Concat(plan.Changes.OfType<SysctlChange>()).DistinctBy(setting => setting.Name)]);
        if (!settings.Equals(old)) changes.Add(settings);

        var running = persistent.Changes.OfType<ServiceChange>().FirstOrDefault();
        ServiceChange? service = null;
        if (MultipathPersistence.NeedsService(plan, journal.Changes, managed))
        {
            if (!facts.Managers.IsSystemdRunning) throw new CommandException("service-refused", "--persist needs systemd, which does not run this machine", "Leave --persist out, and run \"bondline mptcp watch\" when the machine starts");
            var program = system.FindServiceProgram();
            if (program.Problem is not null) throw new CommandException("service-refused", $"--persist would make a service of {program.Path}, but {program.Problem}", program.Next);
            service = MultipathPersistence.Service(program.Path, names);
            if (service != running) changes.Add(service);
        }

        CheckNothingInTheWay(changes, old, running);
        if (replaced is null) return changes;
        if (settings != old && old is not null) Replace(persistent, old, settings, replaced);
        if (running is not null && service != running) Withdraw(persistent, running, replaced);
        return changes;
    }

    private void CheckNothingInTheWay(List<MultipathChange> changes, SettingsChange? settings, ServiceChange? service)
    {
        foreach (var (path, isOurs) in (ReadOnlySpan<(string, bool)>)
            [
                (MultipathFiles.Settings, settings is not null || !changes.OfType<SettingsChange>().Any()),
                (MultipathFiles.Unit, service is not null || !changes.OfType<ServiceChange>().Any()),
            ])
        {
            if (!isOurs && system.ReadFile(path) is not null)
                throw new CommandException("service-refused", $"{path} is there, and this program did not write it", "Look at it and move it away, then enable again");
        }
    }

    // The old file goes first: whatever is interrupted then, what is there is what is written down.
    private void Replace(MultipathJournal persistent, SettingsChange old, SettingsChange settings, Stack<Action> replaced)
    {
        if (system.ReadFile(MultipathFiles.Settings) == old.Text)
        {
            replaced.Push(() => old.Make(system));
            system.DeleteFile(MultipathFiles.Settings);
        }

        replaced.Push(() =>
        {
            if (persistent.Changes.Contains(settings)) persistent.Replace(settings, old);
            else persistent.Add(old);
        });
        persistent.Replace(old, settings);
    }

    private void Withdraw(MultipathJournal persistent, ServiceChange running, Stack<Action> replaced)
    {
        replaced.Push(() =>
        {
            new MultipathSetup(system).Make(running, persistent);
            ServiceChange.StartLater(system);
        });
        running.Undo(system);
        persistent.Remove(running);
    }

    // "0x2a": enabled and subflow are set, whatever else is.
    private static bool OpensSubflows(string flags) =>
        flags.StartsWith("0x", StringComparison.Ordinal) && uint.TryParse(flags[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var bits) && (bits & 0x22) == 0x22;

    /// <summary>What one command changes, and how to have back what was before.</summary>
    private sealed class Attempt(MultipathJournal journal, MultipathJournal persistent)
    {
        public MultipathJournal Journal => journal;

        public MultipathJournal Persistent => persistent;

        /// <summary>Those that were not there before.</summary>
        public IReadOnlyList<MultipathJournal> Created { get; } = [.. new[] { journal, persistent }.Where(each => !each.Exists)];

        public List<(MultipathChange Change, MultipathJournal Journal)> Steps { get; } = [];

        /// <summary>Brings back what went before its successor came, the last first.</summary>
        public Stack<Action> Replaced { get; } = [];

        /// <summary>Those of the steps that were not written down before: what an earlier command made is that command's.</summary>
        public List<(MultipathChange Change, MultipathJournal Journal)> New { get; } = [];

        public void Add(IEnumerable<MultipathChange> changes, MultipathJournal where)
        {
            var steps = changes.Select(change => (Change: change, Journal: where)).ToList();
            Steps.AddRange(steps);
            New.AddRange(steps.Where(step => !where.Changes.Contains(step.Change)));
        }
    }
}

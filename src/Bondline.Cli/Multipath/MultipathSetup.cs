namespace Bondline.Cli.Multipath;

/// <summary>Makes changes, each written down before, and undoes what is written down. What fails half way is undone as far as it got.</summary>
internal sealed class MultipathSetup(IMultipathSystem system)
{
    /// <summary>Makes changes in their order.</summary>
    /// <param name="changes">What to make, and where to write it down.</param>
    /// <param name="report">Told of each before it is made; then, if there is one, of the remark on it.</param>
    /// <exception cref="CommandException">One could not be made; those of these are undone that nobody had written down before.</exception>
    public void Make(IReadOnlyList<(MultipathChange Change, MultipathJournal Journal)> changes, Action<MultipathChange, string?> report)
    {
        var made = new List<(MultipathChange, MultipathJournal)>();
        foreach (var step in changes)
        {
            report(step.Change, null);
            var isNew = !step.Journal.Changes.Contains(step.Change);
            try
            {
                Make(step.Change, step.Journal, remark => report(step.Change, remark));
            }
            catch (CommandException)
            {
                TakeBack(made);
                throw;
            }

            if (isNew) made.Add(step); // what an earlier command made is that command's
        }
    }

    /// <summary>Takes changes back because something after them failed, the last first.</summary>
    public void TakeBack(IEnumerable<(MultipathChange Change, MultipathJournal Journal)> made)
    {
        foreach (var (change, journal) in made.Reverse()) TakeBackQuietly(change, journal);
    }

    /// <summary>Makes one change.</summary>
    /// <exception cref="CommandException">It could not be made, and is undone.</exception>
    public void Make(MultipathChange change, MultipathJournal journal, Action<string>? remark = null)
    {
        var isNew = !journal.Changes.Contains(change);
        journal.Add(change);
        try
        {
            if (change.Make(system) is { } said) remark?.Invoke(said);
        }
        catch (CommandException why)
        {
            if (isNew && why.Code == "endpoint-exists") journal.Remove(change); // somebody else was faster: theirs
            else if (isNew) TakeBackQuietly(change, journal);
            throw;
        }
    }

    /// <summary>Undoes everything that is written down, the last first.</summary>
    /// <param name="journal">Empty and gone at the end.</param>
    /// <param name="report">Told of each when it is done.</param>
    /// <returns>What could not be undone, and stays written down.</returns>
    public IReadOnlyList<(MultipathChange Change, CommandException Why)> Undo(MultipathJournal journal, Action<MultipathChange, UndoResult> report)
    {
        var failed = new List<(MultipathChange, CommandException)>();
        foreach (var change in journal.Changes.Reverse().ToList())
        {
            try
            {
                var result = change.Undo(system);
                journal.Remove(change);
                report(change, result);
            }
            catch (CommandException why)
            {
                failed.Add((change, why));
            }
        }

        if (failed.Count == 0) journal.Delete();
        return failed;
    }

    /// <summary>Takes off the list what is not there any more: it would grow for as long as networks come and go.</summary>
    public void Forget(MultipathJournal journal, MultipathFacts facts)
    {
        foreach (var change in journal.Changes.ToList())
        {
            try
            {
                if (!change.IsMissing(facts, system)) continue;
                change.TakeBack(system); // the facts may be older than it is; what is needed is made again
                journal.Remove(change);
            }
            catch (CommandException)
            {
                // It stays written down.
            }
        }
    }

    private void TakeBackQuietly(MultipathChange change, MultipathJournal journal)
    {
        try
        {
            change.TakeBack(system);
            journal.Remove(change);
        }
        catch (CommandException)
        {
            // It stays written down: "disable" tries again. The reason why the first change failed is what the user is told.
        }
    }
}

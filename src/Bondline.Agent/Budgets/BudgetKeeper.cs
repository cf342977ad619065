namespace Bondline.Agent;

/// <summary>Counts what metered networks carry, keeps it over restarts, and holds a network back whose budget is used up.</summary>
/// <remarks>Counted four times a second and saved every five seconds and whenever a budget is used up: a crash forgets five seconds at most and never that nothing is left, and a budget is overdrawn by what a network carries in a quarter of one. Not thread safe but for <see cref="Uses"/>.</remarks>
internal sealed class BudgetKeeper
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(0.25), SaveInterval = TimeSpan.FromSeconds(5);

    /// <summary>TLS, TCP and IP headers of full packets one way and of their acknowledgements the other take 5.5 %.</summary>
    private const int HeadersShare = 16;

    private readonly Account[] _accounts;
    private readonly TimeProvider _time;
    private readonly Action<AgentProblem> _problem;
    private DateTimeOffset _savedAt = DateTimeOffset.MinValue;
    private BudgetUse[] _uses;

    /// <param name="budgets">One per network at most.</param>
    /// <param name="settings">Where the counts are kept; null: for this run only.</param>
    /// <param name="time">Whose local midnight counts.</param>
    /// <param name="problem">Is told what goes wrong, once each.</param>
    public BudgetKeeper(IEnumerable<PathBudget> budgets, AgentSettings? settings, TimeProvider time, Action<AgentProblem> problem)
    {
        _accounts = [.. budgets.Select(budget => new Account(budget, settings is null ? null : new TrafficFile(settings, budget.Path)))];
        (_time, _problem) = (time, problem);
        _uses = [.. _accounts.Select(account => new BudgetUse(account.Budget, 0))];
    }

    /// <summary>Bytes that a network's subflows carried since the start, both directions.</summary>
    public required Func<string, long> Carried { get; init; }

    /// <summary>Told the reason when a budget is used up, null when there is one again.</summary>
    public required Action<string, string?> HoldBack { get; init; }

    /// <summary>On any thread.</summary>
    public IReadOnlyList<BudgetUse> Uses => Volatile.Read(ref _uses);

    /// <summary>Takes up what earlier runs counted, before anything is dialled.</summary>
    public void Begin()
    {
        foreach (var account in _accounts) Guard(account, file => account.Kept = Checked(account, file.Read(), file));
        Judge();
    }

    /// <summary>Counts until it is stopped, and saves at the end.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        if (_accounts.Length == 0) return;
        using var timer = new PeriodicTimer(Interval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(stop)) Count();
        }
        catch (OperationCanceledException)
        {
            // asked to stop
        }
    }

    /// <summary>Everything is over: what was carried since is counted and saved.</summary>
    public void End()
    {
        _savedAt = DateTimeOffset.MinValue;
        Count();
    }

    /// <summary>Takes what was carried since the last call; saves what is due.</summary>
    public void Count()
    {
        foreach (var account in _accounts)
        {
            var carried = Carried(account.Budget.Path);
            var framed = carried - account.Seen;
            account.Seen = carried;
            account.Unsaved += framed + framed / HeadersShare;
        }
        var now = _time.GetUtcNow();
        var isDue = (now - _savedAt).Duration() >= SaveInterval; // the clock may be set back
        if (isDue) _savedAt = now;
        foreach (var account in _accounts)
        {
            if (isDue || UseOf(account).IsUsedUp) Save(account);
        }
        Judge();
    }

    private void Save(Account account)
    {
        if (account.Unsaved == 0) return;
        Guard(account, file =>
        {
            if (Checked(account, file.TryAdd(account.Unsaved, Today), file) is not { } record) return; // another process writes; in a while
            account.Kept = record;
            account.Unsaved = 0;
        });
    }

    private void Judge()
    {
        for (var i = 0; i < _accounts.Length; i++)
        {
            var account = _accounts[i];
            var use = UseOf(account);
            _accounts[i].Use = use;
            if (use.IsUsedUp == account.IsUsedUp) continue;
            account.IsUsedUp = use.IsUsedUp;
            HoldBack(account.Budget.Path, use.IsUsedUp ? use.UsedUp : null);
        }
        Volatile.Write(ref _uses, [.. _accounts.Select(account => account.Use)]);
    }

    private BudgetUse UseOf(Account account) =>
        new(account.Budget, (account.Kept ?? new(Today, 0, 0)).Add(account.Unsaved, Today).Of(account.Budget.Period, Today));

    private DateOnly Today => DateOnly.FromDateTime(_time.GetLocalNow().DateTime);

    private TrafficRecord? Checked(Account account, TrafficRecord? record, TrafficFile file)
    {
        if (file.WasCorrupt) Tell(account, $"{file.File} does not say what {account.Budget.Path} has carried, so its budget begins anew");
        return record;
    }

    private void Guard(Account account, Action<TrafficFile> use)
    {
        try
        {
            if (account.File is { } file) use(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Tell(account, $"what {account.Budget.Path} carries is not kept, so a restart forgets it: {error.Message.TrimEnd('.')}");
        }
    }

    private void Tell(Account account, string message)
    {
        if (account.IsTold) return;
        account.IsTold = true;
        _problem(new("settings-unusable", message));
    }

    private sealed class Account(PathBudget budget, TrafficFile? file)
    {
        public PathBudget Budget => budget;

        public TrafficFile? File => file;

        /// <summary>As it was saved last.</summary>
        public TrafficRecord? Kept { get; set; }

        public long Unsaved { get; set; }

        /// <summary>Of what was carried, in bytes of frames.</summary>
        public long Seen { get; set; }

        public BudgetUse Use { get; set; } = new(budget, 0);

        public bool IsUsedUp { get; set; }

        public bool IsTold { get; set; }
    }
}

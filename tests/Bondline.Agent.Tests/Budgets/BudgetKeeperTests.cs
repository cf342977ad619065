using Xunit;

namespace Bondline.Agent.Tests;

public sealed class BudgetKeeperTests : IDisposable
{
    private const long MB = 1_000_000;

    private static readonly PathBudget Daily = new("usb0", 10 * MB, BudgetPeriod.Day), Monthly = Daily with { Period = BudgetPeriod.Month };

    private readonly string _root = Directory.CreateTempSubdirectory("bondline-budgets-").FullName;
    private readonly LocalClock _clock = new();
    private readonly List<AgentProblem> _problems = [];

    private AgentSettings Settings => new(Path.Combine(_root, "bondline"));

    private string File => Path.Combine(Settings.Folder, "traffic", "usb0");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void A_budget_that_is_used_up_holds_its_network_back_until_midnight()
    {
        var run = new Run(this, Daily);
        run.Carry(9 * MB);
        Assert.Null(run.HeldBack);
        run.Carry(MB); // with headers it is over
        Assert.Equal("10 MB of today are used up; again from midnight", run.HeldBack);
        _clock.Now = new(2026, 11, 23, 23, 59, 59, default);
        run.Carry(0);
        Assert.NotNull(run.HeldBack);
        _clock.Now = new(2026, 11, 24, 0, 0, 0, default);
        run.Carry(0);
        Assert.Null(run.HeldBack);
    }

    [Fact]
    public void A_clock_set_back_over_midnight_gives_no_budget_again_and_one_that_was_years_ahead_holds_nothing_back()
    {
        var run = new Run(this, Daily);
        _clock.Now = new(2026, 11, 24, 0, 5, 0, default);
        run.Carry(10 * MB);
        Assert.NotNull(run.HeldBack);
        _clock.Now = new(2026, 11, 23, 23, 55, 0, default);
        run.Carry(0);
        Assert.NotNull(run.HeldBack);

        _clock.Now = new(2036, 1, 1, 0, 0, 0, default);
        run.Carry(10 * MB);
        Assert.NotNull(run.HeldBack);
        _clock.Now = new(2026, 11, 24, 0, 5, 0, default);
        run.Carry(0);
        Assert.Null(run.HeldBack);
    }

    [Fact]
    public void A_months_budget_lasts_until_the_first()
    {
        var run = new Run(this, Monthly);
        run.Carry(11 * MB);
        _clock.Now = new(2026, 11, 30, 23, 0, 0, default);
        run.Carry(0);
        Assert.Equal("10 MB of this month are used up; again from the first of next month", run.HeldBack);
        _clock.Now = new(2026, 12, 1, 0, 0, 0, default);
        run.Carry(0);
        Assert.Null(run.HeldBack);
    }

    [Fact]
    public void It_is_the_local_midnight()
    {
        _clock.Zone = TimeZoneInfo.CreateCustomTimeZone("east", TimeSpan.FromHours(10), null, null);
        var run = new Run(this, Daily);
        run.Carry(11 * MB);
        _clock.Now = new(2026, 11, 23, 14, 0, 0, default); // midnight there
        run.Carry(0);
        Assert.Null(run.HeldBack);
    }

    [Theory]
    [InlineData(BudgetPeriod.Day)]
    [InlineData(BudgetPeriod.Month)]
    public void What_was_used_is_kept_over_a_restart_and_before_anything_is_dialled(BudgetPeriod period)
    {
        var first = new Run(this, Daily with { Period = period });
        first.Carry(11 * MB);
        first.Keeper.End();
        Assert.NotNull(new Run(this, Daily with { Period = period }).HeldBack);
        Assert.Null(new Run(this, Daily with { Bytes = 20 * MB, Period = period }).HeldBack);
    }

    [Fact]
    public void A_crash_forgets_five_seconds_at_most()
    {
        var crashed = new Run(this, Daily);
        for (var second = 0; second < 20; second++)
        {
            _clock.Now += TimeSpan.FromSeconds(1);
            crashed.Carry(160_000); // 170,000 with headers
        }
        Assert.InRange(new Run(this, Daily).Used, 15 * 170_000, 20 * 170_000);
    }

    [Fact]
    public void A_crash_never_forgets_that_a_budget_is_used_up()
    {
        var crashed = new Run(this, Daily);
        crashed.Carry(MB); // saves
        _clock.Now += TimeSpan.FromSeconds(1);
        crashed.Carry(10 * MB);
        Assert.NotNull(crashed.HeldBack);
        Assert.NotNull(new Run(this, Daily).HeldBack);
    }

    [Fact]
    public void Agents_that_run_together_count_together()
    {
        Run one = new(this, Daily), other = new(this, Daily);
        one.Carry(6 * MB);
        other.Carry(6 * MB);
        _clock.Now += TimeSpan.FromSeconds(5);
        one.Carry(16);
        Assert.NotNull(one.HeldBack);
    }

    [Fact]
    public void While_another_agent_writes_nothing_is_lost()
    {
        var run = new Run(this, Daily);
        run.Carry(0);
        using (new FileStream(Path.Combine(Directory.CreateDirectory(Path.GetDirectoryName(File)!).FullName, "usb0.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None))
        {
            run.Carry(4 * MB);
            run.Keeper.End();
            Assert.False(System.IO.File.Exists(File));
        }
        run.Keeper.End();
        Assert.Equal(4_250_000, new Run(this, Daily).Used);
        Assert.Empty(_problems);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"day\":\"2026-11-23\",\"dayBytes\":12")]
    [InlineData("{\"day\":\"2026-11-23\",\"dayBytes\":-1,\"monthBytes\":0}")]
    [InlineData("{\"day\":\"yesterday\",\"dayBytes\":1,\"monthBytes\":1}")]
    [InlineData("null")]
    public void A_damaged_file_is_said_once_and_begun_anew(string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(File)!);
        System.IO.File.WriteAllText(File, text);
        var run = new Run(this, Daily);
        run.Carry(MB);
        run.Keeper.End();
        var problem = Assert.Single(_problems);
        Assert.Equal("settings-unusable", problem.Code);
        Assert.Contains(File, problem.Message);
        Assert.Equal(1_062_500, new Run(this, Daily).Used);
        Assert.Single(_problems);
    }

    /// <summary>Found by fuzzing: the sum went below zero, which lifted the budget and made the file unreadable.</summary>
    [Theory]
    [InlineData(BudgetPeriod.Day)]
    [InlineData(BudgetPeriod.Month)]
    public void A_count_that_cannot_grow_stays_used_up(BudgetPeriod period)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(File)!);
        System.IO.File.WriteAllText(File, $$"""{"day":"2026-11-23","dayBytes":{{long.MaxValue}},"monthBytes":{{long.MaxValue}}}""");
        var run = new Run(this, Daily with { Period = period });
        run.Carry(MB);
        Assert.Equal(long.MaxValue, run.Used);
        run.Keeper.End();
        Assert.NotNull(new Run(this, Daily with { Period = period }).HeldBack);
        Assert.Empty(_problems);
    }

    [Fact]
    public void Without_a_folder_it_is_said_once_and_counted_for_this_run()
    {
        System.IO.File.WriteAllText(Settings.Folder, "no folder");
        var run = new Run(this, Daily);
        run.Carry(6 * MB);
        _clock.Now += TimeSpan.FromSeconds(5);
        run.Carry(6 * MB);
        Assert.NotNull(run.HeldBack);
        Assert.Equal("settings-unusable", Assert.Single(_problems).Code);
    }

    private sealed class Run
    {
        private long _carried;

        public Run(BudgetKeeperTests test, PathBudget budget)
        {
            Keeper = new([budget], test.Settings, test._clock, test._problems.Add) { Carried = path => path == "usb0" ? _carried : 0, HoldBack = (_, reason) => HeldBack = reason };
            Keeper.Begin();
        }

        public BudgetKeeper Keeper { get; }

        public string? HeldBack { get; private set; }

        public long Used => Assert.Single(Keeper.Uses).UsedBytes;

        public void Carry(long bytes)
        {
            _carried += bytes;
            Keeper.Count();
        }
    }

    private sealed class LocalClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = new(2026, 11, 23, 12, 0, 0, default);

        public TimeZoneInfo Zone { get; set; } = TimeZoneInfo.Utc;

        public override TimeZoneInfo LocalTimeZone => Zone;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}

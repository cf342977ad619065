using System.Globalization;

namespace Bondline.Agent;

/// <summary>When a budget begins anew, by this machine's clock.</summary>
public enum BudgetPeriod
{
    /// <summary>At midnight.</summary>
    Day,

    /// <summary>At midnight before the first.</summary>
    Month,
}

/// <summary>What a metered network may carry, both directions together; used up, it is not used at all until the next period.</summary>
/// <param name="Path">The interface's name.</param>
/// <param name="Bytes">IP bytes, as a provider counts them.</param>
/// <param name="Period">In which time.</param>
public readonly record struct PathBudget(string Path, long Bytes, BudgetPeriod Period);

/// <summary>A budget and what is used of it in the period of now.</summary>
public readonly record struct BudgetUse(PathBudget Budget, long UsedBytes)
{
    internal bool IsUsedUp => UsedBytes >= Budget.Bytes;

    internal string UsedUp => string.Create(
        CultureInfo.InvariantCulture,
        $"{Amount(Budget.Bytes)} of {(Budget.Period == BudgetPeriod.Day ? "today" : "this month")} are used up; again from {(Budget.Period == BudgetPeriod.Day ? "midnight" : "the first of next month")}");

    private static string Amount(long bytes) => bytes >= 1_000_000_000
        ? (bytes / 1e9).ToString("0.##", CultureInfo.InvariantCulture) + " GB"
        : (bytes / 1e6).ToString("0.##", CultureInfo.InvariantCulture) + " MB";
}

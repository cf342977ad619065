using System.Globalization;
using Bondline.Agent;
using Bondline.Protocol;

namespace Bondline.Cli;

/// <summary>The value of <c>--paths</c>.</summary>
/// <param name="Rules">One per named interface.</param>
/// <param name="Budgets">Of those that are metered with one.</param>
/// <param name="AreExclusive">Use the named ones and no other; not so if they only say which to leave out.</param>
internal sealed record PathRules(IReadOnlyList<PathRule> Rules, IReadOnlyList<PathBudget> Budgets, bool AreExclusive)
{
    /// <summary>The kernel's limit for interface names.</summary>
    private const int MaxNameLength = 15;

    private const string MeteredWith = "metered=";

    /// <exception cref="CommandException">A name is empty, too long or given twice, or a policy is unknown.</exception>
    public static PathRules Parse(string? text)
    {
        if (text is null) return new([], [], false);
        var rules = new List<PathRule>();
        var budgets = new List<PathBudget>();
        foreach (var entry in text.Split(',', StringSplitOptions.TrimEntries))
        {
            var colon = entry.LastIndexOf(':');
            var name = colon < 0 ? entry : entry[..colon];
            if (name.Length is 0 or > MaxNameLength || name.Any(c => char.IsWhiteSpace(c) || c == '/'))
                throw Wrong(text, $"\"{name}\" is no name of an interface", "Write names as \"ip link\" shows them, as in --paths eth0,wlan0:backup");
            if (rules.Any(rule => rule.Interface == name)) throw Wrong(text, $"{name} is named twice", "Name each interface once");
            var policy = colon < 0 ? "normal" : entry[(colon + 1)..];
            if (policy.StartsWith(MeteredWith, StringComparison.Ordinal)) budgets.Add(Budget(text, name, policy[MeteredWith.Length..]));
            rules.Add(new(name, budgets is [.., var last] && last.Path == name ? SubflowPolicy.Metered : Policy(text, policy)));
        }
        return new(rules, budgets, rules.Any(rule => rule.Policy != SubflowPolicy.Off));
    }

    private static PathBudget Budget(string text, string name, string budget)
    {
        var parts = budget.Split('/');
        if (parts is [var amount, "day" or "month"] && amount.Length > 2)
        {
            var unit = amount[^2..].ToUpperInvariant() switch { "MB" => 1e6, "GB" => 1e9, "TB" => 1e12, _ => 0 };
            // TryParse alone takes zero characters behind a number.
            if (!amount.Contains('\0', StringComparison.Ordinal) && decimal.TryParse(amount[..^2], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number is > 0 and < 10_000 && unit > 0)
                return new(name, (long)(number * (decimal)unit), parts[1] == "day" ? BudgetPeriod.Day : BudgetPeriod.Month);
        }
        throw Wrong(text, $"\"{budget}\" is no budget", "Write it as in metered=500MB/day or metered=2.5GB/month");
    }

    private static SubflowPolicy Policy(string text, string policy) => policy switch
    {
        "normal" => SubflowPolicy.Normal,
        "prefer" => SubflowPolicy.Prefer,
        "backup" => SubflowPolicy.Backup,
        "metered" => SubflowPolicy.Metered,
        "off" => SubflowPolicy.Off,
        _ => throw Wrong(text, $"\"{policy}\" is no policy", "Use prefer, normal, backup, metered, metered=AMOUNT/day or off"),
    };

    private static CommandException Wrong(string text, string why, string next) => new("usage", $"--paths {text}: {why}", next);
}

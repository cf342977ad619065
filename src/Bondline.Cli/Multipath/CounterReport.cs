using System.Globalization;
using Bondline.Linux;

namespace Bondline.Cli;

/// <summary>The kernel's MPTCP counters for people, at 80 columns.</summary>
internal static class CounterReport
{
    private const int Width = 80, NumberWidth = 9, NameWidth = 23;

    /// <summary>Those that are not zero, or all, in groups; what means trouble has a "!".</summary>
    public static IEnumerable<string> Totals(MultipathCounters counters, bool isAll)
    {
        foreach (var group in MultipathCounter.All.GroupBy(counter => counter.Group))
        {
            MultipathCounter[] shown = [.. group.Where(counter => counters.Values.ContainsKey(counter.Name) && (isAll || counters[counter.Name] != 0))];
            if (shown.Length == 0) continue;
            yield return $"{group.Key}";
            foreach (var line in shown.SelectMany(counter => Row(counter.IsTrouble && counters[counter.Name] != 0, $"{counters[counter.Name]}", counter.Name, counter.Meaning)))
                yield return line;
        }

        if (!isAll) yield break;
        string[] unknown = [.. counters.Values.Keys.Where(name => MultipathCounter.Find(name) is null).Order(StringComparer.Ordinal)];
        if (unknown.Length == 0) yield break;
        yield return "Others of this kernel";
        foreach (var name in unknown) yield return $"  {counters[name],NumberWidth}  {name}";
    }

    /// <summary>One line, or more, for each counter that moved between two readings.</summary>
    public static IEnumerable<string> Changes(MultipathCounters before, MultipathCounters after, TimeOnly at)
    {
        foreach (var counter in MultipathCounter.All)
        {
            var change = after[counter.Name] - before[counter.Name];
            if (change == 0) continue;
            var number = counter.IsLevel ? $"={after[counter.Name]}" : string.Create(CultureInfo.InvariantCulture, $"{change:+0;-0}");
            foreach (var line in Row(counter.IsTrouble, number, counter.Name, counter.Meaning, at.ToString("HH:mm:ss", CultureInfo.InvariantCulture))) yield return line;
        }
    }

    private static IEnumerable<string> Row(bool isTrouble, string number, string name, string meaning, string? at = null)
    {
        var start = at is null ? $"{(isTrouble ? "! " : "  ")}{number,NumberWidth}  {name,-NameWidth}  " : $"{at} {(isTrouble ? "!" : " ")} {number,6}  {name,-NameWidth}  ";
        var indent = new string(' ', start.Length);
        return ReportText.Wrap(meaning, Width - start.Length).Select((line, i) => (i == 0 ? start : indent) + line);
    }
}

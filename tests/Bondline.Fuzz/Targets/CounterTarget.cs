using System.Text;
using Bondline.Cli;
using Bondline.Linux;

namespace Bondline.Fuzz;

/// <summary>The text of /proc/net/netstat, and what is said of its counters.</summary>
internal static class CounterTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        if (MultipathCounters.Parse(Encoding.UTF8.GetString(input)) is not { } counters) return;
        var none = counters.Since(counters);
        FuzzTarget.Require(none.Values.All(pair => pair.Value == 0 || MultipathCounter.Find(pair.Key)!.IsLevel), "between two equal readings nothing was counted");
        FuzzTarget.Require(!CounterReport.Changes(counters, counters, default).Any(), "and nothing is said");
        FuzzTarget.Require(CounterReport.Totals(counters, isAll: false).Count() <= CounterReport.Totals(counters, isAll: true).Count(), "all are no fewer");
    }
}

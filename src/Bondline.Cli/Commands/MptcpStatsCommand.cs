using System.CommandLine;
using System.Text.Json;
using Bondline.Linux;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline mptcp stats</c>: the kernel's MPTCP counters, named and explained.</summary>
internal static class MptcpStatsCommand
{
    public static Command Create(CommandHost host)
    {
        var all = new Option<bool>("--all") { Description = "Those that are zero too, and those this program cannot explain." };
        var watch = new Option<bool>("--watch") { Description = "Then show what changes, every second." };
        var command = new Command("stats", "What the kernel has counted of MPTCP since the machine started, explained.") { all, watch };
        command.SetAction(line => MptcpCommand.GuardAsync(() => RunAsync(host, line, line.GetValue(all), line.GetValue(watch))));
        return command;
    }

    private static async Task RunAsync(CommandHost host, ParseResult line, bool isAll, bool isWatched)
    {
        var isJson = line.GetValue(CommonOptions.Json);
        var counters = Read();
        if (isJson)
        {
            WriteJson(host, counters, changes: null);
        }
        else
        {
            MptcpCommand.NoteIfOff(host, line);
            var any = false;
            foreach (var row in CounterReport.Totals(counters, isAll))
            {
                any = true;
                host.Output.WriteLine(row);
            }

            if (!any && !line.GetValue(CommonOptions.Quiet)) host.Error.WriteLine("Nothing is counted yet: no program has used MPTCP in this network namespace.");
        }

        if (!isWatched) return;
        host.ShowUntilStopped();
        await EverySecond.RunAsync(
            () =>
            {
                var before = counters;
                counters = Read();
                var since = counters.Since(before);
                if (!isJson)
                {
                    foreach (var row in CounterReport.Changes(before, counters, TimeOnly.FromDateTime(DateTime.Now))) host.Output.WriteLine(row);
                }
                else if (counters.Values.Any(pair => pair.Value != before[pair.Key]))
                {
                    WriteJson(host, counters, since.Values.Where(pair => MultipathCounter.Find(pair.Key)?.IsLevel != true && pair.Value != 0).ToDictionary());
                }
            },
            host.Stop.Drain);
    }

    private static MultipathCounters Read() =>
        MultipathCounters.Read() ?? throw new MultipathException(MultipathFailure.NotSupported, "this kernel has no MPTCP: it has no counters of it in /proc/net/netstat");

    private static void WriteJson(CommandHost host, MultipathCounters counters, IReadOnlyDictionary<string, long>? changes) =>
        host.Output.WriteLine(JsonSerializer.Serialize(new CountersLine(DateTimeOffset.UtcNow, counters.Values, changes), MptcpJson.Lines.CountersLine));
}

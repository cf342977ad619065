using System.CommandLine;
using Bondline.Cli.Multipath;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline mptcp enable</c>: sets the kernel's MPTCP up for every network of this machine.</summary>
internal static class MptcpEnableCommand
{
    public static Command Create(CommandHost host)
    {
        var names = MptcpCommand.Interfaces();
        var persist = new Option<bool>("--persist") { Description = "Keep it over a restart of the machine: by settings, and by NetworkManager or a service that runs \"bondline mptcp watch\"." };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only print what would be changed." };
        var command = new Command("enable", "Let MPTCP connections use every network of this machine: prints each change with what undoes it, and makes it.") { names, persist, dryRun };
        command.SetAction((line, stop) => MptcpCommand.GuardAsync(() => RunAsync(host, line, line.GetValue(names) ?? [], line.GetValue(persist), line.GetValue(dryRun), stop)));
        return command;
    }

    private static async Task RunAsync(CommandHost host, ParseResult line, string[] names, bool isPersistent, bool isDryRun, CancellationToken stop)
    {
        var report = new MultipathReport(host, line.GetValue(CommonOptions.Json), line.GetValue(CommonOptions.Quiet), isDryRun);
        var result = await new MultipathEnabling(host.Multipath()).EnableAsync(names, isPersistent, isDryRun, report, stop);
        report.Plan(result.Plan);
        var used = result.Plan.Used.Count();
        if (used < 2) report.Note($"{(used == 0 ? "no network can" : "only one network can")} be used from here now, which is all that a server needs; for more networks, \"bondline mptcp watch\" takes in what is plugged in");
        if (line.GetValue(CommonOptions.Json) || line.GetValue(CommonOptions.Quiet)) return;
        await host.Error.WriteLineAsync(
            (isDryRun, result.Changes) switch
            {
                (_, 0) => "Nothing had to be changed.",
                (true, var count) => $"{Count(count)} would be made; nothing was changed.",
                (false, var count) => $"{Count(count)} made; \"bondline mptcp disable\" undoes {(count == 1 ? "it" : "them")}. MPTCP must be on at the other end too: \"bondline mptcp check HOST\" tries it.",
            });
    }

    private static string Count(int changes) => changes == 1 ? "One change" : $"{changes} changes";
}

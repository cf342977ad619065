using System.CommandLine;
using Bondline.Cli.Multipath;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline mptcp disable</c>: undoes what <c>enable</c> and <c>watch</c> did, and nothing else.</summary>
internal static class MptcpDisableCommand
{
    public static Command Create(CommandHost host)
    {
        var command = new Command("disable", "Undo exactly what \"bondline mptcp enable\" and \"watch\" changed, files and service included.");
        command.SetAction((line, stop) => Task.FromResult(MptcpCommand.Guard(() =>
        {
            var report = new MultipathReport(host, line.GetValue(CommonOptions.Json), line.GetValue(CommonOptions.Quiet));
            if (!new MultipathEnabling(host.Multipath()).Disable(report.Undone, stop)) report.Note("\"bondline mptcp enable\" has changed nothing here");
        })));
        return command;
    }
}

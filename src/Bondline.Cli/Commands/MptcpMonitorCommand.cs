using System.CommandLine;
using System.Text.Json;
using Bondline.Linux;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline mptcp monitor</c>: the path manager's events as they happen.</summary>
internal static class MptcpMonitorCommand
{
    public static Command Create(CommandHost host)
    {
        var command = new Command("monitor", "Show connections, subflows and addresses as they come and go. Needs root.");
        command.SetAction(line => MptcpCommand.GuardAsync(() => RunAsync(host, line)));
        return command;
    }

    private static async Task RunAsync(CommandHost host, ParseResult line)
    {
        host.ShowUntilStopped();
        var isJson = line.GetValue(CommonOptions.Json);
        using var source = MultipathEventSource.Open();
        if (!isJson) MptcpCommand.NoteIfOff(host, line);
        if (!line.GetValue(CommonOptions.Quiet)) host.Error.WriteLine("Waiting for events; Ctrl-C ends it.");
        var interfaces = await LocalInterfaces.ReadAsync(host.Stop.Drain);
        while (true)
        {
            var events = await source.NextAsync(host.Stop.Drain);
            var now = DateTimeOffset.Now;
            // An interface may have come since; names are asked for again only where they may be needed.
            if (events.Any(happened => happened.InterfaceIndex != 0 && interfaces.States.All(state => state.Link.Index != happened.InterfaceIndex)))
                interfaces = await LocalInterfaces.ReadAsync(host.Stop.Drain);
            foreach (var happened in events)
                host.Output.WriteLine(isJson ? JsonSerializer.Serialize(EventLine.Of(happened, interfaces, now), MptcpJson.Lines.EventLine) : EventReport.Line(happened, interfaces, TimeOnly.FromDateTime(now.DateTime)));
        }
    }
}

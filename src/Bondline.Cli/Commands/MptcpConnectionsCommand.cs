using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Bondline.Linux;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline mptcp connections</c>: every MPTCP connection of this network namespace with its subflows.</summary>
internal static class MptcpConnectionsCommand
{
    public static Command Create(CommandHost host)
    {
        var watch = new Option<bool>("--watch") { Description = "Again every second, with the rates since the last time." };
        var command = new Command("connections", "Show every MPTCP connection with its subflows, and those that fell back to TCP with the reason.") { watch };
        command.SetAction(line => MptcpCommand.GuardAsync(() => RunAsync(host, line, line.GetValue(watch))));
        return command;
    }

    private static async Task RunAsync(CommandHost host, ParseResult line, bool isWatched)
    {
        var isJson = line.GetValue(CommonOptions.Json);
        if (!isJson) MptcpCommand.NoteIfOff(host, line);
        var connections = MultipathConnectionQuery.Read();
        var watched = Stopwatch.StartNew();
        var report = await ReportAsync(connections, new Dictionary<SubflowKey, SubflowRate>(), host.Stop.Drain);
        if (connections.Count == 0 && !isWatched && !isJson && !line.GetValue(CommonOptions.Quiet)) host.Error.WriteLine("There are no MPTCP connections.");
        Write(host, isJson, report, connections, isAgain: false);
        if (!isWatched) return;

        host.ShowUntilStopped();
        using var second = new PeriodicTimer(TimeSpan.FromSeconds(1));
        var isDrawn = host.MayDraw && !isJson && !Console.IsOutputRedirected;
        while (await second.WaitForNextTickAsync(host.Stop.Drain))
        {
            var before = connections;
            connections = MultipathConnectionQuery.Read();
            var rates = SubflowRate.Measure(before.SelectMany(connection => connection.Subflows), connections.SelectMany(connection => connection.Subflows), watched.Elapsed);
            watched.Restart();
            report = await ReportAsync(connections, rates, host.Stop.Drain);
            if (isDrawn) host.Output.Write("\e[H\e[J"); // the cursor to the top, and nothing below it
            Write(host, isJson, report, connections, isAgain: !isDrawn);
        }
    }

    private static async Task<(ConnectionReport Text, IReadOnlyDictionary<uint, SocketOwner> Owners, IReadOnlyDictionary<SubflowKey, SubflowRate> Rates)> ReportAsync(
        IReadOnlyList<MultipathConnection> connections, IReadOnlyDictionary<SubflowKey, SubflowRate> rates, CancellationToken stop)
    {
        var owners = SocketOwners.Find(connections.Select(connection => connection.Socket.Inode).Where(inode => inode != 0).ToHashSet());
        return (new(await LocalInterfaces.ReadAsync(stop), owners, rates), owners, rates);
    }

    private static void Write(
        CommandHost host, bool isJson, (ConnectionReport Text, IReadOnlyDictionary<uint, SocketOwner> Owners, IReadOnlyDictionary<SubflowKey, SubflowRate> Rates) report,
        IReadOnlyList<MultipathConnection> connections, bool isAgain)
    {
        if (isJson)
        {
            foreach (var connection in connections)
                host.Output.WriteLine(JsonSerializer.Serialize(ConnectionLine.Of(connection, report.Text, report.Owners, report.Rates), MptcpJson.Lines.ConnectionLine));
            return;
        }

        if (isAgain) host.Output.WriteLine();
        foreach (var row in report.Text.Lines(connections)) host.Output.WriteLine(row);
    }
}

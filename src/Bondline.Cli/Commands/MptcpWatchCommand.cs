using System.CommandLine;
using Bondline.Cli.Multipath;
using Bondline.Linux;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline mptcp watch</c>: keeps the kernel's endpoints as the machine's networks are, until it is stopped.</summary>
internal static class MptcpWatchCommand
{
    public static Command Create(CommandHost host)
    {
        var names = MptcpCommand.Interfaces();
        var command = new Command("watch", "Do what \"enable\" does, and follow the networks: an endpoint goes at once when its network does, and comes back with it. Of two networks and more it also limits what TCP connections keep unsent (net.ipv4.tcp_notsent_lowat).") { names };
        command.SetAction((line, _) => MptcpCommand.GuardAsync(() => RunAsync(host, line, line.GetValue(names) ?? [])));
        return command;
    }

    private static async Task RunAsync(CommandHost host, ParseResult line, string[] names)
    {
        host.Stop.Listen();
        var manager = host.Environment(ServiceManager.Variable);
        Environment.SetEnvironmentVariable(ServiceManager.Variable, null); // nmcli is not the service
        var (isJson, isQuiet) = (line.GetValue(CommonOptions.Json), line.GetValue(CommonOptions.Quiet));
        var report = new MultipathReport(host, isJson, isQuiet);
        try
        {
            await new MultipathWatch(host.Multipath(), names, new MultipathWatchReport(host, isJson, isQuiet, manager), TimeProvider.System).RunAsync(host.Stop.Drain);
            report.Note("MPTCP was disabled here: there is nothing to follow any more");
        }
        catch (CommandException why)
        {
            // Whoever waits for the service's start is not the one who reads its journal.
            ServiceManager.Tell(manager, ServiceManager.Status(MultipathReport.Clean($"{why.Message} ({why.Code})")));
            throw;
        }
        catch (OperationCanceledException) when (host.Stop.Drain.IsCancellationRequested)
        {
            report.Note("the endpoints stay as they are; \"bondline mptcp disable\" takes them away");
        }
    }
}

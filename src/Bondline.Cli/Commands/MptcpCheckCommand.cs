using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Bondline.Linux;
using Bondline.Protocol;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline mptcp check HOST[:PORT]</c>: does MPTCP get through to that host over each interface.</summary>
internal static class MptcpCheckCommand
{
    private const int DefaultPort = 443, Width = 80;

    public static Command Create(CommandHost host)
    {
        var target = new Argument<string>("host") { Description = "Whom to call; port 443 if none is named.", HelpName = "HOST[:PORT]" };
        var command = new Command("check", "Find out if MPTCP gets through to a host, over each network.") { target };
        command.SetAction((line, stop) => MptcpCommand.GuardAsync(() => RunAsync(host, line, line.GetRequiredValue(target), stop)));
        return command;
    }

    private static async Task RunAsync(CommandHost host, ParseResult line, string text, CancellationToken stop)
    {
        if (!HostPort.TryParse(text, DefaultPort, out var target)) throw new CommandException("usage", $"\"{text}\" is not a host or host:port", "Give a name or an address: bondline mptcp check example.com:443");
        RequireSocket();
        var ways = MptcpCheck.Ways(await LocalInterfaces.ReadAsync(stop), await ResolveAsync(target.Host, stop), target.Port);
        if (ways.Count == 0) throw new CommandException("host-unreachable", $"no network of this machine leads to {target.Host}", "\"ip address\" and \"ip route\" show what there is");
        var isJson = line.GetValue(CommonOptions.Json);
        var verdicts = await new MptcpCheck(new()).RunAsync(ways, stop);
        if (isJson)
        {
            foreach (var verdict in verdicts) host.Output.WriteLine(JsonSerializer.Serialize(CheckLine.Of(text, verdict), MptcpJson.Lines.CheckLine));
            return;
        }

        int name = verdicts.Max(verdict => verdict.Way.Name.Length), address = verdicts.Max(verdict => verdict.Way.Target.Address.ToString().Length);
        foreach (var verdict in verdicts)
        {
            host.Output.WriteLine($"{verdict.Way.Name.PadRight(name)}  {verdict.Way.Target.Address.ToString().PadRight(address)}  {verdict.Word}");
            var indent = new string(' ', name + 2);
            foreach (var row in ReportText.Wrap($"{verdict.Times}. {verdict.Sentence}", Width - indent.Length)) host.Output.WriteLine(indent + row);
        }
    }

    private static void RequireSocket()
    {
        using var socket = MultipathSocket.TryCreate(AddressFamily.InterNetwork) ?? MultipathSocket.TryCreate(AddressFamily.InterNetworkV6);
        if (socket is not null) return;
        var settings = new MultipathSettings();
        throw settings.Exist && !settings.IsEnabled
            ? new CommandException("mptcp-off", "MPTCP is switched off (net.mptcp.enabled is 0), so nothing can be tried", "Run \"sudo bondline mptcp enable\", or as root: sysctl net.mptcp.enabled=1")
            : new CommandException("mptcp-missing", "this kernel has no MPTCP, or hides it from this program, so nothing can be tried", "Use a kernel with MPTCP: Linux 5.7 or later, built with CONFIG_MPTCP");
    }

    private static async Task<IPAddress[]> ResolveAsync(string name, CancellationToken stop)
    {
        if (IPAddress.TryParse(name, out var address)) return [address];
        try
        {
            using var enough = CancellationTokenSource.CreateLinkedTokenSource(stop);
            enough.CancelAfter(TimeSpan.FromSeconds(10));
            return await Dns.GetHostAddressesAsync(name, enough.Token);
        }
        catch (SocketException error)
        {
            throw new CommandException("host-unreachable", $"the name {name} leads to no address: {error.Message}", "Give an address instead, or look at the network's name servers");
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new CommandException("host-unreachable", $"no name server answered for {name} within 10 s", "Give an address instead, or look at the network's name servers");
        }
    }
}

using System.CommandLine;
using Bondline.Agent;
using Bondline.Cli.Screen;
using Bondline.Protocol;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline tcp TARGET...</c>: public ports for local TCP services.</summary>
internal static class TcpCommand
{
    public static Command Create(CommandHost host)
    {
        var targets = new Argument<string[]>("targets")
        {
            Description = "What to expose: PORT or HOST:PORT. Several share one bond.",
            Arity = ArgumentArity.OneOrMore,
            HelpName = "TARGET",
        };
        var remotePort = new Option<int?>("--remote-port") { Description = "The port at the relay. Default: one the relay chooses and keeps for this agent.", HelpName = "N" };
        var options = new TunnelOptions();
        var command = new Command("tcp", $"Give local TCP services a public port. {ScreenKeys.Sentence}") { targets, remotePort };
        options.AddTo(command);
        command.SetAction((line, _) =>
        {
            var parsed = TargetList.Parse(line.GetRequiredValue(targets), TunnelKind.Tcp);
            var port = line.GetValue(remotePort);
            if (port is <= 0 or > 65_535) throw new CommandException("usage", $"{port} is no port", "Use 1 to 65535, or leave --remote-port out");
            if (port is not null && parsed.Count > 1) throw new CommandException("usage", "--remote-port with several targets", "Start one bondline per port, or leave --remote-port out");
            return TunnelRun.StartAsync(host, line, options.Read(line), _ => [.. parsed.Select(target => new TunnelRequest(target, RemotePort: port))]);
        });
        return command;
    }
}

using System.CommandLine;
using Bondline.Agent;
using Bondline.Protocol;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline http TARGET...</c>: public URLs for local HTTP services.</summary>
internal static class HttpCommand
{
    public static Command Create(CommandHost host)
    {
        var targets = new Argument<string[]>("targets")
        {
            Description = "What to expose: PORT, HOST:PORT or http://HOST:PORT. Several share one bond.",
            Arity = ArgumentArity.OneOrMore,
            HelpName = "TARGET",
        };
        var name = new Option<string?>("--name") { Description = "The name in the URL. Default: two words, made once for this machine and port.", HelpName = "NAME" };
        var hostHeader = new Option<string?>("--host-header") { Description = "The Host the service sees; this version always passes the visitor's on.", HelpName = "rewrite|VALUE" };
        var noInspect = new Option<bool>("--no-inspect") { Description = "Keep no record of requests; this version never does." };
        var options = new TunnelOptions();
        var command = new Command("http", "Give local HTTP services a public URL.") { targets, name, hostHeader, noInspect };
        options.AddTo(command);
        command.SetAction((line, _) =>
        {
            if (line.GetValue(hostHeader) is not null)
                throw new CommandException("not-available", "this version has not got --host-header", "Leave it out; the service sees the Host the visitor asked for");
            var parsed = TargetList.Parse(line.GetRequiredValue(targets), TunnelKind.Http);
            var given = line.GetValue(name);
            if (given is not null && parsed.Count > 1) throw new CommandException("usage", "--name with several targets", "Start one bondline per name, or leave --name out");
            return TunnelRun.StartAsync(host, line, options.Read(line), nameOf => [.. parsed.Select(target => new TunnelRequest(target, Name: given ?? nameOf(target.Key)))]);
        });
        return command;
    }
}

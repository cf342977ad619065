using System.CommandLine;
using Bondline.Agent;
using Bondline.Cli.Screen;
using Bondline.Protocol;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline http TARGET...</c>: public URLs for local HTTP services.</summary>
internal static class HttpCommand
{
    private const string Rewrite = "rewrite";

    public static Command Create(CommandHost host)
    {
        var targets = new Argument<string[]>("targets")
        {
            Description = "What to expose: PORT, HOST:PORT, http://, https:// or h2c://HOST:PORT, unix:PATH or a folder. Several share one bond.",
            Arity = ArgumentArity.OneOrMore,
            HelpName = "TARGET",
        };
        var name = new Option<string?>("--name") { Description = "The name in the URL. Default: two words, made once for this machine and port.", HelpName = "NAME" };
        var hostHeader = new Option<string?>("--host-header") { Description = "The Host the service sees: its own (rewrite), or VALUE. Default: the visitor's.", HelpName = "rewrite|VALUE" };
        var insecure = new Option<bool>("--local-insecure") { Description = "Take any certificate from an https:// target." };
        var noInspect = new Option<bool>("--no-inspect") { Description = "Keep no record of requests; this version never does." };
        var options = new TunnelOptions();
        var command = new Command("http", $"Give local HTTP services a public URL. {ScreenKeys.Sentence}") { targets, name, hostHeader, insecure, noInspect };
        options.AddTo(command);
        command.SetAction((line, _) =>
        {
            var parsed = TargetList.Parse(line.GetRequiredValue(targets), TunnelKind.Http);
            var given = line.GetValue(name);
            var hostValue = line.GetValue(hostHeader);
            if (hostValue is not (null or Rewrite) && !HostValue.IsValid(hostValue)) throw new CommandException("usage", $"--host-header {hostValue} is no host", "Give HOST, HOST:PORT or the word rewrite");
            if (given is not null && parsed.Count > 1) throw new CommandException("usage", "--name with several targets", "Start one bondline per name, or leave --name out");
            TunnelRequest Request(LocalTarget target, string? name) =>
                new(target, name, HostHeader: hostValue == Rewrite ? target.OwnHost : hostValue, IsInsecure: line.GetValue(insecure)) { MayRename = given is null };
            return TunnelRun.StartAsync(host, line, options.Read(line), nameOf => [.. parsed.Select(target => Request(target, given ?? nameOf(target.Key)))]);
        });
        return command;
    }
}

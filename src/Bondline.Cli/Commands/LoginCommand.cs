using System.CommandLine;
using Bondline.Agent;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline login JOIN-URL</c>: saves the relay to use from now on.</summary>
internal static class LoginCommand
{
    public static Command Create(CommandHost host)
    {
        var url = new Argument<string?>("join-url") { Description = "The join URL; @FILE reads it from a file, - from standard input. Without it, it is asked for.", HelpName = "JOIN-URL", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("login", "Save a relay's join URL, for this user only.") { url };
        command.SetAction(async (line, stop) =>
        {
            var given = line.GetValue(url);
            if (given is null) await host.Error.WriteAsync("Join URL: ");
            var text = given ?? "-";
            var join = RelayChoice.Parse(await RelayChoice.ReadAsync(host, text, stop), "the join URL");
            if (RelayChoice.IsInline(text)) RelayChoice.WarnOfInlineToken(host);
            try
            {
                var file = new AgentSettings(AgentSettings.DefaultFolder(host.Environment)).SaveLogin(join.Format());
                if (!line.GetValue(CommonOptions.Quiet)) await host.Error.WriteLineAsync($"Saved in {file}. \"bondline http\" and \"bondline tcp\" now use {join.Hosts[0]}.");
                return (int)ExitCode.Success;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw new CommandException("settings-unusable", $"the join URL cannot be saved: {error.Message.TrimEnd('.')}", "Or pass it in $BONDLINE_RELAY");
            }
        });
        return command;
    }
}

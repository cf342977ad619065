using System.CommandLine;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline help TOPIC</c>: a command's help or an error code's page.</summary>
internal static class HelpCommand
{
    public static Command Create(CommandHost host, RootCommand root)
    {
        var topic = new Argument<string?>("topic")
        {
            Description = "A command, an error code, or exit-codes.",
            Arity = ArgumentArity.ZeroOrOne,
            HelpName = "TOPIC",
        };
        var command = new Command("help", "Explain a command or an error code.") { topic };
        command.SetAction(line => (int)Show(host, root, line.GetValue(topic)));
        return command;
    }

    private static ExitCode Show(CommandHost host, RootCommand root, string? topic)
    {
        if (topic is null || root.Subcommands.Any(command => command.Name == topic))
        {
            string[] arguments = topic is null ? ["--help"] : [topic, "--help"];
            root.Parse(arguments).Invoke(new InvocationConfiguration { Output = host.Output, Error = host.Error });
            if (topic is null) host.Output.WriteLine($"Error codes (bondline help CODE):\n  {string.Join("\n  ", ErrorPages.Topics)}");
            return ExitCode.Success;
        }
        var page = ErrorPages.Find(topic)
            ?? throw new CommandException("usage", $"there is no help on \"{topic}\"", "Run \"bondline help\" for all topics");
        host.Output.Write(page);
        return ExitCode.Success;
    }
}

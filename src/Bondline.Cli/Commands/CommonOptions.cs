using System.CommandLine;

namespace Bondline.Cli.Commands;

/// <summary>Options every command takes.</summary>
internal static class CommonOptions
{
    public static Option<string?> Relay { get; } = new("--relay")
    {
        Description = "Join URL of the relay; @FILE reads it from a file, - from standard input. Else $BONDLINE_RELAY, else the saved login. $HTTPS_PROXY and $NO_PROXY hold for the way there.",
        HelpName = "JOIN-URL",
        Recursive = true,
    };

    public static Option<bool> Json { get; } = new("--json") { Description = "Print one JSON object a line on standard output and nothing else there; \"run\" prints its one on standard error.", Recursive = true };

    public static Option<bool> Stats { get; } = new("--stats") { Description = "Print statistics every second.", Recursive = true };

    public static Option<bool> Quiet { get; } = new("--quiet") { Description = "Print results and errors only.", Recursive = true };

    public static Option<bool> Verbose { get; } = new("--verbose") { Description = "Say more about what happens.", Recursive = true };

    /// <summary>Whether <see cref="Stats"/> does anything in a command.</summary>
    public static bool HasStatistics(Command command)
    {
        ArgumentNullException.ThrowIfNull(command);
        return command.Name is not ("run" or "mptcp") && command.Parents.OfType<Command>().All(HasStatistics);
    }

    public static IReadOnlyList<Option> All { get; } = [Relay, Json, Stats, Quiet, Verbose];
}

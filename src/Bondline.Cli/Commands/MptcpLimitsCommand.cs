using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Bondline.Linux;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline mptcp limits [set]</c>, in the words of <c>ip mptcp limits</c>.</summary>
internal static class MptcpLimitsCommand
{
    private const string SubflowsWord = "subflows", AcceptedWord = "add_addr_accepted";

    public static Command Create(CommandHost host)
    {
        var command = new Command("limits", "How many subflows a connection may have; either end's limit holds.") { CreateSet(host), CreateShow(host) };
        command.SetAction(line => Show(host, line));
        return command;
    }

    private static Command CreateSet(CommandHost host)
    {
        var words = new Argument<string[]>("limits")
        {
            Description = "subflows NUMBER (further ones beside the first, 0 to 8), add_addr_accepted NUMBER (announced addresses to open subflows to, 0 to 8), or both.",
            HelpName = "WORDS",
            Arity = ArgumentArity.OneOrMore,
        };
        var command = new Command("set", "Set one limit, or both.") { words };
        command.SetAction(line => MptcpCommand.Guard(() =>
        {
            var (subflows, accepted) = Parse(line.GetRequiredValue(words));
            using var manager = MultipathPathManager.Open();
            var old = manager.Limits();
            manager.SetLimits(new(subflows ?? old.Subflows, accepted ?? old.AcceptedAddresses));
            Write(host, line, manager.Limits());
        }));
        return command;
    }

    private static Command CreateShow(CommandHost host)
    {
        var command = new Command("show", "Show the limits.");
        command.SetAction(line => Show(host, line));
        return command;
    }

    private static int Show(CommandHost host, ParseResult line) => MptcpCommand.Guard(() =>
    {
        using var manager = MultipathPathManager.Open();
        Write(host, line, manager.Limits());
    });

    private static void Write(CommandHost host, ParseResult line, MultipathLimits limits)
    {
        if (line.GetValue(CommonOptions.Json))
        {
            host.Output.WriteLine(JsonSerializer.Serialize(new LimitsLine(limits.Subflows, limits.AcceptedAddresses), MptcpJson.Lines.LimitsLine));
            return;
        }

        MptcpCommand.NoteIfOff(host, line);
        host.Output.WriteLine($"{SubflowsWord,-17}  {limits.Subflows}  further subflows of a connection, beside its first");
        host.Output.WriteLine($"{AcceptedWord}  {limits.AcceptedAddresses}  announced addresses of a peer to open subflows to");
    }

    private static (int? Subflows, int? Accepted) Parse(string[] words)
    {
        int? subflows = null, accepted = null;
        for (var i = 0; i < words.Length; i += 2)
        {
            if (words[i] is not (SubflowsWord or AcceptedWord)) throw new CommandException("usage", $"\"{words[i]}\" is no limit", $"Give {SubflowsWord} NUMBER, {AcceptedWord} NUMBER, or both");
            if (i + 1 == words.Length) throw new CommandException("usage", $"a number is missing behind \"{words[i]}\"");
            if (!int.TryParse(words[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number > MultipathLimits.Max)
                throw new CommandException("usage", $"\"{words[i + 1]}\" is no limit for {words[i]}: it must be 0 to {MultipathLimits.Max}");
            if (words[i] == SubflowsWord) subflows = number;
            else accepted = number;
        }

        return (subflows, accepted);
    }
}

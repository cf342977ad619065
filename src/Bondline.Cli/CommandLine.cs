using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Bondline.Cli.Commands;

namespace Bondline.Cli;

/// <summary>The program: parses, runs one command, turns what went wrong into one message and an exit code.</summary>
internal static class CommandLine
{
    public static async Task<int> RunAsync(string[] arguments, CommandHost host)
    {
        arguments = RunArguments.Separate(arguments);
        var isJson = arguments.TakeWhile(argument => argument != "--").Contains("--json");
        try
        {
            var line = Parse(arguments, host);
            if (line.Action is ParseErrorAction misuse) throw Misuse(line, misuse);
            var exitCode = await line.InvokeAsync(new InvocationConfiguration
            {
                Output = host.Output,
                Error = host.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null, // StopSignals has the signals
            });
            if (exitCode != (int)ExitCode.Success || host.OutputFailure() is not { } failure) return exitCode;
            ErrorReport.Write(host, isJson: false, "output-failed", $"not all of it could be written to standard output: {failure}"); // where an object would go too
            return (int)ErrorTable.ExitCodeOf("output-failed");
        }
        catch (CommandException error)
        {
            ErrorReport.Write(host, isJson, error.Code, error.Message, error.Next);
            return (int)ErrorTable.ExitCodeOf(error.Code);
        }
        catch (OperationCanceledException) when (host.Stop.Drain.IsCancellationRequested)
        {
            return (int)(host.Stop.Now.IsCancellationRequested ? ExitCode.Interrupted : ExitCode.Success);
        }
        catch (Exception error) // a bug: the last place that can say so
        {
            ErrorReport.Write(host, isJson, "internal", $"this is a bug in bondline: {error.GetType().Name}: {error.Message}");
            await host.Error.WriteLineAsync(error.StackTrace);
            return (int)ExitCode.Failure;
        }
    }

    internal static ParseResult Parse(IReadOnlyList<string> arguments, CommandHost host) =>
        Create(host).Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null }); // "@FILE" is a value of --relay

    private static CommandException Misuse(ParseResult line, ParseErrorAction action)
    {
        // The library's own report goes nowhere; of its output only the suggestions for a typo are kept.
        using var suggestions = new StringWriter();
        action.ShowHelp = false;
        line.Invoke(new InvocationConfiguration { Output = suggestions, Error = TextWriter.Null });
        var names = new List<string>();
        for (SymbolResult? result = line.CommandResult; result is CommandResult command; result = result.Parent)
            if (command.Command is not RootCommand) names.Insert(0, command.Command.Name);
        string[] parts = [.. line.Errors.Select(error => error.Message), suggestions.ToString()];
        return new(
            "usage",
            string.Join("; ", parts.Select(part => string.Join(' ', part.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).TrimEnd('.')).Where(part => part.Length > 0)),
            $"Run \"{string.Join(' ', (string[])["bondline", .. names, "--help"])}\"");
    }

    private static RootCommand Create(CommandHost host)
    {
        var root = new RootCommand("A developer tunnel that does not drop: one public URL, every network of this machine.");
        foreach (var option in CommonOptions.All) root.Add(option);
        root.Add(HttpCommand.Create(host));
        root.Add(TcpCommand.Create(host));
        root.Add(RunCommand.Create(host));
        root.Add(LoginCommand.Create(host));
        root.Add(RelayCommand.Create(host));
        root.Add(MptcpCommand.Create(host));
        root.Add(LabCommand.Create(host));
        root.Add(ReplayCommand.Create(host));
        root.Add(HelpCommand.Create(host, root));
        root.SetAction(_ => root.Parse(["--help"]).Invoke(new InvocationConfiguration { Output = host.Output, Error = host.Error }));
        var help = root.Options.OfType<HelpOption>().Single();
        help.Action = new ExampleHelp((HelpAction)help.Action!);
        return root;
    }

    private sealed class ExampleHelp(HelpAction inner) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult line)
        {
            CommonOptions.Stats.Hidden = !CommonOptions.HasStatistics(line.CommandResult.Command);
            var result = inner.Invoke(line);
            var output = line.InvocationConfiguration.Output;
            var examples = Examples.Of(line.CommandResult.Command);
            if (examples.Count == 0) return result;
            output.WriteLine("Examples:");
            foreach (var example in examples) output.WriteLine($"  {example}");
            output.WriteLine();
            return result;
        }
    }
}

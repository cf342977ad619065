using System.CommandLine;
using System.CommandLine.Parsing;
using System.Runtime.Versioning;
using Bondline.Linux;
using Microsoft.Win32.SafeHandles;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline run -- PROGRAM ARGS...</c>: any program with its TCP sockets as MPTCP; <c>--unit</c>: a service of systemd.</summary>
internal static class RunCommand
{
    public static Command Create(CommandHost host)
    {
        var program = new Argument<string[]>("program") { Description = "The program and its arguments; everything behind -- is theirs.", HelpName = "PROGRAM ARGS...", Arity = ArgumentArity.ZeroOrMore };
        var unit = new Option<string?>("--unit") { Description = "Have systemd start this service so, from its next start on, with a drop-in.", HelpName = "SERVICE" };
        var undo = new Option<bool>("--undo") { Description = "With --unit: remove the drop-in." };
        var dryRun = new Option<bool>("--dry-run") { Description = "With --unit: only say what would be done." };
        var folder = new Option<string?>("--unit-folder") { Hidden = true };
        var name = new Option<string?>("--argv0") { Description = "What the program is to find as its own name; by default as it is typed.", HelpName = "NAME" };
        var brokenPipe = new Option<string?>("--sigpipe") { Description = "Start the program with SIGPIPE as \"default\" or \"ignore\"; by default ignored in services of systemd, as systemd has it.", HelpName = "HOW" };
        brokenPipe.AcceptOnlyFromAmong("default", "ignore");
        var answer = new Option<string?>("--answer") { Hidden = true };
        var answerApart = new Option<string?>("--answer-apart") { Hidden = true };
        var command = new Command("run", "Run any program with its TCP sockets as Multipath TCP.") { program, unit, undo, dryRun, folder, name, brokenPipe, answer, answerApart };
        command.SetAction(line =>
        {
            if (!OperatingSystem.IsLinux()) throw new CommandException("not-available", "bondline run needs Linux: other systems do not let programs have Multipath TCP so");
            var (isJson, isQuiet) = (line.GetValue(CommonOptions.Json), line.GetValue(CommonOptions.Quiet));
            var words = line.GetValue(program) ?? [];
            if ((line.GetValue(answer) ?? line.GetValue(answerApart)) is { } descriptors) return Answer(descriptors, line.GetValue(answer) is null);
            if (line.GetValue(unit) is { } service)
            {
                if (words.Length > 0) throw new CommandException("usage", "--unit names a service, and there is a program too");
                var serviceUnit = new ServiceUnit(host, line.GetValue(folder) ?? ServiceUnit.SystemFolder, isJson, isQuiet);
                if (line.GetValue(undo)) serviceUnit.Undo(service, line.GetValue(dryRun));
                else serviceUnit.Enable(service, line.GetValue(dryRun));
                return (int)ExitCode.Success;
            }
            if (line.GetValue(undo) || line.GetValue(dryRun)) throw new CommandException("usage", "--undo and --dry-run go with --unit");
            if (line.Tokens.TakeWhile(token => token.Type != TokenType.DoubleDash).FirstOrDefault(token => token.Type == TokenType.Argument && token.Value.StartsWith('-')) is { } unknown)
                throw new CommandException("usage", $"there is no option {unknown.Value}", "Run \"bondline run --help\"");
            if (words.Length == 0) throw new CommandException("usage", "a program to run is missing", "Put it behind --, as in \"bondline run -- curl https://example.org\"");
            var run = new MultipathProgram(host)
            {
                IsReported = !isQuiet,
                IsJson = isJson,
                IgnoresBrokenPipe = line.GetValue(brokenPipe) is { } how ? how == "ignore" : InheritedState.IgnoredBrokenPipe,
                OwnName = line.GetValue(name),
            };
            return run.Run(words);
        });
        return command;
    }

    /// <summary>This process answers for another one: see <see cref="AnswererProcess"/>.</summary>
    [SupportedOSPlatform("linux")]
    private static int Answer(string descriptors, bool isApart)
    {
        if (descriptors.Split(',') is not [var first, var second] || !int.TryParse(first, out var listener) || !int.TryParse(second, out var control)) return (int)ExitCode.Usage;
        if (isApart) return NativeProgram.TryStartApart([.. OwnCommandLine.Program, "run", "--answer", descriptors], [listener, control], out _);
        AnswererProcess.Detach();
        using var answering = new NotificationListener(new SafeFileHandle(listener, ownsHandle: true));
        using var telling = new SafeFileHandle(control, ownsHandle: true);
        new SocketAnswerer(answering).Run(telling);
        return (int)ExitCode.Success;
    }
}

using System.Text;
using Bondline.Cli;

namespace Bondline.Fuzz;

/// <summary>A file of a systemd unit, and the drop-in that is made of it: it starts as many programs as the file does, each behind bondline.</summary>
internal static class UnitTarget
{
    private const string Start = "ExecStart=";

    public static void Run(ReadOnlySpan<byte> input)
    {
        var text = Encoding.UTF8.GetString(input);
        foreach (var value in UnitFile.Values(text, "Service", "ExecStart"))
        {
            foreach (var command in UnitFile.Commands(value))
            {
                var again = UnitFile.Commands(string.Join(' ', command));
                FuzzTarget.Require(again.Count == 1 && again[0].SequenceEqual(command), "the words of a command, put together, are the same words");
            }
        }
        ServiceDropIn dropIn;
        try
        {
            dropIn = ServiceDropIn.Create("a.service", [text], new Dictionary<string, string>(), "/usr/bin/bondline");
        }
        catch (CommandException)
        {
            return;
        }
        var lines = dropIn.Text.Split('\n')[2..^1];
        if (lines[0].StartsWith("SyslogIdentifier=", StringComparison.Ordinal)) lines = lines[1..];
        FuzzTarget.Require(lines.Length > 1 && lines[0] == Start, "what came before is taken back");
        foreach (var line in lines[1..])
        {
            FuzzTarget.Require(line.StartsWith(Start, StringComparison.Ordinal), "a command is one line");
            var commands = UnitFile.Commands(line[Start.Length..]);
            FuzzTarget.Require(commands.Count == 1 && commands[0][0].TrimStart('-', ':', '+', '!') == "/usr/bin/bondline" && commands[0][1] == "run" && commands[0].Contains("--"), "a command is one program, behind bondline");
        }
    }
}

using Bondline.Agent;
using Bondline.Protocol;

namespace Bondline.Cli;

/// <summary>The targets of <c>http</c> and <c>tcp</c>.</summary>
internal static class TargetList
{
    /// <exception cref="CommandException">A target cannot be read or is given twice.</exception>
    public static IReadOnlyList<LocalTarget> Parse(IReadOnlyList<string> texts, TunnelKind kind)
    {
        var targets = new List<LocalTarget>();
        foreach (var text in texts)
        {
            var target = Parse(text, kind);
            if (targets.Any(other => other.Key == target.Key)) throw new CommandException("usage", $"{text} is given twice", "Name each target once");
            targets.Add(target);
        }
        return targets;
    }

    private static LocalTarget Parse(string text, TunnelKind kind) => LocalTarget.TryParse(text, kind, out var target) switch
    {
        TargetSyntax.Valid => target!,
        TargetSyntax.HasPath => throw new CommandException("usage", $"{text} has a path, and a tunnel leads to a whole service", "Give the URL without the path"),
        _ => throw new CommandException("usage", $"\"{text}\" is no target", kind == TunnelKind.Http ? "Give PORT, HOST:PORT, http://, https:// or h2c://HOST:PORT, unix:PATH or a folder that exists" : "Give PORT or HOST:PORT"),
    };
}

namespace Bondline.Cli;

/// <summary>Where the arguments of <c>bondline run</c> end and those of its program begin.</summary>
internal static class RunArguments
{
    private static readonly string[] WithValue = ["--relay", "--unit", "--unit-folder", "--argv0", "--sigpipe", "--answer", "--answer-apart"];

    /// <summary>Puts <c>--</c> before the program where it is missing, so that <c>bondline run curl --json</c> gives the option to curl.</summary>
    public static string[] Separate(string[] arguments)
    {
        var at = Next(arguments, 0);
        if (at == arguments.Length || arguments[at] != "run") return arguments;
        at = Next(arguments, at + 1);
        return at == arguments.Length || arguments[at] == "--" ? arguments : [.. arguments[..at], "--", .. arguments[at..]];
    }

    /// <summary>The first one from <paramref name="at"/> that is neither an option nor an option's value.</summary>
    private static int Next(string[] arguments, int at)
    {
        while (at < arguments.Length && arguments[at].StartsWith('-') && arguments[at] != "--") at += WithValue.Contains(arguments[at]) ? 2 : 1;
        return Math.Min(at, arguments.Length);
    }
}

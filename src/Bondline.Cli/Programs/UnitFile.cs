namespace Bondline.Cli;

/// <summary>Reads files of systemd's units (systemd.syntax(7)): what a setting says, as it is written.</summary>
internal static class UnitFile
{
    private const string Spaces = " \t\r\n"; // and no others: systemd does not know Unicode's

    /// <summary>Every value of a setting in a section, in order. What a backslash at a line's end continues is one value, with a space between.</summary>
    public static IEnumerable<string> Values(string text, string section, string setting)
    {
        var isInSection = false;
        foreach (var line in Lines(text))
        {
            if (line.StartsWith('[')) isInSection = Trim(line) == $"[{section}]";
            else if (isInSection && line.IndexOf('=') is > 0 and var at && Trim(line[..at]) == setting) yield return Trim(line[(at + 1)..]);
        }
    }

    /// <summary>The words of a command as they are written, quotes and escapes included, cut where a word <c>;</c> stands alone: one list for each command.</summary>
    /// <returns>Nothing if a quote is not closed: systemd ignores such a line.</returns>
    public static IReadOnlyList<IReadOnlyList<string>> Commands(string value)
    {
        List<List<string>> commands = [[]];
        for (var rest = value.AsSpan(); TryTakeWord(ref rest, out var word, out var isClosed);)
        {
            if (!isClosed) return [];
            if (word == ";") commands.Add([]);
            else commands[^1].Add(word);
        }
        return [.. commands.Where(command => command.Count > 0)];
    }

    /// <summary>A word of a command that means these characters and nothing else: no variable, no specifier, no end of the word.</summary>
    public static string Quote(string text)
    {
        var escaped = text.Replace("\\", @"\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("%", "%%", StringComparison.Ordinal).Replace("$", "$$", StringComparison.Ordinal);
        return escaped.AsSpan().ContainsAny(" \t'\"\\;") ? $"\"{escaped}\"" : escaped;
    }

    /// <summary>A word with something before it, inside its quotes if it has them: systemd takes quotes around whole words only.</summary>
    public static string Prefix(string prefix, string word) => word.StartsWith('"') || word.StartsWith('\'') ? $"{word[0]}{prefix}{word[1..]}" : prefix + word;

    private static IEnumerable<string> Lines(string text)
    {
        string? begun = null;
        foreach (var raw in text.Split('\n'))
        {
            var line = Trim(raw);
            if (line is ['#' or ';', ..] || (begun is null && line.Length == 0)) continue; // also between a line and its continuation
            if (begun is not null) line = $"{begun} {line}";
            begun = line.EndsWith('\\') ? Trim(line[..^1]) : null;
            if (begun is null) yield return line;
        }
        if (begun is not null) yield return begun;
    }

    private static string Trim(string text) => text.AsSpan().Trim(Spaces).ToString();

    private static bool TryTakeWord(ref ReadOnlySpan<char> rest, out string word, out bool isClosed)
    {
        rest = rest.TrimStart(Spaces);
        var quote = '\0';
        var end = 0;
        for (; end < rest.Length; end++)
        {
            var character = rest[end];
            if (character == '\\') end++; // and what it escapes
            else if (quote != '\0') quote = character == quote ? '\0' : quote;
            else if (character is '"' or '\'') quote = character;
            else if (Spaces.Contains(character)) break;
        }
        isClosed = quote == '\0' && end <= rest.Length;
        end = Math.Min(end, rest.Length);
        word = rest[..end].ToString();
        rest = rest[end..];
        return word.Length > 0;
    }
}

namespace Bondline.Cli.Screen;

/// <summary>What a terminal can show, as its environment tells.</summary>
/// <param name="IsUnicode">Characters beyond ASCII.</param>
/// <param name="HasColour">The sixteen colours.</param>
/// <param name="HasSynchronizedUpdate">Private mode 2026 is known, or at least ignored.</param>
internal sealed record TerminalCapabilities(bool IsUnicode, bool HasColour, bool HasSynchronizedUpdate)
{
    private static readonly string[] Coloured =
        ["xterm", "screen", "tmux", "rxvt", "linux", "konsole", "alacritty", "kitty", "foot", "wezterm", "ghostty", "st-", "putty", "cygwin", "eterm"];

    /// <returns>Null if the terminal cannot place a cursor: no screen there.</returns>
    public static TerminalCapabilities? Detect(Func<string, string?> environment)
    {
        if (environment("TERM") is not { } type || type is "dumb" or "unknown" || type.StartsWith("emacs", StringComparison.Ordinal)) return null;
        var locale = environment("LC_ALL") ?? environment("LC_CTYPE") ?? environment("LANG") ?? "";
        var hasColour = environment("NO_COLOR") is null
            && (environment("COLORTERM") is not null || type.Contains("color", StringComparison.Ordinal) || Coloured.Any(known => type.StartsWith(known, StringComparison.Ordinal)));
        return new(
            IsUnicode: locale.EndsWith("UTF-8", StringComparison.OrdinalIgnoreCase) || locale.EndsWith("UTF8", StringComparison.OrdinalIgnoreCase),
            hasColour,
            HasSynchronizedUpdate: type != "linux" && !type.StartsWith("vt", StringComparison.Ordinal));
    }
}

namespace Bondline.Cli.Screen;

/// <summary>What the keys do, in words.</summary>
internal static class ScreenKeys
{
    public static IReadOnlyList<(string Key, string What)> Footer { get; } = [("q", "quit"), ("c", "QR code"), ("p", "pause"), ("m", "mode"), ("i", "unused networks"), ("?", "help")];

    public static IReadOnlyList<(string Key, string What)> Help { get; } =
    [
        ("q", "quit; connections get two seconds to finish, as after Ctrl-C"),
        ("c", "the URL as a QR code; again for the next URL"),
        ("p", "pause a network or use it again, by its number"),
        ("m", "how the networks are used together, as with --mode"),
        ("i", "networks that are not used, and why"),
        ("Ctrl-L", "draw the screen again"),
        ("?", "this help"),
        ("Esc", "back, as any other key"),
    ];

    /// <summary>For a command's help.</summary>
    public static string Sentence => $"On a terminal a live screen shows what happens; its keys: {string.Join(", ", Footer.Select(key => $"{key.Key} {key.What}"))}.";

    /// <summary>Nobody else could open it.</summary>
    public static bool IsForThisMachineOnly(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out var parsed) && (parsed.IsLoopback || parsed.Host.EndsWith(".localhost", StringComparison.Ordinal));
}

using System.CommandLine;
using Bondline.Agent;
using Bondline.Cli.Commands;
using Bondline.Protocol;

namespace Bondline.Cli;

/// <summary>Which relay an agent uses: <c>--relay</c>, else <c>BONDLINE_RELAY</c>, else the saved login.</summary>
internal static class RelayChoice
{
    /// <summary>Join URLs are short; a file longer than this is something else.</summary>
    private const int MaxFileLength = 64 << 10;

    /// <returns>Null if none is configured.</returns>
    /// <exception cref="CommandException">The one that is configured cannot be read.</exception>
    public static async Task<JoinUrl?> ResolveAsync(CommandHost host, ParseResult line, AgentSettings settings, CancellationToken stop)
    {
        if (line.GetValue(CommonOptions.Relay) is { } given)
        {
            if (IsInline(given)) WarnOfInlineToken(host);
            return Parse(await ReadAsync(host, given, stop), "--relay");
        }
        if (host.Environment("BONDLINE_RELAY") is { } variable) return Parse(variable, "$BONDLINE_RELAY");
        try
        {
            return settings.ReadLogin() is { } saved ? Parse(saved, "the saved login") : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CommandException("settings-unusable", $"the saved login cannot be read: {error.Message.TrimEnd('.')}", "Or pass the join URL in $BONDLINE_RELAY");
        }
    }

    /// <summary>The text itself, or what the file (@FILE) or standard input (-) holds.</summary>
    public static async Task<string> ReadAsync(CommandHost host, string text, CancellationToken stop)
    {
        if (text == "-") return await host.Input.ReadLineAsync(stop) ?? "";
        if (!text.StartsWith('@')) return text;
        try
        {
            var file = new FileInfo(text[1..]);
            if (file is { Exists: true, Length: > MaxFileLength }) throw new CommandException("join-url-invalid", $"{file.Name} is too long to be a join URL");
            return await File.ReadAllTextAsync(file.FullName, stop);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CommandException("join-url-invalid", $"the join URL cannot be read from {text[1..]}: {error.Message.TrimEnd('.')}");
        }
    }

    public static bool IsInline(string text) => text != "-" && !text.StartsWith('@');

    public static void WarnOfInlineToken(CommandHost host) =>
        host.Error.WriteLine("warning: other users of this machine can see a token on the command line; $BONDLINE_RELAY, @FILE and - (standard input) hide it");

    /// <param name="text">The join URL.</param>
    /// <param name="source">Where it came from, for the error.</param>
    public static JoinUrl Parse(string text, string source) =>
        JoinUrl.TryParse(text.Trim(), out var url, out var error)
            ? url
            : throw new CommandException("join-url-invalid", $"{source} is no join URL: {error.TrimEnd('.')}", "Copy it whole, in quotes: bondline://ID.SECRET@HOST:PORT?pin=sha256:KEY");
}

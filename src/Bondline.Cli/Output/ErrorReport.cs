using System.Text.Json;
using Bondline.Cli.Screen;

namespace Bondline.Cli;

/// <summary>How an error reaches the user: one line that says what failed, what to do next, and where to read more.</summary>
internal static class ErrorReport
{
    public static void Write(CommandHost host, bool isJson, string code, string message, string? next = null)
    {
        if (isJson) host.Output.WriteLine(JsonSerializer.Serialize(new ErrorLine(code, Sentence(message, next)), EventJson.Lines.ErrorLine));
        else host.Error.WriteLine($"error: {Line(code, message, next)}");
    }

    /// <summary>"relay.example refused the token (auth-expired). Run "..."; more: bondline help auth-expired". Harmless for a terminal, whoever's words are in it.</summary>
    public static string Line(string code, string message, string? next) =>
        TerminalText.Clean($"{message} ({code}). {(next is null ? "More" : next + "; more")}: bondline help {code}", isUnicode: true);

    public static string Sentence(string message, string? next) => next is null ? $"{message}." : $"{message}. {next}.";
}

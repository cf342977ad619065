namespace Bondline.Cli;

/// <summary>A command cannot go on: what failed and with whom, and what to do next.</summary>
/// <param name="code">A code of <see cref="ErrorTable"/>.</param>
/// <param name="message">What failed, with whom; a sentence without its full stop.</param>
/// <param name="next">What to do next; a sentence without its full stop, or null if the error's page must do.</param>
internal sealed class CommandException(string code, string message, string? next = null) : Exception(message)
{
    public string Code { get; } = code;

    public string? Next { get; } = next;
}

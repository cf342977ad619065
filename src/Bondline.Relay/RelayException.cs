namespace Bondline.Relay;

/// <summary>The relay cannot do what was asked, for a reason its operator can remove.</summary>
/// <param name="code">One of the program's error codes: <c>listen-refused</c>, <c>data-unusable</c>, <c>token-exists</c>, <c>token-unknown</c>, <c>usage</c>.</param>
/// <param name="message">What failed and with whom; a sentence without its full stop.</param>
/// <param name="next">What to do about it; a sentence without its full stop, or null.</param>
public sealed class RelayException(string code, string message, string? next = null) : Exception(message)
{
    public string Code { get; } = code;

    public string? Next { get; } = next;
}

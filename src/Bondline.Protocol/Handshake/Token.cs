using System.Diagnostics.CodeAnalysis;

namespace Bondline.Protocol;

/// <summary>An agent's credential, <c>ID.SECRET</c>: an id of 1 to 64 characters a-z, 0-9 and -, and 256 random bits in base64url.</summary>
public sealed record Token(string Id, SecretBytes Secret)
{
    public const int SecretLength = 32, MaxIdLength = 64;

    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out Token? token)
    {
        token = null;
        var dot = text.IndexOf('.');
        if (dot is < 1 or > MaxIdLength || !IsId(text[..dot])) return false;
        if (SecretText.Decode(text[(dot + 1)..]) is not { } secret) return false;
        token = new(text[..dot].ToString(), new(secret));
        return true;
    }

    public static bool IsId(ReadOnlySpan<char> id) => id.Length is >= 1 and <= MaxIdLength && id.IndexOfAnyExcept("abcdefghijklmnopqrstuvwxyz0123456789-") < 0;

    /// <summary>The whole token, secret included: for a file or a join URL, never for a log.</summary>
    public string Format() => $"{Id}.{SecretText.Encode(Secret.Bytes)}";

    public override string ToString() => $"{Id}.***";
}

using System.Buffers.Text;

namespace Bondline.Protocol;

/// <summary>32 bytes as text: exactly 43 characters of base64url, so that each value has one spelling.</summary>
internal static class SecretText
{
    public const int ByteLength = 32, Length = 43;

    // 43 characters are 258 bits: the last one carries four, and two that are zero.
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", LastAlphabet = "AEIMQUYcgkosw048";

    /// <returns>Null if <paramref name="text"/> is not of that form; the decoder alone would skip white space, take padding, and throw at bits left over.</returns>
    public static byte[]? Decode(ReadOnlySpan<char> text)
    {
        if (text.Length != Length || text.IndexOfAnyExcept(Alphabet) >= 0 || !LastAlphabet.Contains(text[^1])) return null;
        var bytes = new byte[ByteLength];
        return Base64Url.TryDecodeFromChars(text, bytes, out var length) && length == ByteLength ? bytes : null;
    }

    public static string Encode(ReadOnlySpan<byte> bytes) => Base64Url.EncodeToString(bytes);
}

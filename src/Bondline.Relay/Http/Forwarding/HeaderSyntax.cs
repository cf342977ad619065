using System.Buffers;

namespace Bondline.Relay;

/// <summary>What may stand in a header: RFC 9110 sections 5.5 and 5.6.2.</summary>
internal static class HeaderSyntax
{
    private const string Token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    private static readonly SearchValues<char> TokenChars = SearchValues.Create(Token);
    private static readonly SearchValues<byte> TokenBytes = SearchValues.Create([.. Token.Select(c => (byte)c)]);
    private static readonly SearchValues<char> BadChars = SearchValues.Create([.. Controls().Select(c => (char)c)]);
    private static readonly SearchValues<byte> BadBytes = SearchValues.Create([.. Controls()]);

    public static bool IsToken(ReadOnlySpan<char> text) => !text.IsEmpty && !text.ContainsAnyExcept(TokenChars);

    public static bool IsToken(ReadOnlySpan<byte> text) => !text.IsEmpty && !text.ContainsAnyExcept(TokenBytes);

    /// <summary>Bytes over 127 may stand for anything and pass.</summary>
    public static bool IsValue(ReadOnlySpan<char> text) => !text.ContainsAny(BadChars);

    /// <inheritdoc cref="IsValue(ReadOnlySpan{char})"/>
    public static bool IsValue(ReadOnlySpan<byte> text) => !text.ContainsAny(BadBytes);

    // All but the horizontal tab.
    private static IEnumerable<byte> Controls() => Enumerable.Range(0, 0x20).Append(0x7f).Where(c => c != '\t').Select(c => (byte)c);
}

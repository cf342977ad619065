using System.Buffers;

namespace Bondline.Relay;

/// <summary>Tells HTTP/2 with prior knowledge from HTTP/1.1 where no ALPN does, by what every HTTP/2 client sends first (RFC 9113 section 3.4).</summary>
internal static class Http2Preface
{
    private static ReadOnlySpan<byte> Preface => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;

    /// <param name="input">All bytes received so far.</param>
    /// <returns>Null while it may become either.</returns>
    public static bool? IsStartOf(in ReadOnlySequence<byte> input)
    {
        Span<byte> start = stackalloc byte[Preface.Length];
        start = start[..(int)Math.Min(input.Length, start.Length)];
        input.Slice(0, start.Length).CopyTo(start);
        if (!Preface.StartsWith(start)) return false;
        return start.Length == Preface.Length ? true : null;
    }
}

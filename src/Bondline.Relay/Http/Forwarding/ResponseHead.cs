using System.Buffers;
using System.Buffers.Text;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;

namespace Bondline.Relay;

/// <summary>The head of a local service's response: RFC 9112 sections 4 and 5.</summary>
/// <param name="Status">100 to 999.</param>
/// <param name="Reason">The phrase, if it is not the usual one.</param>
/// <param name="Body">How its end is known.</param>
/// <param name="Length">Of the body, where <paramref name="Body"/> is <see cref="BodyKind.Length"/>.</param>
/// <param name="KeepsConnection">Another request may follow on the connection.</param>
internal readonly record struct ResponseHead(int Status, string? Reason, BodyKind Body, long Length, bool KeepsConnection)
{
    /// <summary>Longer ones are refused.</summary>
    public const int MaxBytes = 256 << 10;

    /// <summary>Of fields, with those that continue them; more are refused.</summary>
    public const int MaxLines = 1000;

    // Names as they are mostly written: no string is made for them.
    private static readonly (byte[] Bytes, string Text)[] Common =
    [
        .. new[]
        {
            "Date", "ETag", "Vary", "Server", "Location", "Set-Cookie", "Connection", "Content-Type", "Last-Modified", "Accept-Ranges", "Cache-Control", "X-Powered-By",
            "Content-Length", "Content-Encoding", "Transfer-Encoding", "Access-Control-Allow-Origin",
        }.Select(name => (Encoding.ASCII.GetBytes(name), name)),
    ];

    /// <summary>Where the head ends.</summary>
    /// <param name="input">From the response's first byte on.</param>
    /// <param name="scanned">How much was looked at before, to go on there; set to where to go on next.</param>
    /// <returns>Its length with the empty line; 0 if it is not whole yet.</returns>
    public static int FindEnd(ReadOnlySpan<byte> input, ref int scanned)
    {
        while (input[scanned..].IndexOf((byte)'\n') is var found and >= 0)
        {
            scanned += found + 1;
            var rest = input[scanned..];
            if (rest is [(byte)'\n', ..]) return scanned + 1;
            if (rest is [(byte)'\r', (byte)'\n', ..]) return scanned + 2;
            if (rest is [] or [(byte)'\r'])
            {
                scanned--; // decided with more bytes
                return 0;
            }
        }
        scanned = input.Length;
        return 0;
    }

    /// <summary>Reads a head that is whole.</summary>
    /// <param name="head">All of it, with the empty line.</param>
    /// <param name="isHead">The request's method was HEAD: there is no body whatever the headers say.</param>
    /// <param name="headers">Where those for the visitor are added, unless a final answer is still to come; those that concern the connection to the service are left out.</param>
    /// <exception cref="BadResponseException">It is not HTTP/1.</exception>
    public static ResponseHead Read(ReadOnlySpan<byte> head, bool isHead, IHeaderDictionary headers)
    {
        var line = TakeLine(ref head);
        if (line.Length < 12 || !line.StartsWith("HTTP/1."u8) || line[7] is < (byte)'0' or > (byte)'9' || line[8] != ' '
            || !Utf8Parser.TryParse(line[9..12], out int status, out var digits) || digits != 3 || status < 100 || (line.Length > 12 && line[12] != ' '))
            throw new BadResponseException("The first line of the answer is not that of an HTTP/1.1 response.");
        var reason = line.Length > 13 ? line[13..] : default;
        if (!HeaderSyntax.IsValue(reason)) throw new BadResponseException("The first line of the answer holds control characters.");

        if (head.Count((byte)'\n') > MaxLines + 1) throw new BadResponseException("The head of the answer has too many lines."); // with the empty one
        if (status is < 200 and not StatusCodes.Status101SwitchingProtocols) headers = new HeaderDictionary(); // an interim answer's go nowhere
        var fields = new Fields { KeepsConnection = line[7] != '0' };
        while (TakeField(ref head, out var name, out var value)) fields.Add(name, value, headers);
        fields.AddRepeated(headers);
        fields.RemoveConnectionOptions(headers);
        return new(status, ReasonOf(status, reason), fields.BodyOf(status, isHead, headers), fields.Length ?? 0, fields.KeepsConnection && fields.IsEndCertain(status, isHead));
    }

    /// <summary>Reads one header line, and the lines that continue it (RFC 9112 section 5.2).</summary>
    /// <returns>False at the empty line.</returns>
    /// <exception cref="BadResponseException">It is none.</exception>
    public static bool TakeField(ref ReadOnlySpan<byte> head, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        name = value = default;
        var line = TakeLine(ref head);
        if (line.IsEmpty) return false;
        var colon = line.IndexOf((byte)':');
        if (colon >= 0) name = line[..colon].TrimEnd(" \t"u8);
        if (!HeaderSyntax.IsToken(name)) throw new BadResponseException("The answer has a header without a right name.");
        value = line[(colon + 1)..].Trim(" \t"u8);
        if (IsContinued(head)) value = TakeContinued(value, ref head);
        if (!HeaderSyntax.IsValue(value)) throw new BadResponseException("A header of the answer holds control characters.");
        return true;
    }

    /// <summary>A header's name as a string.</summary>
    public static string NameOf(ReadOnlySpan<byte> name)
    {
        foreach (var (bytes, text) in Common)
            if (bytes.Length == name.Length && Ascii.EqualsIgnoreCase(bytes, name))
                return text;
        return Encoding.ASCII.GetString(name);
    }

    private static bool IsContinued(ReadOnlySpan<byte> head) => head is [(byte)' ' or (byte)'\t', ..];

    private static ReadOnlySpan<byte> TakeContinued(scoped ReadOnlySpan<byte> value, ref ReadOnlySpan<byte> head)
    {
        var whole = new ArrayBufferWriter<byte>();
        whole.Write(value);
        while (IsContinued(head))
        {
            whole.Write(" "u8);
            whole.Write(TakeLine(ref head).Trim(" \t"u8));
        }
        return whole.WrittenSpan;
    }

    private static ReadOnlySpan<byte> TakeLine(ref ReadOnlySpan<byte> head)
    {
        var end = head.IndexOf((byte)'\n');
        if (end < 0) throw new BadResponseException("The answer's head breaks off.");
        var line = head[..end];
        head = head[(end + 1)..];
        return line is [.., (byte)'\r'] ? line[..^1] : line;
    }

    private static string? ReasonOf(int status, ReadOnlySpan<byte> reason) =>
        Ascii.Equals(reason, ReasonPhrases.GetReasonPhrase(status)) ? null : Encoding.Latin1.GetString(reason);

    /// <summary>What the headers say together.</summary>
    private ref struct Fields
    {
        private const int FewValues = 4;

        private Dictionary<string, List<string?>>? _repeated; // the values of names that have more
        private List<string>? _options;
        private int _optionCount;
        private bool _isChunked;

        public bool KeepsConnection { get; set; }

        public long? Length { get; private set; }

        public void Add(scoped ReadOnlySpan<byte> name, scoped ReadOnlySpan<byte> value, IHeaderDictionary headers)
        {
            var known = NameOf(name);
            switch (known)
            {
                case "Connection":
                    AddOptions(Encoding.Latin1.GetString(value));
                    break;
                case "Content-Length":
                    AddLength(value);
                    break;
                case "Transfer-Encoding":
                    if (_isChunked || !Ascii.EqualsIgnoreCase(value, "chunked"u8)) throw new BadResponseException("The answer has a Transfer-Encoding other than chunked.");
                    _isChunked = true;
                    break;
                default:
                    // Alt-Svc leads visitors past the relay; the others concern this connection.
                    if (Ascii.EqualsIgnoreCase(name, "Keep-Alive"u8) || Ascii.EqualsIgnoreCase(name, "Proxy-Connection"u8) || Ascii.EqualsIgnoreCase(name, "Upgrade"u8) || Ascii.EqualsIgnoreCase(name, "Alt-Svc"u8)) break;
                    AddValue(known, Encoding.Latin1.GetString(value), headers);
                    break;
            }
        }

        /// <summary>Adds what was kept back of headers with many values.</summary>
        public readonly void AddRepeated(IHeaderDictionary headers)
        {
            if (_repeated is null) return;
            foreach (var (name, values) in _repeated) headers[name] = values.ToArray();
        }

        /// <summary>Headers that Connection names concern this connection only.</summary>
        public readonly void RemoveConnectionOptions(IHeaderDictionary headers)
        {
            if (_options is null) return;
            foreach (var option in _options) headers.Remove(option);
        }

        /// <summary>Exactly one thing says where the body ends, and it is not the connection.</summary>
        public readonly bool IsEndCertain(int status, bool isHead) => IsWithoutBody(status, isHead) || _isChunked != Length is not null;

        public readonly BodyKind BodyOf(int status, bool isHead, IHeaderDictionary headers)
        {
            if (IsWithoutBody(status, isHead))
            {
                if (Length is { } would && !_isChunked && (isHead || status == StatusCodes.Status304NotModified)) headers.ContentLength = would;
                return BodyKind.None;
            }
            if (_isChunked) return BodyKind.Chunked; // whatever Content-Length says; the connection then ends (RFC 9112 section 6.3)
            if (Length is not { } length) return BodyKind.ToEnd;
            headers.ContentLength = length;
            return length > 0 ? BodyKind.Length : BodyKind.None;
        }

        private static bool IsWithoutBody(int status, bool isHead) => isHead || status is < 200 or StatusCodes.Status204NoContent or StatusCodes.Status304NotModified;

        // Adding to StringValues copies those that are there: a list is for the names of which a service sends many.
        private void AddValue(string name, string value, IHeaderDictionary headers)
        {
            if (_repeated is not null && _repeated.TryGetValue(name, out var values))
            {
                values.Add(value);
                return;
            }
            var before = headers[name];
            if (before.Count < FewValues) headers[name] = StringValues.Concat(before, value); // an empty one is one too
            else (_repeated ??= new(StringComparer.OrdinalIgnoreCase)).Add(name, [.. before, value]);
        }

        private void AddOptions(string options)
        {
            if ((_optionCount += 1 + options.AsSpan().Count(',')) > RequestHead.MostOptions) throw new BadResponseException("The answer's Connection has too many options.");
            foreach (var option in options.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                if (option.Equals("close", StringComparison.OrdinalIgnoreCase)) KeepsConnection = false;
                else if (!option.Equals("keep-alive", StringComparison.OrdinalIgnoreCase)) (_options ??= []).Add(option);
            }
        }

        private void AddLength(scoped ReadOnlySpan<byte> value)
        {
            if (!Utf8Parser.TryParse(value, out long length, out var digits) || digits != value.Length || value[0] is < (byte)'0' or > (byte)'9' || (Length is { } before && before != length))
                throw new BadResponseException("The answer has no right Content-Length.");
            Length = length;
        }
    }
}

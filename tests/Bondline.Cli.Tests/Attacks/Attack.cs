using System.Text;

namespace Bondline.Cli.Tests;

/// <summary>One row of docs/attacks.md.</summary>
/// <param name="Name">What is tried.</param>
/// <param name="Sent">The bytes (Latin-1).</param>
/// <param name="Answer">What the visitor gets: statuses or HTTP/2 errors in their order. "goes on": the next request on the connection has its own answer.</param>
/// <param name="Reaches">The requests that reach the local service; "at most": or fewer of them, as it happens.</param>
/// <param name="Never">What must not be among the bytes that reach it.</param>
internal sealed record Attack(string Name, string Sent, string Answer, string Reaches = "nothing", string? Never = null)
{
    public const string Host = "Host: shop.lab.test\r\n";

    public bool IsHttp2 => Sent.StartsWith(Http2Bytes.Preface, StringComparison.Ordinal);

    public static IReadOnlyList<Attack> All { get; } =
    [
        // Where does the body end?
        new("`Content-Length` and `Transfer-Encoding` together, the length longer", Post("Content-Length: 30\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400"),
        new("`Content-Length` and `Transfer-Encoding` together, the length shorter", Post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), "400"),
        new("`Transfer-Encoding: identity` with a length", Post("Content-Length: 3\r\nTransfer-Encoding: identity\r\n", "abc"), "400"),
        new("`Transfer-Encoding: xchunked`", Post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), "400"),
        new("`Transfer-Encoding: chunked, identity`", Post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), "400"),
        new("`Transfer-Encoding: gzip, chunked`", Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "400"),
        new("`Transfer-Encoding: chunked` twice", Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400"),
        new("`Transfer-Encoding` with a vertical tab before `chunked`", Post("Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n"), "400"),
        new("`Transfer-Encoding : chunked`, a space before the colon", Post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), "400"),
        new("`Transfer-Encoding` folded over two lines", Post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), "400"),
        new("`Transfer-Encoding` in HTTP/1.0", $"POST /x HTTP/1.0\r\n{Host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"),
        new("two lengths that differ", Post("Content-Length: 3\r\nContent-Length: 30\r\n", "abc"), "400"),
        new("two lengths that are the same", Post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), "400"),
        new("a list of lengths", Post("Content-Length: 3, 3\r\n", "abc"), "400"),
        new("`Content-Length: +3`", Post("Content-Length: +3\r\n", "abc"), "200, goes on", "`POST /x, 3 bytes`", "+3"),
        new("`Content-Length: -3`", Post("Content-Length: -3\r\n", "abc"), "400"),
        new("`Content-Length: 0x3`", Post("Content-Length: 0x3\r\n", "abc"), "400"),
        new("`Content-Length` over 64 bits", Post("Content-Length: 99999999999999999999\r\n", "abc"), "400"),
        new("a GET whose body is a request", $"GET /x HTTP/1.1\r\n{Host}Content-Length: 23\r\n\r\nGET /evil HTTP/1.1\r\n\r\nX", "200, goes on", "`GET /x, 23 bytes`"),

        // Chunks.
        new("a chunk size that is no number", Post("Transfer-Encoding: chunked\r\n", "zz\r\nabc\r\n0\r\n\r\n"), "400", "at most `POST /x, cut`"),
        new("a chunk size of `0x3`", Post("Transfer-Encoding: chunked\r\n", "0x3\r\nabc\r\n0\r\n\r\n"), "400", "at most `POST /x, cut`"),
        new("a negative chunk size", Post("Transfer-Encoding: chunked\r\n", "-3\r\nabc\r\n0\r\n\r\n"), "400", "at most `POST /x, cut`"),
        new("a chunk size over 64 bits", Post("Transfer-Encoding: chunked\r\n", "FFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n"), "400", "at most `POST /x, cut`"),
        new("a chunk longer than its size", Post("Transfer-Encoding: chunked\r\n", "3\r\nabcdef\r\n0\r\n\r\n"), "400", "at most `POST /x, cut`"),
        new("a chunk whose line ends with LF alone", Post("Transfer-Encoding: chunked\r\n", "3\nabc\r\n0\r\n\r\n"), "400", "at most `POST /x, cut`"),
        new("a chunk extension", Post("Transfer-Encoding: chunked\r\n", "3;a=b\r\nabc\r\n0\r\n\r\n"), "200, goes on", "`POST /x, 3 bytes`", "a=b"),
        new("a chunk extension with a bare LF and a request behind it", Post("Transfer-Encoding: chunked\r\n", "2;\nxx\r\n4b\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: shop.lab.test\r\nContent-Length: 5\r\n\r\n\r\n0\r\n\r\n"), "400", "at most `POST /x, cut`", "/evil"),
        new("a trailer that names the length", Post("Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n", "3\r\nabc\r\n0\r\nContent-Length: 9\r\nHost: evil\r\n\r\n"), "200, goes on", "`POST /x, 3 bytes`", "evil"),

        // Lines.
        new("a folded header", Get("X-Long: a\r\n b\r\n"), "400"),
        new("a header line that begins with a space", $"GET /x HTTP/1.1\r\n Host: shop.lab.test\r\n{Host}\r\n", "400"),
        new("a header without a colon", Get("NoColon\r\n"), "400"),
        new("a header without a name", Get(": value\r\n"), "400"),
        new("a header name with a space", Get("X Y: value\r\n"), "400"),
        new("a NUL in a header", Get("X: a\0b\r\n"), "400"),
        new("a CR alone in a header", Get("X: a\rY: b\r\n"), "400"),
        new("a request line in HTTP/0.9", "GET /x\r\n", "400"),
        new("a version of 1.2", $"GET /x HTTP/1.2\r\n{Host}\r\n", "505"),
        new("a method that is no token", $"GE(T /x HTTP/1.1\r\n{Host}\r\n", "400"),
        new("a request line of 64 KiB", $"GET /{new string('x', 64 << 10)} HTTP/1.1\r\n{Host}\r\n", "414"),
        new("a header of 256 KiB", Get($"X: {new string('x', 256 << 10)}\r\n"), "431"),
        new("a thousand headers", Get(string.Concat(Enumerable.Range(0, 1000).Select(i => $"X-{i}: x\r\n"))), "431"),

        // Whose request is it?
        new("no `Host`", "GET /x HTTP/1.1\r\n\r\n", "400"),
        new("two hosts", $"GET /x HTTP/1.1\r\n{Host}Host: files.lab.test\r\n\r\n", "400"),
        new("a host with a path", "GET /x HTTP/1.1\r\nHost: shop.lab.test/evil\r\n\r\n", "400"),
        new("a host with a user", "GET /x HTTP/1.1\r\nHost: evil@shop.lab.test\r\n\r\n", "400"),
        new("a host in a list", "GET /x HTTP/1.1\r\nHost: shop.lab.test, evil.test\r\n\r\n", "400"),
        new("a target with the same host", $"GET http://shop.lab.test/x HTTP/1.1\r\n{Host}\r\n", "200, goes on", "`GET /x`"),
        new("a target with another host", $"GET http://files.lab.test/x HTTP/1.1\r\n{Host}\r\n", "400"),
        new("a target that names another machine", "GET http://127.0.0.1:22/x HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n", "404, goes on"),
        new("`CONNECT` to another machine", "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n", "405"),
        new("`CONNECT` to a tunnel", "CONNECT shop.lab.test:80 HTTP/1.1\r\nHost: shop.lab.test:80\r\n\r\n", "405"),
        new("`X-Forwarded-For` and its like, invented", Get("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 6.6.6.7\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-Host: 6.6.6.6\r\n"), "200, goes on", "`GET /x`", "6.6.6."),
        new("`Connection` with the names of the relay's own headers", Get("Connection: X-Forwarded-For, X-Forwarded-Host, Host\r\nX-Forwarded-For: 6.6.6.6\r\n"), "200, goes on", "`GET /x`", "6.6.6."),

        // Another protocol.
        new("`Connection` with 100,000 empty options", Get($"Connection: {new string(',', 100_000)}\r\n"), "400, goes on"),
        new("`Upgrade: h2c`", Get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), "200, goes on", "`GET /x`", "h2c"),
        new("a WebSocket the service refuses, and a request right behind it", Get("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), "426, goes on", "`GET /x`"),
        new("`Upgrade: evil/1`", Get("Connection: Upgrade\r\nUpgrade: evil/1\r\n"), "200, goes on", "`GET /x`", "evil/1"),
        new("HTTP/2's preface, then HTTP/1.1", $"{Http2Bytes.Preface}GET /x HTTP/1.1\r\n{Host}\r\n", "connection error: FRAME_SIZE_ERROR"),

        // Targets reach a service as they are: it is its own to say what they mean.
        new("`/a/../../x`", $"GET /a/../../x HTTP/1.1\r\n{Host}\r\n", "200, goes on", "`GET /a/../../x`"),
        new("`/a%2F..%2f%2e%2E/x%41`", $"GET /a%2F..%2f%2e%2E/x%41 HTTP/1.1\r\n{Host}\r\n", "200, goes on", "`GET /a%2F..%2f%2e%2E/x%41`"),
        new("`//evil.test/x`", $"GET //evil.test/x HTTP/1.1\r\n{Host}\r\n", "200, goes on", "`GET //evil.test/x`"),
        new("`/x%00y`", $"GET /x%00y HTTP/1.1\r\n{Host}\r\n", "400"),
        new("a target with a line break, encoded", $"GET /x%0d%0aX:%20y HTTP/1.1\r\n{Host}\r\n", "200, goes on", "`GET /x%0d%0aX:%20y`"),

        // Out of a folder (tunnel `files`): "root" is what no visitor may read.
        File("/../secret", "404, goes on"),
        File("/%2e%2e/secret", "404, goes on"),
        File("/..%2fsecret", "404, goes on"),
        File("/..%5csecret", "404, goes on"),
        File("/sub/../../secret", "404, goes on"),
        File("//etc/passwd", "404, goes on"),
        File("/.env", "404, goes on"),
        File("/%2eenv", "404, goes on"),
        File("/out", "404, goes on", " (a link to a file outside)"),
        File("/outside/secret", "404, goes on", " (a link to a folder outside)"),
        File("/in", "200, goes on", " (a link that stays inside)"),

        // HTTP/2.
        Http2("no `:path`", [(":method", "GET"), (":scheme", "http"), (":authority", "shop.lab.test")], "reset: PROTOCOL_ERROR, goes on"),
        Http2("no `:method`", [(":scheme", "http"), (":authority", "shop.lab.test"), (":path", "/x")], "reset: PROTOCOL_ERROR, goes on"),
        Http2("`:path` twice", [.. Plain, (":path", "/evil")], "connection error: PROTOCOL_ERROR"),
        Http2("an empty `:path`", [(":method", "GET"), (":scheme", "http"), (":authority", "shop.lab.test"), (":path", "")], "reset: PROTOCOL_ERROR, goes on"),
        Http2("a pseudo-header nobody knows", [.. Plain, (":evil", "1")], "connection error: PROTOCOL_ERROR"),
        Http2("a pseudo-header after others", [.. Plain[..3], ("x", "y"), (":path", "/x")], "connection error: PROTOCOL_ERROR"),
        Http2("a header name in upper case", [.. Plain, ("X-Upper", "y")], "connection error: PROTOCOL_ERROR"),
        Http2("`connection` in HTTP/2", [.. Plain, ("connection", "close")], "connection error: PROTOCOL_ERROR"),
        Http2("`transfer-encoding` in HTTP/2", [.. Plain, ("transfer-encoding", "chunked")], "400, goes on"),
        Http2("a line break in a header's value", [.. Plain, ("x", "y\r\nevil: 1")], "connection error: PROTOCOL_ERROR"),
        Http2("a line break in a header's name", [.. Plain, ("x: y\r\nevil", "1")], "400, goes on"),
        Http2("a request in `:path`", [.. Plain[..3], (":path", "/x HTTP/1.1\r\nevil: 1\r\n\r\nGET /evil")], "connection error: PROTOCOL_ERROR"),
        Http2("a request in `:method`", [(":method", "GET /evil HTTP/1.1\r\n\r\nGET"), .. Plain[1..]], "connection error: PROTOCOL_ERROR"),
        Http2("a line break in `:authority`", [.. Plain[..2], (":authority", "shop.lab.test\r\nevil: 1"), (":path", "/x")], "connection error: PROTOCOL_ERROR"),
        new("HTTP/2: `:authority` and another `host`", Http2Bytes.Request([.. Plain, ("host", "files.lab.test")]), "200, goes on", "`GET /x`", "files.lab.test"),
        new("HTTP/2: a space in `:path`", Http2Bytes.Request([.. Plain[..3], (":path", "/x HTTP/1.1")]), "200, goes on", "`GET /x%20HTTP/1.1`"),
        Http2("a `content-length` over the body", [.. Plain, ("content-length", "9")], "reset: PROTOCOL_ERROR, goes on"),
        new("HTTP/2: a `content-length` under the body", Http2Bytes.Request([(":method", "POST"), .. Plain[1..], ("content-length", "1")], endStream: false) + Http2Bytes.Frame(0, 1, 1, "abc"), "reset: PROTOCOL_ERROR, goes on", "at most `POST /x, cut`"),
        new("HTTP/2: DATA on a stream that is not open", Http2Bytes.Preface + Http2Bytes.Frame(4, 0, 0, "") + Http2Bytes.Frame(0, 0, 1, "abc"), "connection error: PROTOCOL_ERROR"),
        new("HTTP/2: a stream with an even number", Http2Bytes.Request(Plain, stream: 2), "connection error: PROTOCOL_ERROR"),
        new("HTTP/2: CONTINUATION without end", Http2Bytes.Preface + Http2Bytes.Frame(4, 0, 0, "") + Http2Bytes.Frame(1, 1, 1, Http2Bytes.Headers(Plain)) + string.Concat(Enumerable.Range(0, 500).Select(i => Http2Bytes.Frame(9, 0, 1, Http2Bytes.Headers([($"x{i}", new string('x', 1000))])))), "connection error: PROTOCOL_ERROR"),
    ];

    private static (string Name, string Value)[] Plain => [(":method", "GET"), (":scheme", "http"), (":authority", "shop.lab.test"), (":path", "/x")];

    public override string ToString() => Name;

    private static string Get(string headers) => $"GET /x HTTP/1.1\r\n{Host}{headers}\r\n";

    private static string Post(string headers, string body) => $"POST /x HTTP/1.1\r\n{Host}{headers}\r\n{body}";

    private static Attack File(string target, string answer, string what = "") => new($"files: `{target}`{what}", $"GET {target} HTTP/1.1\r\nHost: files.lab.test\r\n\r\n", answer, "a folder");

    private static Attack Http2(string name, (string Name, string Value)[] headers, string answer) => new($"HTTP/2: {name}", Http2Bytes.Request(headers), answer, Never: "evil");
}

/// <summary>HTTP/2 by hand (RFC 9113 section 4, RFC 7541), as Latin-1 text.</summary>
internal static class Http2Bytes
{
    public const string Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    public static string Frame(int type, int flags, int stream, string payload) =>
        $"{(char)(payload.Length >> 16)}{(char)((payload.Length >> 8) & 0xff)}{(char)(payload.Length & 0xff)}{(char)type}{(char)flags}{(char)0}{(char)(stream >> 16)}{(char)((stream >> 8) & 0xff)}{(char)(stream & 0xff)}{payload}";

    /// <summary>Literals that nobody indexes.</summary>
    public static string Headers(IEnumerable<(string Name, string Value)> headers)
    {
        var block = new StringBuilder();
        foreach (var (name, value) in headers) block.Append('\0').Append(Length(name.Length)).Append(name).Append(Length(value.Length)).Append(value);
        return block.ToString();
    }

    /// <summary>A connection with one request.</summary>
    public static string Request(IEnumerable<(string Name, string Value)> headers, int stream = 1, bool endStream = true) =>
        Preface + Frame(4, 0, 0, "") + Frame(1, endStream ? 5 : 4, stream, Headers(headers));

    private static string Length(int length)
    {
        if (length < 127) return $"{(char)length}";
        var text = new StringBuilder().Append((char)127);
        for (length -= 127; length >= 128; length >>= 7) text.Append((char)((length & 127) | 128));
        return text.Append((char)length).ToString();
    }
}

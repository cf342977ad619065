using System.Collections.Frozen;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace Bondline.Relay;

/// <summary>How a visitor's request is written for a local service that speaks HTTP/1.1.</summary>
/// <param name="IsWebSocket">It asks for one.</param>
/// <param name="HasBody">Bytes may follow.</param>
/// <param name="Length">Of the body; null if it is chunked.</param>
/// <param name="ExpectsContinue">The visitor sends the body when told to.</param>
internal readonly record struct RequestHead(bool IsWebSocket, bool HasBody, long? Length, bool ExpectsContinue)
{
    /// <summary>Of Connection, empty ones included: a few of these are legal, many are an attack (RFC 9110 section 5.6.1.2).</summary>
    public const int MostOptions = 64;

    // They concern one connection (RFC 9110 section 7.6.1), or say of the visitor what the relay knows better, or are written here.
    private static readonly FrozenSet<string> NotPassed = new[]
    {
        HeaderNames.Connection, HeaderNames.KeepAlive, HeaderNames.ProxyConnection, HeaderNames.TransferEncoding, HeaderNames.ContentLength, HeaderNames.Upgrade, HeaderNames.TE,
        "HTTP2-Settings", HeaderNames.Host, HeaderNames.Expect, "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
        "X-Forwarded-Prefix", "X-Real-IP",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> NotPassedText = NotPassed.GetAlternateLookup<ReadOnlySpan<char>>();

    // Features are asked for only where they matter: each question costs as much as a header.
    public static RequestHead Of(HttpContext context)
    {
        var headers = context.Request.Headers;
        if (IsAskedForWebSocket(context)) return new(IsWebSocket: true, HasBody: false, null, ExpectsContinue: false);
        var length = headers.TransferEncoding.Count > 0 ? null : headers.ContentLength;
        var mayHaveBody = length > 0 || headers.TransferEncoding.Count > 0 || !HttpProtocol.IsHttp11(context.Request.Protocol);
        var hasBody = mayHaveBody && context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: true };
        if (mayHaveBody && !hasBody && IsSentWithBody(context.Request.Method)) length ??= 0; // HTTP/2 needs no length to say so; a service may (RFC 9110 section 8.6)
        return new(IsWebSocket: false, hasBody, length, hasBody && string.Equals(headers.Expect, "100-continue", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Writes the request line and the headers.</summary>
    /// <param name="context">The request.</param>
    /// <param name="hostHeader">The Host the service sees; null for the one the visitor asked for.</param>
    /// <param name="to">Where it is written.</param>
    /// <exception cref="BadHttpRequestException">Something in it could be taken for something else.</exception>
    public void Write(HttpContext context, string? hostHeader, ByteWriter to)
    {
        var request = context.Request;
        var isConnect = HttpMethods.IsConnect(request.Method);
        if (isConnect && !IsWebSocket) throw new BadHttpRequestException("The relay is no proxy.", StatusCodes.Status405MethodNotAllowed);
        to.Write(isConnect ? HttpMethods.Get : Checked(request.Method, HeaderSyntax.IsToken(request.Method)));
        to.Write(" "u8);
        WriteTarget(context, to);
        to.Write(" HTTP/1.1\r\n"u8);
        WriteHeader("Host"u8, hostHeader ?? request.Headers.Host.ToString(), to);
        var ofConnection = NamedByConnection(request.Headers);
        foreach (var (name, values) in request.Headers)
        {
            if (NotPassed.Contains(name) || ofConnection?.Contains(name) == true) continue;
            if (name.Equals(HeaderNames.Cookie, StringComparison.OrdinalIgnoreCase))
            {
                WriteHeader("Cookie"u8, string.Join("; ", values.AsEnumerable()), to); // HTTP/2 cuts it (RFC 9113 section 8.2.3)
                continue;
            }
            foreach (var value in values) WriteHeader(name, value, to);
        }
        if (request.Headers.TE is { Count: > 0 } codings && codings.ToString().Contains("trailers", StringComparison.OrdinalIgnoreCase)) to.Write("TE: trailers\r\nConnection: TE\r\n"u8);
        WriteOwn(context, isConnect, to);
        to.Write("\r\n"u8);
    }

    /// <summary>Not the three fields of the message's framing and routing, whatever a trailer says (RFC 9110 section 6.5.1).</summary>
    public static bool MayTrail(string name) => !NotPassed.Contains(name) && HeaderSyntax.IsToken(name);

    /// <exception cref="BadHttpRequestException">It holds what a line cannot.</exception>
    public static void WriteHeader(string name, string? value, ByteWriter to)
    {
        to.Write(Checked(name, HeaderSyntax.IsToken(name)));
        to.Write(": "u8);
        to.Write(Checked(value, HeaderSyntax.IsValue(value)));
        to.Write("\r\n"u8);
    }

    private void WriteOwn(HttpContext context, bool isConnect, ByteWriter to)
    {
        if (context.Connection.RemoteIpAddress is { } visitor)
        {
            to.Write("X-Forwarded-For: "u8);
            to.Write(visitor.IsIPv4MappedToIPv6 ? visitor.MapToIPv4() : visitor);
            to.Write("\r\n"u8);
        }
        WriteHeader("X-Forwarded-Proto"u8, context.Request.Scheme, to);
        WriteHeader("X-Forwarded-Host"u8, context.Request.Headers.Host.ToString(), to);
        if (IsWebSocket)
        {
            to.Write("Connection: Upgrade\r\nUpgrade: websocket\r\n"u8);
            if (isConnect) WriteHeader("Sec-WebSocket-Key"u8, Convert.ToBase64String(RandomNumberGenerator.GetBytes(16)), to); // HTTP/2 has none (RFC 8441 section 5)
        }
        else if (Length is { } length)
        {
            to.Write("Content-Length: "u8);
            to.Write(length);
            to.Write("\r\n"u8);
        }
        else if (HasBody)
        {
            to.Write("Transfer-Encoding: chunked\r\n"u8);
        }
        if (ExpectsContinue) to.Write("Expect: 100-continue\r\n"u8);
    }

    /// <summary>As the visitor wrote it, except where it names the host too (RFC 9112 section 3.2.2).</summary>
    private static void WriteTarget(HttpContext context, ByteWriter to)
    {
        var raw = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        if (raw is not ("*" or ['/', ..]) || raw.AsSpan().ContainsAnyExceptInRange('!', '~'))
            raw = (context.Request.PathBase + context.Request.Path).ToUriComponent() is { Length: > 0 } path ? path + context.Request.QueryString.ToUriComponent() : "/" + context.Request.QueryString.ToUriComponent();
        to.Write(Checked(raw, !raw.AsSpan().ContainsAnyExceptInRange('!', '~')));
    }

    private static void WriteHeader(ReadOnlySpan<byte> name, string value, ByteWriter to)
    {
        to.Write(name);
        to.Write(": "u8);
        to.Write(Checked(value, HeaderSyntax.IsValue(value)));
        to.Write("\r\n"u8);
    }

    private static bool IsSentWithBody(string method) => HttpMethods.IsPost(method) || HttpMethods.IsPut(method) || HttpMethods.IsPatch(method);

    private static bool IsAskedForWebSocket(HttpContext context)
    {
        const string webSocket = "websocket";
        if (HttpMethods.IsConnect(context.Request.Method))
            return context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect && string.Equals(connect.Protocol, webSocket, StringComparison.OrdinalIgnoreCase);
        var asked = context.Request.Headers.Upgrade;
        return asked.Count > 0 && string.Equals(asked, webSocket, StringComparison.OrdinalIgnoreCase) && context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true };
    }

    /// <summary>Headers of the visitor's that it says are meant for the relay alone, besides those that are never passed on.</summary>
    /// <returns>Null if there are none, as mostly.</returns>
    /// <exception cref="BadHttpRequestException">It names too many.</exception>
    private static HashSet<string>? NamedByConnection(IHeaderDictionary headers)
    {
        const string close = "close";
        HashSet<string>? names = null;
        var count = 0;
        foreach (var options in headers.Connection)
        {
            foreach (var range in options.AsSpan().Split(','))
            {
                if (++count > MostOptions) throw new BadHttpRequestException("Connection has too many options.");
                var option = options.AsSpan(range).Trim();
                if (option.IsEmpty || NotPassedText.Contains(option) || (option.Equals(close, StringComparison.OrdinalIgnoreCase) && !headers.ContainsKey(close))) continue;
                (names ??= new(StringComparer.OrdinalIgnoreCase)).Add(option.ToString());
            }
        }
        return names;
    }

    // Kestrel has looked at HTTP/1.1 closely; HTTP/2 can carry more than a line of HTTP/1.1 may hold.
    private static string? Checked(string? text, bool isRight) => isRight ? text : throw new BadHttpRequestException("A header or the target holds what HTTP/1.1 cannot.");
}

using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Bondline.Relay;

/// <summary>Finds requests that Kestrel takes but that a proxy before the relay or the service behind it may read differently: docs/attacks.md.</summary>
internal static class RequestCheck
{
    /// <returns>The status it is refused with; null if it may pass.</returns>
    public static int? Refusal(HttpContext context)
    {
        var request = context.Request;
        if (HttpMethods.IsConnect(request.Method) && context.Features.Get<IHttpExtendedConnectFeature>() is not { IsExtendedConnect: true }) return StatusCodes.Status405MethodNotAllowed;
        if (request.Headers.TransferEncoding is { Count: > 0 } encoding && !IsPlainlyChunked(request, encoding)) return StatusCodes.Status400BadRequest;
        return HttpProtocol.IsHttp2(request.Protocol) && HasWrongName(request.Headers) ? StatusCodes.Status400BadRequest : null;
    }

    /// <summary>Chunked and nothing else (RFC 9112 section 6.1). Kestrel prefers the encoding to a Content-Length beside it, which it renames.</summary>
    private static bool IsPlainlyChunked(HttpRequest request, StringValues encoding) =>
        HttpProtocol.IsHttp11(request.Protocol) && encoding.Count == 1 && string.Equals(encoding, "chunked", StringComparison.OrdinalIgnoreCase) && !request.Headers.ContainsKey("X-Content-Length");

    // HTTP/2 can carry names that HTTP/1.1 would read as more than one line; of values Kestrel sees to it.
    private static bool HasWrongName(IHeaderDictionary headers)
    {
        foreach (var (name, _) in headers)
            if (!HeaderSyntax.IsToken(name)) return true;
        return false;
    }
}

using System.Text;
using Bondline.Relay;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Bondline.Fuzz;

/// <summary>What a visitor may say, written for a local service: it must read exactly one request there. Lines of input: method, target, host, headers; the first byte says which HTTP.</summary>
internal static class RequestHeadTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return;
        var lines = Encoding.Latin1.GetString(input[1..]).Split('\n');
        if (lines.Length < 3) return;
        var context = Context(isHttp2: (input[0] & 1) != 0, lines);
        if (RequestCheck.Refusal(context) is { } refusal)
        {
            FuzzTarget.Require(refusal is >= 400 and < 500, "a refusal is the visitor's fault");
            return;
        }
        using var written = new ByteWriter(1024);
        try
        {
            RequestHead.Of(context).Write(context, hostHeader: null, written);
        }
        catch (BadHttpRequestException)
        {
            return;
        }
        Read(Encoding.Latin1.GetString(written.Written.Span));
    }

    private static DefaultHttpContext Context(bool isHttp2, string[] lines)
    {
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpRequestBodyDetectionFeature>(new MayHaveBody());
        var request = context.Request;
        (request.Protocol, request.Method) = (isHttp2 ? "HTTP/2" : "HTTP/1.1", lines[0]);
        context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget = lines[1];
        if (lines[1].StartsWith('/')) request.Path = new PathString(lines[1].Split('?')[0]);
        request.Headers.Host = lines[2];
        foreach (var line in lines.AsSpan(3))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0 && !line.StartsWith("host:", StringComparison.OrdinalIgnoreCase)) request.Headers.Append(line[..colon], line[(colon + 1)..].Trim(' '));
        }
        return context;
    }

    /// <summary>As the strictest service would.</summary>
    private static void Read(string head)
    {
        FuzzTarget.Require(head.IndexOf("\r\n\r\n", StringComparison.Ordinal) == head.Length - 4, "one head, whose end is the end");
        var lines = head[..^4].Split("\r\n");
        FuzzTarget.Require(lines[0].Split(' ') is [var method, ['/' or '*', ..], "HTTP/1.1"] && HeaderSyntax.IsToken(method), "a request line has three parts");
        var framing = 0;
        var hosts = 0;
        foreach (var line in lines.AsSpan(1))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            FuzzTarget.Require(colon > 0 && HeaderSyntax.IsToken(line.AsSpan(0, colon)) && HeaderSyntax.IsValue(line.AsSpan(colon + 1)), "a header's line is one");
            var name = line[..colon].ToUpperInvariant();
            if (name is "CONTENT-LENGTH" or "TRANSFER-ENCODING") framing++;
            if (name is "HOST") hosts++;
        }
        FuzzTarget.Require(framing <= 1, "a body's length is said once");
        FuzzTarget.Require(hosts == 1, "a host is named once");
    }

    private sealed class MayHaveBody : IHttpRequestBodyDetectionFeature
    {
        public bool CanHaveBody => true;
    }
}

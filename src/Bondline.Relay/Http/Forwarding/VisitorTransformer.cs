using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;

namespace Bondline.Relay;

/// <summary>What visitors say of themselves is not passed on; what the relay knows of them is.</summary>
/// <param name="hostHeader">The Host the local service sees; null for the one the visitor asked for.</param>
internal sealed class VisitorTransformer(string? hostHeader) : HttpTransformer
{
    /// <summary>The visitor a connection to the agent is opened for first.</summary>
    public static readonly HttpRequestOptionsKey<IPEndPoint?> Visitor = new("bondline.visitor");

    // What %2F or .. in a target mean is the service's to say.
    private static readonly UriCreationOptions AsWritten = new() { DangerousDisablePathAndQueryCanonicalization = true };

    private const string For = "X-Forwarded-For", Proto = "X-Forwarded-Proto", Host = "X-Forwarded-Host";

    public override async ValueTask TransformRequestAsync(HttpContext context, HttpRequestMessage request, string destinationPrefix, CancellationToken cancellationToken)
    {
        await base.TransformRequestAsync(context, request, destinationPrefix, cancellationToken);
        var visitor = context.Connection.RemoteIpAddress is { IsIPv4MappedToIPv6: true } mapped ? mapped.MapToIPv4() : context.Connection.RemoteIpAddress;
        request.Headers.Remove("Forwarded");
        request.Headers.Remove("X-Forwarded-Port");
        request.Headers.Remove("X-Forwarded-Prefix");
        request.Headers.Remove("X-Real-IP");
        request.Headers.Remove(For);
        request.Headers.Remove(Proto);
        request.Headers.Remove(Host);
        if (visitor is not null)
        {
            request.Headers.TryAddWithoutValidation(For, visitor.ToString());
            request.Options.Set(Visitor, new IPEndPoint(visitor, context.Connection.RemotePort));
        }
        request.Headers.TryAddWithoutValidation(Proto, context.Request.Scheme);
        request.Headers.TryAddWithoutValidation(Host, context.Request.Headers.Host.ToString());
        request.Headers.Host = hostHeader ?? context.Request.Headers.Host.ToString();
        if (context.Features.Get<IHttpRequestFeature>()?.RawTarget is ['/', ..] target && !target.AsSpan().ContainsAnyExceptInRange('!', '~')) request.RequestUri = new Uri($"{destinationPrefix}{target}", AsWritten);
    }

    /// <summary>A head whose body may be long in coming (events, messages of a stream) does not wait for it.</summary>
    public override async ValueTask<bool> TransformResponseAsync(HttpContext context, HttpResponseMessage? response, CancellationToken cancellationToken)
    {
        var hasBody = await base.TransformResponseAsync(context, response, cancellationToken);
        if (hasBody && response is not null && MayTakeLong(context, response)) await context.Response.Body.FlushAsync(cancellationToken);
        return hasBody;
    }

    // With grpc-status in its head a response is over, and has to look so: the head must be able to end the stream.
    private static bool MayTakeLong(HttpContext context, HttpResponseMessage response) =>
        response.StatusCode >= HttpStatusCode.OK && response.StatusCode is not (HttpStatusCode.NoContent or HttpStatusCode.NotModified)
        && response.Content.Headers.ContentLength is null && !HttpMethods.IsHead(context.Request.Method) && !response.Headers.Contains("grpc-status");
}

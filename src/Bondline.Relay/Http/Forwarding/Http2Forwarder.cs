using System.Net;
using Bondline.Transport;
using Microsoft.AspNetCore.Http;
using Yarp.ReverseProxy.Forwarder;

namespace Bondline.Relay;

/// <summary>Forwards requests to a local service that speaks HTTP/2, over connections that carry many at once.</summary>
internal sealed class Http2Forwarder : IDisposable
{
    private const string Destination = "http://agent";

    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(1);

    private readonly HttpMessageInvoker _sender;
    private readonly VisitorTransformer _transformer;
    private readonly ForwarderRequestConfig _settings;

    /// <param name="open">Opens a stream to the service for the visitor who came first.</param>
    /// <param name="hostHeader">The Host the service sees; null for the one the visitor asked for.</param>
    /// <param name="idleTimeout">A request over which nothing passes for so long is ended; null: none is.</param>
    /// <param name="isSecure">The agent puts TLS around it.</param>
    public Http2Forwarder(Func<IPEndPoint?, CancellationToken, ValueTask<BondStream>> open, string? hostHeader, TimeSpan? idleTimeout, bool isSecure)
    {
        _transformer = new(hostHeader);
        _settings = new()
        {
            ActivityTimeout = idleTimeout ?? Timeout.InfiniteTimeSpan, // a stream that stands still because all networks are away goes on when one returns
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        _sender = new(new SocketsHttpHandler
        {
            ConnectCallback = async (context, stop) =>
            {
                context.InitialRequestMessage.Options.TryGetValue(VisitorTransformer.Visitor, out var visitor);
                var stream = await open(visitor, stop);
                return isSecure ? new SecureSchemeStream(stream) : stream;
            },
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null, // a visitor's trace headers pass as they are
            EnableMultipleHttp2Connections = true,
            PooledConnectionIdleTimeout = IdleTime,
            PooledConnectionLifetime = Timeout.InfiniteTimeSpan,
            ConnectTimeout = Timeout.InfiniteTimeSpan, // without a live subflow it waits, as everything does
            MaxResponseHeadersLength = ResponseHead.MaxBytes >> 10, // KiB
        });
    }

    public void Dispose() => _sender.Dispose();

    /// <summary>Forwards one request. Where that fails when the response has begun, the visitor's connection or stream is aborted.</summary>
    /// <returns>Null, or what went wrong before the response began: the visitor has no answer yet.</returns>
    public async Task<Exception?> ForwardAsync(HttpContext context, IHttpForwarder forwarder)
    {
        var error = await forwarder.SendAsync(context, Destination, _sender, _settings, _transformer);
        if (error == ForwarderError.None || context.Response.HasStarted) return null;
        var failure = context.Features.Get<IForwarderErrorFeature>()?.Exception;
        return error is ForwarderError.RequestTimedOut or ForwarderError.RequestCanceled && !context.RequestAborted.IsCancellationRequested
            ? new TimeoutException("Nothing passed for too long.", failure)
            : failure ?? new IOException($"{error}");
    }
}

using System.Net;
using Bondline.Transport;
using Microsoft.AspNetCore.Http;

namespace Bondline.Relay;

/// <summary>Forwards requests to a local service that speaks HTTP/1.1; why not with a library: <c>docs/decisions/own-forwarder.md</c>.</summary>
/// <param name="open">Opens a stream to the service for a visitor.</param>
/// <param name="hostHeader">The Host the service sees; null for the one the visitor asked for.</param>
/// <param name="idleTimeout">A request over which nothing passes for so long is ended; null: none is.</param>
/// <param name="time">For that, and for connections that are idle.</param>
internal sealed class Http1Forwarder(Func<IPEndPoint?, CancellationToken, ValueTask<BondStream>> open, string? hostHeader, TimeSpan? idleTimeout, TimeProvider time) : IDisposable
{
    private readonly LocalConnections _connections = new(time);
    private readonly PinnedConnections _pinned = new(time);

    /// <summary>Closes connections that are idle; requests under way keep theirs.</summary>
    public void Dispose()
    {
        _connections.Dispose();
        _pinned.Dispose();
    }

    /// <summary>Forwards one request. Where that fails when the response has begun, the visitor's connection is aborted.</summary>
    /// <returns>Null, or what went wrong before the response began: the visitor has no answer yet.</returns>
    public async Task<Exception?> ForwardAsync(HttpContext context)
    {
        try
        {
            for (var connection = _pinned.Take(context) ?? _connections.Take(); ; connection = null)
            {
                connection ??= new(await open(VisitorOf(context), context.RequestAborted));
                var exchange = new Http1Exchange(context, connection, idleTimeout, time);
                var isReusable = false;
                try
                {
                    isReusable = await exchange.RunAsync(hostHeader);
                    return null;
                }
                catch (Exception error) when (error is BondStreamException or BadResponseException { IsEnd: true } && connection.IsReused && exchange.MayBeRepeated)
                {
                    // The service closed it while the request was on its way: once more, on a fresh one.
                }
                finally
                {
                    if (!isReusable) connection.Dispose();
                    else if (connection.IsPinned) _pinned.Return(connection, context);
                    else _connections.Return(connection);
                }
            }
        }
        catch (Exception error) when (error is BondStreamException or BadResponseException or BadHttpRequestException or TimeoutException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            if (!context.Response.HasStarted) return error;
            context.Abort();
            return null;
        }
    }

    private static IPEndPoint? VisitorOf(HttpContext context) =>
        context.Connection.RemoteIpAddress is { } address ? new(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, context.Connection.RemotePort) : null;
}

using System.Buffers;
using Bondline.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Bondline.Relay;

/// <summary>A WebSocket, once the service has agreed: bytes in both directions until both are over. While nothing passes it holds no buffer.</summary>
internal sealed class UpgradedExchange(HttpContext context, LocalConnection connection, IdleWatch? idle, TimeProvider time)
{
    private const int BufferBytes = 16 << 10;

    // The visitor said goodbye: so long for the service to do so too.
    private static readonly TimeSpan FarewellTime = TimeSpan.FromSeconds(30);

    /// <summary>Takes the visitor's connection over.</summary>
    public async Task RunAsync()
    {
        var visitor = await AcceptAsync();
        using var stop = new CancellationTokenSource();
        var (toService, toVisitor) = (PassToServiceAsync(visitor, stop.Token), PassToVisitorAsync(visitor));
        try
        {
            if (await Task.WhenAny(toService, toVisitor) == toService)
            {
                await toService;
                await toVisitor.WaitAsync(FarewellTime, time);
            }
            await toVisitor;
        }
        finally
        {
            connection.Stream.Abort(StreamError.Cancelled); // means nothing where both are over
            await stop.CancelAsync();
            await Task.WhenAll(toService, toVisitor).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async ValueTask<Stream> AcceptAsync()
    {
        if (context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect)
        {
            context.Response.StatusCode = StatusCodes.Status200OK; // RFC 8441 section 5
            context.Response.Headers.SecWebSocketAccept = default;
            return await connect.AcceptAsync();
        }
        context.Response.Headers.Upgrade = "websocket";
        return await context.Features.Get<IHttpUpgradeFeature>()!.UpgradeAsync();
    }

    private async Task PassToServiceAsync(Stream visitor, CancellationToken stop)
    {
        for (var isOver = false; !isOver;)
        {
            _ = await visitor.ReadAsync(Memory<byte>.Empty, stop);
            var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
            try
            {
                var read = await visitor.ReadAsync(buffer, stop);
                if (read > 0) await connection.Stream.WriteAsync(buffer.AsMemory(0, read), stop);
                isOver = read == 0;
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
            idle?.Restart();
        }
        await connection.Stream.CompleteWritesAsync(stop);
    }

    private async Task PassToVisitorAsync(Stream visitor)
    {
        do
        {
            idle?.Restart();
            var unread = connection.Unread;
            if (!unread.IsEmpty) await visitor.WriteAsync(unread);
            connection.Consume(unread.Length);
        }
        while (await connection.FillAsync() > 0);
    }
}

using Bondline.Protocol;
using Microsoft.AspNetCore.Http;

namespace Bondline.Relay;

/// <summary>Ends an exchange over which nothing has passed for too long.</summary>
internal sealed class IdleWatch : IDisposable
{
    private readonly TimeSpan _limit;
    private readonly CancellationTokenSource _over;
    private readonly CancellationTokenRegistration _ending;

    public IdleWatch(HttpContext context, LocalConnection connection, TimeSpan limit, TimeProvider time)
    {
        _limit = limit;
        _over = new(limit, time);
        _ending = _over.Token.UnsafeRegister(static state =>
        {
            var (context, connection) = ((HttpContext, LocalConnection))state!;
            connection.Stream.Abort(StreamError.Cancelled);
            if (context.Response.HasStarted) context.Abort();
        }, (context, connection));
    }

    public bool IsOver => _over.IsCancellationRequested;

    /// <summary>Something has passed.</summary>
    public void Restart() => _over.CancelAfter(_limit);

    public void Dispose()
    {
        _ending.Dispose();
        _over.Dispose();
    }
}

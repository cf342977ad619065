using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>The accepted connections that are being served, so that ending can wait for them. Thread-safe.</summary>
internal sealed class ServedConnections(ILogger log)
{
    private readonly Lock _gate = new();
    private TaskCompletionSource? _empty;
    private int _count;

    /// <summary>Serves a connection; its end is counted and an exception logged, so its task needs no other awaiter.</summary>
    /// <param name="socket">Owned by <paramref name="serve"/>; closed here if that fails.</param>
    /// <param name="serve">What it throws is a bug.</param>
    /// <param name="local">Where it was accepted, for the log.</param>
    public void Start(Socket socket, Func<Socket, Task> serve, EndPoint local)
    {
        lock (_gate) _count++;
        _ = ServeAsync(socket, serve, local);
    }

    /// <summary>Completes once none is being served.</summary>
    public Task WhenEmptyAsync()
    {
        lock (_gate) return _count == 0 ? Task.CompletedTask : (_empty ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
    }

    private async Task ServeAsync(Socket socket, Func<Socket, Task> serve, EndPoint local)
    {
        try
        {
            await serve(socket);
        }
        catch (Exception error) // a bug in serving this one: the others go on
        {
            log.ServingFailed(local, error);
            socket.Dispose();
        }
        finally
        {
            TaskCompletionSource? last = null;
            lock (_gate)
                if (--_count == 0) (last, _empty) = (_empty, null);
            last?.SetResult();
        }
    }
}

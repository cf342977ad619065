namespace Bondline.Agent;

/// <summary>Counts the streams being served, so that ending can wait for them.</summary>
internal sealed class ActiveStreams(Action<Exception> unexpected)
{
    private readonly Lock _gate = new();
    private TaskCompletionSource? _empty;

    public int Count { get; private set; }

    /// <summary>Starts <paramref name="serve"/>; its end is counted and an exception told to the constructor's receiver, so its task needs no other awaiter.</summary>
    public void Start(Func<Task> serve)
    {
        lock (_gate) Count++;
        _ = RunAsync(serve);
    }

    /// <summary>Completes once no stream is being served.</summary>
    public Task WhenEmptyAsync()
    {
        lock (_gate)
            return Count == 0 ? Task.CompletedTask : (_empty ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
    }

    private async Task RunAsync(Func<Task> serve)
    {
        try
        {
            await serve();
        }
        catch (Exception error) // a bug in serving this one stream: the others go on
        {
            unexpected(error);
        }
        finally
        {
            TaskCompletionSource? last = null;
            lock (_gate)
                if (--Count == 0) (last, _empty) = (_empty, null);
            last?.SetResult();
        }
    }
}

using System.Threading.Tasks.Sources;

namespace Bondline.Transport;

/// <summary>One reusable wait of a stream's reader or writer.</summary>
/// <remarks>
/// <see cref="IsArmed"/> changes only under the bond's lock; who clears it must complete the wait, outside the lock, exactly once.
/// Continuations run on the thread pool, for the thread that completes a wait belongs to a subflow, unless the stream says that its own are short.
/// It queues itself there: what the runtime queues for a continuation is a new object each time.
/// </remarks>
internal sealed class StreamWaiter(Lock gate) : IValueTaskSource, IThreadPoolWorkItem
{
    private ManualResetValueTaskSourceCore<bool> _core = new();

    public bool IsArmed { get; private set; }

    /// <summary>Under the lock: starts a wait.</summary>
    public ValueTask Arm()
    {
        if (IsArmed) throw new StreamInUseException("A stream takes one reader and one writer at a time.");
        _core.Reset();
        IsArmed = true;
        return new(this, _core.Version);
    }

    /// <summary>Under the lock: the wait is over.</summary>
    /// <returns>True if the caller must now call <see cref="Complete"/> outside the lock.</returns>
    public bool Disarm()
    {
        var was = IsArmed;
        IsArmed = false;
        return was;
    }

    public void Complete(bool isInline)
    {
        if (isInline) Execute();
        else ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: true);
    }

    /// <summary>Runs what waits, on this thread.</summary>
    public void Execute()
    {
        _core.RunContinuationsAsynchronously = false;
        _core.SetResult(true);
    }

    /// <summary>From now until the result is disposed, <paramref name="cancellationToken"/> ends the wait.</summary>
    public CancellationTokenRegistration CancelWith(CancellationToken cancellationToken) =>
        cancellationToken.UnsafeRegister(static (state, token) => ((StreamWaiter)state!).Cancel(token), this);

    private void Cancel(CancellationToken cancellationToken)
    {
        lock (gate)
            if (!Disarm())
                return;
        _core.RunContinuationsAsynchronously = true;
        _core.SetException(new OperationCanceledException(cancellationToken));
    }

    void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}

/// <summary>The program uses a stream as streams cannot be used.</summary>
internal sealed class StreamInUseException(string message) : InvalidOperationException(message);

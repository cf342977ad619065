using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>A thread behind <see cref="SocketFilter"/>. What it starts is behind it too, with all that comes of it; the rest of this process is not.</summary>
/// <remarks>
/// It does one piece of work and ends. Whoever has the listener must answer before any <c>socket(2)</c> behind the filter returns. What it starts
/// includes threads of the runtime (that of background garbage collection, say): the listener may be hung up only when this process ends.
/// </remarks>
public sealed class FilteredThread : IDisposable
{
    private readonly Thread _thread;
    private readonly SemaphoreSlim _next = new(0);
    private readonly TaskCompletionSource<(NotificationListener? Listener, SeccompRefusal Refusal)> _filtered = new();
    private Action? _work;

    private FilteredThread() => _thread = new(Run) { IsBackground = true, Name = "filtered" };

    /// <summary>Where the calls arrive; it lives on when this ends.</summary>
    public NotificationListener Listener { get; private set; } = null!;

    /// <summary>Programs it starts do not get the rights that their files would give them, and without the filter they would.</summary>
    public bool TakesRights { get; private set; }

    /// <returns>Null if <paramref name="refusal"/> says why not; nothing is left of it then.</returns>
    public static FilteredThread? TryStart(out SeccompRefusal refusal)
    {
        var thread = new FilteredThread();
        thread._thread.Start();
        (var listener, refusal) = thread._filtered.Task.Result;
        if (listener is not null)
        {
            thread.Listener = listener;
            return thread;
        }
        thread._thread.Join();
        thread._next.Dispose();
        return null;
    }

    /// <summary>Does something on the thread, once; then the thread ends.</summary>
    public T Finish<T>(Func<T> work)
    {
        T? result = default;
        ExceptionDispatchInfo? failure = null;
        _work = () =>
        {
            try
            {
                result = work();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e); // thrown again on the caller's thread
            }
        };
        _next.Release();
        _thread.Join();
        failure?.Throw();
        return result!;
    }

    /// <summary>Ends the thread if it has not done its work.</summary>
    public void Dispose()
    {
        if (_thread.IsAlive)
        {
            _next.Release();
            _thread.Join();
        }
        _next.Dispose();
    }

    private void Run()
    {
        var filtered = Filter();
        _filtered.SetResult(filtered);
        if (filtered.Listener is null) return;
        _next.Wait();
        _work?.Invoke();
    }

    private (NotificationListener? Listener, SeccompRefusal Refusal) Filter()
    {
        if (SocketFilter.For(RuntimeInformation.ProcessArchitecture) is not { } filter) return (null, SeccompRefusal.OtherMachine);
        var couldGain = !SeccompCall.HasNoNewPrivileges;
        if (SeccompCall.TryFilter(SocketFilter.Write(filter), out var refusal) is not { } handle) return (null, refusal);
        TakesRights = couldGain && SeccompCall.HasNoNewPrivileges;
        var listener = new NotificationListener(handle);
        if (listener.CanInject) return (listener, SeccompRefusal.None);
        listener.Dispose();
        return (null, SeccompRefusal.NotSupported);
    }
}

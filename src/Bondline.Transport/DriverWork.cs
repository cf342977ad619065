using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Told outside the lock that a subflow's state changed or that it ended.</summary>
internal interface IBondObserver
{
    void HandleSubflowChanged(SubflowPump pump, SubflowState state, SubflowReason reason);
}

/// <summary>What a call into the bond left to do once its lock is released: start writes, complete waits, tell observers. Reused by its thread.</summary>
internal sealed class DriverWork
{
    [ThreadStatic] private static DriverWork? _spare;

    private readonly List<SubflowPump> _writes = [];
    private readonly List<StreamWaiter> _waits = [];
    private readonly List<(SubflowPump Pump, SubflowState State, SubflowReason Reason)> _changes = [];
    private readonly List<TaskCompletionSource> _signals = [];

    private DriverWork() { }

    public static DriverWork Take()
    {
        var work = _spare ?? new();
        _spare = null;
        return work;
    }

    public void AddWrite(SubflowPump pump) => _writes.Add(pump);

    public void AddWait(StreamWaiter? waiter)
    {
        if (waiter is not null && waiter.Disarm()) _waits.Add(waiter);
    }

    public void AddChange(SubflowPump pump, SubflowState state, SubflowReason reason) => _changes.Add((pump, state, reason));

    public void AddSignal(TaskCompletionSource signal) => _signals.Add(signal);

    /// <summary>Does it all; the object must not be used any more.</summary>
    /// <param name="driver">Whose work it is.</param>
    /// <param name="writesInline">False on the clock's thread, which must not encrypt for one bond while others' deadlines pass.</param>
    public void Run(BondDriver driver, bool writesInline = true)
    {
        foreach (var wait in _waits) wait.Complete(); // first: others can go on while this thread encrypts
        _waits.Clear();
        foreach (var signal in _signals) signal.TrySetResult();
        _signals.Clear();
        foreach (var (pump, state, reason) in _changes) driver.Tell(pump, state, reason);
        _changes.Clear();
        foreach (var pump in _writes)
        {
            if (writesInline || pump.IsStagedSmall) pump.WriteInline();
            else pump.WriteLater();
        }

        _writes.Clear();
        _spare = this;
    }
}

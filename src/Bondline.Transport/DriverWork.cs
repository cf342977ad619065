using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Told outside the lock that a subflow's state changed or that it ended.</summary>
internal interface IBondObserver
{
    void HandleSubflowChanged(SubflowPump pump, SubflowState state, SubflowReason reason);

    /// <summary>It has carried <see cref="BondDriver.WornAfterBytes"/>; told once, by the clock thread.</summary>
    void HandleSubflowWorn(SubflowPump pump);
}

/// <summary>What a call into the bond left to do once its lock is released: start writes, complete waits, tell observers. Reused by its thread.</summary>
internal sealed class DriverWork
{
    /// <summary>Readers woken on the thread that received for them. Waking a worker costs more than several of them do, but beyond so many another core should help.</summary>
    private const int MostInlineReaders = 64;

    /// <summary>What a reader has to move for this to be worth no change of thread.</summary>
    private const int InlineBytes = 4096;

    // A stack: what is woken on this thread does work of its own.
    [ThreadStatic] private static DriverWork? _spare;

    private DriverWork? _next;
    private readonly List<SubflowPump> _writes = [];
    private readonly List<StreamWaiter> _waits = [];
    private readonly List<StreamWaiter> _inlineWaits = [];
    private readonly List<(SubflowPump Pump, SubflowState State, SubflowReason Reason)> _changes = [];
    private readonly List<TaskCompletionSource> _signals = [];

    private DriverWork() { }

    public static DriverWork Take()
    {
        if (_spare is not { } work) return new();
        _spare = work._next;
        return work;
    }

    public void AddWrite(SubflowPump pump) => _writes.Add(pump);

    public void AddWait(StreamWaiter? waiter)
    {
        if (waiter is not null && waiter.Disarm()) _waits.Add(waiter);
    }

    /// <summary>The stream has something to read.</summary>
    public void AddReader(BondStream stream)
    {
        if (stream.Reader is not { } waiter || !waiter.Disarm()) return;
        var isInline = stream.ContinuesInline && _inlineWaits.Count < MostInlineReaders && stream.Endpoint.ReadableBytes <= InlineBytes;
        (isInline ? _inlineWaits : _waits).Add(waiter);
    }

    public void AddChange(SubflowPump pump, SubflowState state, SubflowReason reason) => _changes.Add((pump, state, reason));

    public void AddSignal(TaskCompletionSource signal) => _signals.Add(signal);

    /// <summary>Does it all; the object must not be used any more.</summary>
    /// <param name="driver">Whose work it is.</param>
    /// <param name="writesInline">False on the clock's thread, which must not encrypt for one bond while others' deadlines pass.</param>
    /// <param name="continuesInline">True on the thread of a subflow's read loop: readers of a few bytes go on here, after everything else.</param>
    public void Run(BondDriver driver, bool writesInline = true, bool continuesInline = false)
    {
        foreach (var wait in _waits) wait.Complete(isInline: false); // first: others can go on while this thread encrypts
        _waits.Clear();
        foreach (var signal in _signals) signal.TrySetResult();
        _signals.Clear();
        foreach (var (pump, state, reason) in _changes) driver.Tell(pump, state, reason);
        _changes.Clear();
        foreach (var pump in _writes)
        {
            if ((writesInline || pump.IsStagedSmall) && !pump.IsHurried) pump.WriteInline();
            else pump.WriteLater();
        }

        _writes.Clear();
        foreach (var wait in _inlineWaits) wait.Complete(continuesInline);
        _inlineWaits.Clear();
        _next = _spare;
        _spare = this;
    }
}

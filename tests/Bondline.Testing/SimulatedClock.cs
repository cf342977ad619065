namespace Bondline.Testing;

/// <summary>What an event of virtual time is run on.</summary>
internal interface IEventTarget
{
    void Run(int kind, long argument);
}

/// <summary>Virtual time: events in order of their instants, and of their making where those are equal.</summary>
internal sealed class SimulatedClock
{
    private readonly PriorityQueue<(IEventTarget Target, int Kind, long Argument), (long At, long Order)> _events = new();
    private long _order;
    private ulong _trace = 14_695_981_039_346_656_037;

    public Instant Now { get; private set; }

    public long EventsRun { get; private set; }

    /// <summary>A hash of every event so far: two runs of one seed must agree on it.</summary>
    public ulong Trace => _trace;

    public void Add(Instant at, IEventTarget target, int kind, long argument = 0) =>
        _events.Enqueue((target, kind, argument), (Math.Max(at.Microseconds, Now.Microseconds), _order++));

    public void Add(Instant at, Action action) => Add(at, new ActionTarget(action), 0);

    /// <summary>Runs the next event if there is one at or before <paramref name="until"/>.</summary>
    public bool TryRunNext(Instant until)
    {
        if (!_events.TryPeek(out _, out var due) || due.At > until.Microseconds) return false;
        var (target, kind, argument) = _events.Dequeue();
        Now = new(due.At);
        EventsRun++;
        Record((ulong)due.At, (ulong)kind, (ulong)argument);
        target.Run(kind, argument);
        return true;
    }

    /// <summary>Lets time pass up to <paramref name="until"/> where no event is.</summary>
    public void Advance(Instant until) => Now = Instant.Later(Now, until);

    public void Record(ulong a, ulong b, ulong c)
    {
        _trace = (_trace ^ a) * 1_099_511_628_211;
        _trace = (_trace ^ b) * 1_099_511_628_211;
        _trace = (_trace ^ c) * 1_099_511_628_211;
        _trace ^= _trace >> 29;
    }

    private sealed class ActionTarget(Action action) : IEventTarget
    {
        public void Run(int kind, long argument) => action();
    }
}

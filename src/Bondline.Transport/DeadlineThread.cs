using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Someone with one deadline at a time. The thread calls; implementations compute, start writes and return.</summary>
internal interface IDeadlineOwner
{
    /// <summary>The deadline is over. <paramref name="late"/>: how long ago.</summary>
    void HandleDeadline(Instant now, TimeSpan late);

    /// <summary>The machine slept: the monotonic clock stood still for more than two seconds.</summary>
    void HandleResumed(Instant now);
}

/// <summary>One owner's place in the <see cref="DeadlineThread"/>.</summary>
internal sealed class Deadline(IDeadlineOwner owner)
{
    public IDeadlineOwner Owner { get; } = owner;

    public Instant Due { get; set; }

    /// <summary>Position in the heap; -1 while not armed.</summary>
    public int Index { get; set; } = -1;
}

/// <summary>One sleeping thread for the deadlines of thousands of bonds: a timer of the thread pool is milliseconds late just when it matters.</summary>
internal sealed class DeadlineThread : IDisposable
{
    // What a thread of a healthy host stays under even during a garbage collection. A wake-up may be a millisecond later: waits are rounded up.
    private static readonly TimeSpan LateBound = TimeSpan.FromMilliseconds(5), LateWakeBound = LateBound + TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan SuspendBound = TimeSpan.FromSeconds(2);

    // So often the clocks are compared while nothing is due.
    private static readonly TimeSpan LongestSleep = TimeSpan.FromSeconds(1);

    private readonly object _gate = new();
    private readonly TransportClock _clock;
    private readonly Func<TimeSpan> _bootTime;
    private readonly ITransportLog _log;
    private readonly HashSet<Deadline> _registered = [];
    private readonly Thread _thread;
    private Deadline[] _heap = new Deadline[16];
    private int _count;
    private Instant _sleepsUntil = Instant.Never;
    private bool _isStopped;
    private long _lateTicks;

    public DeadlineThread(TransportClock clock, Func<TimeSpan> bootTime, ITransportLog log)
    {
        (_clock, _bootTime, _log) = (clock, bootTime, log);
        _thread = new Thread(Run) { IsBackground = true, Name = "bond deadlines" };
        _thread.Start();
    }

    /// <summary>How late the thread has been in all, wherever it was more than 5 ms: what others measured meanwhile was our own fault. It only grows, and never by more than the time that passed.</summary>
    public TimeSpan Late => new(Volatile.Read(ref _lateTicks));

    public Deadline Register(IDeadlineOwner owner)
    {
        var deadline = new Deadline(owner);
        lock (_gate) _registered.Add(deadline);
        return deadline;
    }

    public void Unregister(Deadline deadline)
    {
        lock (_gate)
        {
            _registered.Remove(deadline);
            if (deadline.Index >= 0) RemoveAt(deadline.Index);
        }
    }

    /// <summary>Sets the owner's next deadline, replacing the one before.</summary>
    public void Arm(Deadline deadline, Instant due)
    {
        lock (_gate)
        {
            if (!_registered.Contains(deadline)) return;
            if (deadline.Index < 0)
            {
                if (_count == _heap.Length) Array.Resize(ref _heap, _count * 2);
                deadline.Index = _count;
                _heap[_count++] = deadline;
            }

            // One that is over already is due now: its owner is not to think that this thread was late.
            deadline.Due = Instant.Later(due, _clock.Now);
            SiftDown(deadline.Index);
            SiftUp(deadline.Index);
            if (deadline.Due < _sleepsUntil) Monitor.Pulse(_gate);
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isStopped = true;
            Monitor.Pulse(_gate);
        }

        if (Thread.CurrentThread != _thread) _thread.Join();
    }

    private void Run()
    {
        var suspended = _bootTime() - Monotonic();
        var resumed = new List<Deadline>();
        var looked = _clock.Now;
        while (true)
        {
            Deadline? due = null;
            var now = _clock.Now;
            TimeSpan late, lookedLate;
            lock (_gate)
            {
                if (_isStopped) return;
                var until = _count > 0 ? Instant.Earlier(_heap[0].Due, now + LongestSleep) : now + LongestSleep;
                if (until > now)
                {
                    _sleepsUntil = until;
                    // Rounded up: waking too early would spin through the last millisecond.
                    Monitor.Wait(_gate, (int)Math.Ceiling((until - now).TotalMilliseconds));
                    _sleepsUntil = default;
                    now = _clock.Now;
                }

                // It may also have been held up in what it called: the time before its last look was counted then.
                lookedLate = now.Since(Instant.Later(until, looked));
                looked = now;

                if (_count > 0 && _heap[0].Due <= now)
                {
                    due = _heap[0];
                    RemoveAt(0);
                }

                late = due is null ? TimeSpan.Zero : now.Since(due.Due);
                var offset = _bootTime() - Monotonic();
                if (offset - suspended > SuspendBound) resumed.AddRange(_registered);
                suspended = offset;
            }

            if (lookedLate > LateWakeBound)
            {
                Volatile.Write(ref _lateTicks, _lateTicks + lookedLate.Ticks);
                _log.ClockLate(lookedLate);
            }

            foreach (var sleeper in resumed) Call(sleeper.Owner, now, TimeSpan.Zero, isResume: true);
            resumed.Clear();
            if (due is not null) Call(due.Owner, now, late, isResume: false);
        }
    }

    private void Call(IDeadlineOwner owner, Instant now, TimeSpan late, bool isResume)
    {
        try
        {
            if (isResume) owner.HandleResumed(now);
            else owner.HandleDeadline(now, late > LateBound ? late : TimeSpan.Zero);
        }
        catch (Exception bug)
        {
            // Owners end their own bond for what goes wrong in it; nothing may end the clock of all the others.
            _log.Unexpected("deadline", bug);
        }
    }

    private TimeSpan Monotonic() => _clock.Now.Since(default);

    private void RemoveAt(int index)
    {
        _heap[index].Index = -1;
        var last = _heap[--_count];
        _heap[_count] = null!;
        if (index == _count) return;
        _heap[index] = last;
        last.Index = index;
        SiftDown(index);
        SiftUp(last.Index);
    }

    private void SiftUp(int index)
    {
        while (index > 0 && _heap[index].Due < _heap[(index - 1) / 2].Due)
        {
            Swap(index, (index - 1) / 2);
            index = (index - 1) / 2;
        }
    }

    private void SiftDown(int index)
    {
        while (true)
        {
            var least = index;
            for (var child = 2 * index + 1; child <= 2 * index + 2 && child < _count; child++)
                if (_heap[child].Due < _heap[least].Due)
                    least = child;
            if (least == index) return;
            Swap(index, least);
            index = least;
        }
    }

    private void Swap(int a, int b)
    {
        (_heap[a], _heap[b]) = (_heap[b], _heap[a]);
        _heap[a].Index = a;
        _heap[b].Index = b;
    }
}

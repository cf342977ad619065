namespace Bondline.Relay.Tests;

/// <summary>A clock that stands still until the test moves it; its timers run in the call that does.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<ManualTimer> _timers = [];
    private long _ticks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddTicks(GetTimestamp());

    public void Advance(TimeSpan span)
    {
        Interlocked.Add(ref _ticks, span.Ticks);
        List<ManualTimer> due;
        lock (_gate) due = [.. _timers.Where(timer => timer.Due <= _ticks)];
        foreach (var timer in due) timer.Run();
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        lock (_gate) _timers.Add(timer);
        return timer;
    }

    private sealed class ManualTimer(ManualTime time, TimerCallback callback, object? state) : ITimer
    {
        private TimeSpan _period;

        public long Due { get; private set; }

        public void Run()
        {
            Due = _period > TimeSpan.Zero ? time._ticks + _period.Ticks : long.MaxValue;
            callback(state);
        }

        public bool Change(TimeSpan dueTime, TimeSpan newPeriod)
        {
            Due = dueTime < TimeSpan.Zero ? long.MaxValue : time._ticks + dueTime.Ticks;
            _period = newPeriod;
            return true;
        }

        public void Dispose()
        {
            lock (time._gate) time._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

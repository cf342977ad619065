using Bondline.Protocol;
using Xunit;

namespace Bondline.Transport.Tests;

public sealed class DeadlineThreadTests
{
    // The engine may name a deadline that is over already. Taken for lateness, it would restart the health clocks again and again, and no path would ever be suspect.
    [Fact]
    public async Task A_deadline_that_is_armed_too_late_is_not_this_threads_lateness()
    {
        var clock = new TransportClock(TimeProvider.System);
        using var thread = new DeadlineThread(clock, () => clock.Now.Since(default), SilentTransportLog.Instance);
        var least = TimeSpan.MaxValue;
        for (var i = 0; i < 3; i++) // a busy host may be late itself, once
        {
            var owner = new Owner();
            thread.Arm(thread.Register(owner), clock.Now - TimeSpan.FromMilliseconds(900));
            var late = await owner.Called.Task.WaitAsync(LoopbackPair.Patience);
            if (late < least) least = late;
        }
        Assert.Equal(TimeSpan.Zero, least);
    }

    [Fact]
    public async Task Lateness_adds_up_and_is_counted_once_however_many_deadlines_it_passed()
    {
        var time = new ManualTime();
        var clock = new TransportClock(time);
        using var thread = new DeadlineThread(clock, () => clock.Now.Since(default), SilentTransportLog.Instance);
        foreach (var stood in new[] { TimeSpan.FromSeconds(40), TimeSpan.FromMilliseconds(4), TimeSpan.FromSeconds(3) })
        {
            var before = thread.Late;
            Owner[] owners = [new(), new(), new()];
            foreach (var owner in owners) thread.Arm(thread.Register(owner), clock.Now + TimeSpan.FromMilliseconds(1));
            var armed = time.Reads;
            Assert.True(SpinWait.SpinUntil(() => time.Reads > armed + 20, LoopbackPair.Patience), "the thread does not look at the clock"); // it knows the deadlines
            time.Advance(TimeSpan.FromMilliseconds(1) + stood);
            await Task.WhenAll(owners.Select(owner => owner.Called.Task)).WaitAsync(LoopbackPair.Patience);
            Assert.Equal(stood > TimeSpan.FromMilliseconds(5) ? stood : TimeSpan.Zero, thread.Late - before);
        }
    }

    /// <summary>A clock that stands until it is told.</summary>
    private sealed class ManualTime : TimeProvider
    {
        private long _ticks, _reads;

        public long Reads => Interlocked.Read(ref _reads);

        public void Advance(TimeSpan time) => Interlocked.Add(ref _ticks, time.Ticks);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp()
        {
            Interlocked.Increment(ref _reads);
            return Interlocked.Read(ref _ticks);
        }
    }

    private sealed class Owner : IDeadlineOwner
    {
        public TaskCompletionSource<TimeSpan> Called { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void HandleDeadline(Instant now, TimeSpan late) => Called.TrySetResult(late);

        public void HandleResumed(Instant now)
        {
        }
    }
}

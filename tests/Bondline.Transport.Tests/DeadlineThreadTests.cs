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

    private sealed class Owner : IDeadlineOwner
    {
        public TaskCompletionSource<TimeSpan> Called { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void HandleDeadline(Instant now, TimeSpan late) => Called.TrySetResult(late);

        public void HandleResumed(Instant now)
        {
        }
    }
}

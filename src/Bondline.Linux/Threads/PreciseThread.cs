using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>Timing of the calling thread: the monotonic clock, sleeps that end when they should, and priority.</summary>
public static unsafe partial class PreciseThread
{
    private const int ClockMonotonic = 1, TimerAbsolute = 1, SetTimerSlack = 29, SchedulerFifo = 1, ResetOnFork = 0x4000_0000;

    /// <summary>CLOCK_MONOTONIC in nanoseconds: the same for all processes of the machine.</summary>
    public static long Now
    {
        get
        {
            TimeSpec time;
            clock_gettime(ClockMonotonic, &time);
            return time.Total;
        }
    }

    /// <summary>Has the kernel end this thread's sleeps and polls when their time is up, not up to 50 µs later.</summary>
    public static void RemoveTimerSlack() => prctl(SetTimerSlack, 1, 0, 0, 0);

    /// <summary>Lets the calling thread run before every ordinary one: only for threads that sleep most of the time, as hardware would.</summary>
    /// <returns>False where the right to (CAP_SYS_NICE) is missing.</returns>
    public static bool TryRunFirst()
    {
        var priority = 1;
        return sched_setscheduler(0, SchedulerFifo | ResetOnFork, &priority) == 0;
    }

    /// <summary>Sleeps until <see cref="Now"/> is <paramref name="deadline"/>; returns at once if it is over.</summary>
    public static void SleepUntil(long deadline)
    {
        var time = TimeSpec.From(deadline);
        while (clock_nanosleep(ClockMonotonic, TimerAbsolute, &time, null) == 4) { } // EINTR: a signal
    }

    /// <summary>Waits until one of the descriptors can be read or <see cref="Now"/> is <paramref name="deadline"/> (<see cref="long.MaxValue"/>: never).</summary>
    public static void WaitReadable(Span<PollEntry> entries, long deadline)
    {
        var now = Now;
        var time = TimeSpec.From(Math.Max(0, deadline - now));
        fixed (PollEntry* first = entries)
            ppoll(first, (nuint)entries.Length, deadline == long.MaxValue ? null : &time, null); // errors show when the descriptor is read
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        private long _seconds, _nanoseconds;

        public readonly long Total => _seconds * 1_000_000_000 + _nanoseconds;

        public static TimeSpec From(long nanoseconds) => new() { _seconds = nanoseconds / 1_000_000_000, _nanoseconds = nanoseconds % 1_000_000_000 };
    }

    [LibraryImport("libc"), SuppressGCTransition]
    private static partial int clock_gettime(int clock, TimeSpec* time);

    [LibraryImport("libc")]
    private static partial int clock_nanosleep(int clock, int flags, TimeSpec* time, TimeSpec* left);

    [LibraryImport("libc")]
    private static partial int ppoll(PollEntry* entries, nuint count, TimeSpec* timeout, void* signals);

    [LibraryImport("libc")]
    private static partial int prctl(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport("libc")]
    private static partial int sched_setscheduler(int process, int policy, int* parameters);
}

/// <summary>A descriptor to wait for, in <see cref="PreciseThread.WaitReadable"/>: the kernel's <c>struct pollfd</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PollEntry(int descriptor)
{
    private const short Input = 1;

    private readonly int _descriptor = descriptor;
    private readonly short _wanted = Input;
    private short _seen;

    /// <summary>Something can be read, or the descriptor has failed and reading says how.</summary>
    public readonly bool IsReady => _seen != 0;

    /// <summary>Something can be read.</summary>
    public readonly bool HasInput => (_seen & Input) != 0;
}

using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>The clock that goes on while the machine is suspended (CLOCK_BOOTTIME); the monotonic one stands still.</summary>
public static partial class BootClock
{
    private const int BootTime = 7;

    /// <summary>Time since the machine started, suspends included.</summary>
    public static TimeSpan Now
    {
        get
        {
            _ = clock_gettime(BootTime, out var time); // cannot fail since Linux 2.6.39
            return TimeSpan.FromTicks(time.Seconds * TimeSpan.TicksPerSecond + time.Nanoseconds / 100);
        }
    }

    [LibraryImport("libc")]
    private static partial int clock_gettime(int clock, out TimeSpecification time);

    private struct TimeSpecification
    {
        public long Seconds, Nanoseconds;
    }
}

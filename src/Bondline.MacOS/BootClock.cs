using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Bondline.MacOS;

/// <summary>Time since macOS started, sleep included: its CLOCK_MONOTONIC, which unlike Linux's runs on in sleep.</summary>
[SupportedOSPlatform("macos")]
public static partial class BootClock
{
    private const int Monotonic = 6;

    public static TimeSpan Now => TimeSpan.FromMicroseconds(clock_gettime_nsec_np(Monotonic) / 1000.0);

    [LibraryImport("libSystem"), SuppressGCTransition]
    private static partial ulong clock_gettime_nsec_np(int clock);
}

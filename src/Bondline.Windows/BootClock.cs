using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Bondline.Windows;

/// <summary>Time since Windows started, sleep and hibernation included.</summary>
[SupportedOSPlatform("windows")]
public static partial class BootClock
{
    public static TimeSpan Now => TimeSpan.FromMilliseconds(GetTickCount64());

    [LibraryImport("kernel32"), SuppressGCTransition]
    private static partial ulong GetTickCount64();
}

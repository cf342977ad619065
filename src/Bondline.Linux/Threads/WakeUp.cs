using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Bondline.Linux;

/// <summary>Wakes a thread that waits in <see cref="PreciseThread.WaitReadable"/> (an eventfd). Any thread may call <see cref="Set"/>.</summary>
public sealed partial class WakeUp : IDisposable
{
    private readonly SafeFileHandle _handle;

    public WakeUp()
    {
        Descriptor = eventfd(0, 0x80800); // EFD_NONBLOCK | EFD_CLOEXEC
        if (Descriptor < 0) throw new Win32Exception(Marshal.GetLastPInvokeError(), "Cannot make an eventfd.");
        _handle = new(Descriptor, ownsHandle: true);
    }

    public int Descriptor { get; }

    public void Set()
    {
        ulong one = 1;
        write(_handle, ref one, sizeof(ulong));
    }

    /// <summary>Makes the descriptor unreadable again; whatever was set before counts as seen.</summary>
    public void Clear()
    {
        ulong count = 0;
        read(_handle, ref count, sizeof(ulong));
    }

    public void Dispose() => _handle.Dispose();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc")]
    private static partial nint write(SafeFileHandle handle, ref ulong value, nuint length);

    [LibraryImport("libc")]
    private static partial nint read(SafeFileHandle handle, ref ulong value, nuint length);
}

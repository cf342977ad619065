using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Bondline.Linux;

/// <summary>Why no filter could be set.</summary>
public enum SeccompRefusal
{
    None,

    /// <summary>Its machine code is not one whose calls we know.</summary>
    OtherMachine,

    /// <summary>The kernel is older than Linux 5.14, or built without.</summary>
    NotSupported,

    /// <summary>Another program watches this process's calls already; there can be one.</summary>
    Taken,

    /// <summary>A sandbox forbids it.</summary>
    Forbidden,
}

/// <summary>seccomp(2) and what belongs to it.</summary>
internal static unsafe partial class SeccompCall
{
    private const uint SetModeFilter = 1, GetSizes = 3; // SECCOMP_SET_MODE_FILTER, SECCOMP_GET_NOTIF_SIZES
    private const uint AllowSpeculation = 1 << 2, NewListener = 1 << 3, WaitKillable = 1 << 5; // SECCOMP_FILTER_FLAG_SPEC_ALLOW, ..._NEW_LISTENER, ..._WAIT_KILLABLE_RECV
    private const int SetNoNewPrivileges = 38, GetNoNewPrivileges = 39;
    private const int NotPermitted = 1, NoAccess = 13, Busy = 16, Invalid = 22, NotThere = 38; // EPERM, EACCES, EBUSY, EINVAL, ENOSYS
    private const int DuplicateAbove = 1030, FirstOwn = 10; // F_DUPFD_CLOEXEC

    private static readonly nint Number = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 277 : 317;

    /// <summary>The calling thread runs programs without the rights that their files would give them (PR_GET_NO_NEW_PRIVS).</summary>
    public static bool HasNoNewPrivileges => prctl(GetNoNewPrivileges, 0, 0, 0, 0) == 1;

    /// <summary>The bytes the kernel writes for a notification.</summary>
    public static int NotificationLength()
    {
        ushort* sizes = stackalloc ushort[3];
        return syscall(Number, GetSizes, 0, sizes) == 0 ? sizes[0] : 0;
    }

    /// <summary>Puts the calling thread, for good, and what it starts behind a filter.</summary>
    /// <returns>The listener; null if <paramref name="refusal"/> says why not.</returns>
    /// <remarks>Where the thread has no CAP_SYS_ADMIN it must give up gaining rights by what it starts, also for good.</remarks>
    public static SafeFileHandle? TryFilter(ReadOnlySpan<byte> filter, out SeccompRefusal refusal)
    {
        refusal = SeccompRefusal.None;
        fixed (byte* instructions = filter)
        {
            var program = new Program { Count = (ushort)(filter.Length / BpfInstruction.Length), Instructions = instructions };
            var descriptor = Filter(&program);
            if (descriptor == -NoAccess && prctl(SetNoNewPrivileges, 1, 0, 0, 0) == 0) descriptor = Filter(&program);
            if (descriptor >= 0) return OutOfTheWay(descriptor);
            refusal = -descriptor switch
            {
                Invalid or NotThere => SeccompRefusal.NotSupported,
                Busy => SeccompRefusal.Taken,
                _ => SeccompRefusal.Forbidden,
            };
            return null;
        }
    }

    // A call that has been received should not be cut short by a signal, as socket(2) never is (Go sends its threads signals all the time): Linux 5.19.
    // Kernels before Linux 5.16 would slow down whatever has a filter, as if it were hostile code in a sandbox.
    private static int Filter(Program* program)
    {
        var descriptor = syscall(Number, SetModeFilter, AllowSpeculation | NewListener | WaitKillable, program);
        if (descriptor < 0 && Marshal.GetLastPInvokeError() == Invalid) descriptor = syscall(Number, SetModeFilter, AllowSpeculation | NewListener, program);
        return descriptor < 0 ? -Marshal.GetLastPInvokeError() : (int)descriptor;
    }

    // 0, 1 or 2 may be free, and mean something to whatever is started.
    private static SafeFileHandle OutOfTheWay(int descriptor)
    {
        var handle = new SafeFileHandle(descriptor, ownsHandle: true);
        if (descriptor >= FirstOwn || fcntl(handle, DuplicateAbove, FirstOwn) is not (>= 0 and var higher)) return handle;
        handle.Dispose();
        return new(higher, ownsHandle: true);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Program
    {
        public ushort Count;
        public byte* Instructions;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(nint number, nuint operation, nuint flags, void* argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int prctl(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(SafeFileHandle descriptor, int command, nint argument);
}

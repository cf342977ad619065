using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Bondline.Linux;

/// <summary>The end of a seccomp filter at which its calls arrive and are answered. One thread at a time.</summary>
/// <remarks>
/// seccomp_unotify(2). It is hung up once no thread has the filter any more. When its last descriptor is closed before that, calls the filter puts
/// before it fail with ENOSYS.
/// </remarks>
public sealed unsafe partial class NotificationListener : IDisposable
{
    private const uint Receive = 0xC050_2100, Send = 0xC018_2101, Inject = 0x4018_2103, SetFlags = 0x4008_2104; // SECCOMP_IOCTL_NOTIF_*
    private const nint WakeUpHere = 1; // SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
    private const int Interrupted = 4, NoEntry = 2; // EINTR, ENOENT

    private readonly SafeFileHandle _handle;
    private readonly byte[] _notification;

    /// <param name="handle">The listener's descriptor, which is disposed with this.</param>
    public NotificationListener(SafeFileHandle handle)
    {
        ArgumentNullException.ThrowIfNull(handle);
        _handle = handle;
        _notification = new byte[Math.Max(SeccompCall.NotificationLength(), SocketRequest.Length)];
        ioctl(_handle, SetFlags, (void*)WakeUpHere); // by value; Linux 6.6, without it answers come a little later
    }

    public int Descriptor => (int)_handle.DangerousGetHandle();

    /// <summary>This kernel gives a descriptor and the answer in one step (Linux 5.14).</summary>
    public bool CanInject
    {
        get
        {
            // No notification has the id 0: a kernel that knows the order looks for it, an older one refuses the flag before.
            Span<byte> order = stackalloc byte[SocketRequest.InjectionLength];
            new SocketRequest(0, 0, 0, 0).WriteInjection(order, Descriptor);
            return TryOrder(Inject, order) == NoEntry;
        }
    }

    /// <summary>Takes a call that waits; without one it blocks.</summary>
    /// <returns>False if the one that was waiting is gone (a signal, or its process ended).</returns>
    public bool TryReceive(out SocketRequest request)
    {
        Array.Clear(_notification); // or the kernel refuses
        request = default;
        return TryOrder(Receive, _notification) == 0 && SocketRequest.TryRead(_notification, out request);
    }

    /// <summary>Answers with a copy of a descriptor of ours.</summary>
    /// <returns>0, ENOENT if the caller is gone, else why it still waits.</returns>
    public int TryInject(SocketRequest request, int descriptor)
    {
        Span<byte> order = stackalloc byte[SocketRequest.InjectionLength];
        request.WriteInjection(order, descriptor);
        return TryOrder(Inject, order);
    }

    /// <summary>Lets the call be made as if nobody had asked.</summary>
    /// <returns>False if the caller is gone.</returns>
    public bool TryLetPass(SocketRequest request)
    {
        Span<byte> answer = stackalloc byte[SocketRequest.PlainLength];
        request.WritePlain(answer);
        return TryOrder(Send, answer) == 0;
    }

    public void Dispose() => _handle.Dispose();

    private int TryOrder(uint order, Span<byte> bytes)
    {
        fixed (byte* first = bytes)
        {
            while (ioctl(_handle, order, first) < 0)
                if (Marshal.GetLastPInvokeError() is not Interrupted and var error) return error;
        }
        return 0;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(SafeFileHandle descriptor, nuint request, void* argument);
}

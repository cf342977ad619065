using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>A thread that waits in <c>socket(2)</c> for an answer: a seccomp user notification (linux/seccomp.h, struct seccomp_notif).</summary>
/// <param name="Id">Names the notification; no other has had it.</param>
/// <param name="ThreadId">Who asks, as this process's process namespace numbers threads; 0 if it cannot be seen from here.</param>
/// <param name="Family">AF_INET or AF_INET6.</param>
/// <param name="Type">SOCK_STREAM with the flags it asked for.</param>
//  | id (8) | thread (4) | flags (4) | system call (4) | architecture (4) | instruction pointer (8) | six arguments (8 each) |   host byte order
public readonly record struct SocketRequest(ulong Id, int ThreadId, int Family, int Type)
{
    public const int Length = 8 + 4 + 4 + 4 + 4 + 8 + 6 * 8;

    /// <summary>The answer that the call be made as if nobody had asked: struct seccomp_notif_resp.</summary>
    public const int PlainLength = 8 + 8 + 4 + 4;

    /// <summary>The order to put a descriptor into the asking process and return its number there: struct seccomp_notif_addfd.</summary>
    public const int InjectionLength = 8 + 4 + 4 + 4 + 4;

    /// <summary>SECCOMP_ADDFD_FLAG_SEND (Linux 5.14): the descriptor's number is the answer, in one step that no signal can divide.</summary>
    private const uint SendAtOnce = 2;

    private const uint ContinueFlag = 1; // SECCOMP_USER_NOTIF_FLAG_CONTINUE
    private const int CloseOnExec = 0x80000, FamilyOffset = 32, TypeOffset = 40;

    /// <summary>Reads what the kernel gave; what a newer one adds behind is not looked at.</summary>
    /// <returns>False if it is cut short.</returns>
    public static bool TryRead(ReadOnlySpan<byte> notification, out SocketRequest request)
    {
        request = default;
        if (notification.Length < Length) return false;
        request = new(
            MemoryMarshal.Read<ulong>(notification), MemoryMarshal.Read<int>(notification[8..]),
            MemoryMarshal.Read<int>(notification[FamilyOffset..]), MemoryMarshal.Read<int>(notification[TypeOffset..]));
        return true;
    }

    //  | id (8) | value (8) | error (4) | flags (4) |
    public void WritePlain(Span<byte> destination)
    {
        destination[..PlainLength].Clear();
        MemoryMarshal.Write(destination, Id);
        MemoryMarshal.Write(destination[20..], ContinueFlag);
    }

    //  | id (8) | flags (4) | descriptor here (4) | descriptor there, 0: the lowest that is free (4) | its flags (4) |
    public void WriteInjection(Span<byte> destination, int descriptor)
    {
        destination[..InjectionLength].Clear();
        MemoryMarshal.Write(destination, Id);
        MemoryMarshal.Write(destination[8..], SendAtOnce);
        MemoryMarshal.Write(destination[12..], descriptor);
        MemoryMarshal.Write(destination[20..], Type & CloseOnExec);
    }
}

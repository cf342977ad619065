using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>A socket of the rtnetlink family, in the network namespace of the thread that opened it. It needs no rights.</summary>
internal static partial class NetlinkSocket
{
    private const int Family = 16, Raw = 3, CloseOnExec = 0x80000, NoGroups = 0;

    /// <summary>Links, IPv4 and IPv6 addresses and routes: RTMGRP_*.</summary>
    public const uint AllGroups = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

    /// <param name="groups">Events to receive; 0 for answers only.</param>
    /// <exception cref="Win32Exception">The kernel has no rtnetlink for us (a sandbox).</exception>
    public static Socket Open(uint groups)
    {
        var descriptor = socket(Family, Raw | CloseOnExec, 0);
        if (descriptor < 0) throw new Win32Exception(Marshal.GetLastPInvokeError(), "open an rtnetlink socket: " + Marshal.GetLastPInvokeErrorMessage());
        var handle = new SafeSocketHandle(descriptor, ownsHandle: true);
        Span<byte> address = stackalloc byte[12]; // sockaddr_nl: family, padding, port id 0 (the kernel chooses), groups
        address.Clear();
        MemoryMarshal.Write(address, (ushort)Family);
        MemoryMarshal.Write(address[8..], groups);
        if (groups != NoGroups && bind(descriptor, address, address.Length) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            handle.Dispose();
            throw new Win32Exception(error, "listen to rtnetlink: " + Marshal.GetPInvokeErrorMessage(error));
        }

        return new Socket(handle);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(int descriptor, ReadOnlySpan<byte> address, int length);
}

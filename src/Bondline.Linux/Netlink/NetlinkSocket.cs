using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>Which part of the kernel a netlink socket talks to (NETLINK_*, linux/netlink.h).</summary>
internal enum NetlinkProtocol
{
    /// <summary>rtnetlink: links, addresses, routes.</summary>
    Route = 0,

    /// <summary>sock_diag: the machine's sockets.</summary>
    SocketDiagnostics = 4,

    /// <summary>Generic netlink: families with names, such as <c>mptcp_pm</c>.</summary>
    Generic = 16,
}

/// <summary>Sockets of the netlink family, in the network namespace of the thread that opens them. Opening needs no rights.</summary>
internal static partial class NetlinkSocket
{
    private const int Family = 16, Raw = 3, CloseOnExec = 0x80000, NoGroups = 0;
    private const int SolSocket = 1, ReceiveBufferForce = 33;
    private const int SolNetlink = 270, AddMembership = 1, CapAcknowledgement = 10, ExtendedAcknowledgement = 11;

    /// <summary>Links, IPv4 and IPv6 addresses and routes: RTMGRP_*.</summary>
    public const uint InterfaceGroups = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

    /// <param name="protocol">Whom to talk to.</param>
    /// <param name="groups">Events of rtnetlink to receive; 0 for answers only.</param>
    /// <exception cref="Win32Exception">The kernel does not have the protocol, or not for us (a sandbox).</exception>
    public static Socket Open(NetlinkProtocol protocol, uint groups = NoGroups)
    {
        var descriptor = socket(Family, Raw | CloseOnExec, (int)protocol);
        if (descriptor < 0) throw new Win32Exception(Marshal.GetLastPInvokeError(), $"open a netlink socket ({protocol}): " + Marshal.GetLastPInvokeErrorMessage());
        var handle = new SafeSocketHandle(descriptor, ownsHandle: true);
        // The kernel's reason for a refusal in words, and our request not sent back with it; kernels before 4.12 have neither.
        Set(descriptor, ExtendedAcknowledgement, 1);
        Set(descriptor, CapAcknowledgement, 1);
        Span<byte> address = stackalloc byte[12]; // sockaddr_nl: family, padding, port id 0 (the kernel chooses), groups
        address.Clear();
        MemoryMarshal.Write(address, (ushort)Family);
        MemoryMarshal.Write(address[8..], groups);
        // Without a port id of its own a socket gets no events: the kernel takes it for their sender.
        if (bind(descriptor, address, address.Length) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            handle.Dispose();
            throw new Win32Exception(error, $"bind a netlink socket ({protocol}): " + Marshal.GetPInvokeErrorMessage(error));
        }

        return new Socket(handle);
    }

    /// <summary>Receive also the events of one group, which may need a right.</summary>
    /// <returns>0, or the errno.</returns>
    public static int Join(Socket socket, int group) => Set((int)socket.Handle, AddMembership, group) == 0 ? 0 : Marshal.GetLastPInvokeError();

    /// <summary>Room for events that come faster than they are read; beyond the system's limit (net.core.rmem_max) with CAP_NET_ADMIN only.</summary>
    public static void SetReceiveBuffer(Socket socket, int bytes)
    {
        if (setsockopt((int)socket.Handle, SolSocket, ReceiveBufferForce, in bytes, sizeof(int)) != 0) socket.ReceiveBufferSize = bytes;
    }

    private static int Set(int descriptor, int option, int value) => setsockopt(descriptor, SolNetlink, option, in value, sizeof(int));

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(int descriptor, ReadOnlySpan<byte> address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsockopt(int descriptor, int level, int option, in int value, int length);
}

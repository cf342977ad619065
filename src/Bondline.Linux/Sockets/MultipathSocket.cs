using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>TCP sockets that the kernel may spread over several paths: Multipath TCP, RFC 8684. They need no rights.</summary>
/// <remarks>.NET refuses the protocol's number, so the descriptor is made here, with what .NET gives its own; everything else about the socket is .NET's.</remarks>
public static partial class MultipathSocket
{
    private const int InternetFamily = 2, InternetFamily6 = 10, StreamType = 1, CloseOnExec = 0x80000;
    private const int Protocol = 262, SolMultipath = 284, Tcp = 6;
    private const int SolSocket = 1, ReuseAddress = 2;
    private const int NoSignal = 0x4000, DoNotWait = 0x40;
    private const int IsMultipathOption = 43, SubflowInfoOption = 2, SubflowAddressesOption = 3;
    private const int SubflowHeaderLength = 16, AddressLength = 128;
    private const int MaxSubflows = 1 + MultipathLimits.Max; // the limit is of those beside the first one
    private const int StateLength = 8; // of struct tcp_info, which begins with tcpi_state; the kernel copies no more than is asked for
    private const byte Established = 1;

    /// <summary>A new socket; it serves plain TCP peers too. What a listener accepts from one is a TCP socket in all respects.</summary>
    /// <param name="family">IPv4, or IPv6 alone until it is made dual.</param>
    /// <returns>Null where the kernel has no MPTCP, it is switched off (<c>net.mptcp.enabled</c>), or a sandbox forbids it.</returns>
    public static Socket? TryCreate(AddressFamily family)
    {
        var descriptor = socket(family == AddressFamily.InterNetwork ? InternetFamily : InternetFamily6, StreamType | CloseOnExec, Protocol);
        if (descriptor < 0) return null;
        var made = new Socket(new SafeSocketHandle(descriptor, ownsHandle: true));
        try
        {
            // Both are .NET's habit with its own sockets: the one when it binds TCP, so that a port is free again at once, the other when it makes one of IPv6.
            // Its ReuseAddress would set SO_REUSEPORT too, and two programs could have one port.
            made.SetRawSocketOption(SolSocket, ReuseAddress, MemoryMarshal.AsBytes<int>([1]));
            if (family == AddressFamily.InterNetworkV6) made.DualMode = false;
            return made;
        }
        catch (SocketException)
        {
            made.Dispose(); // half a socket is worse than a plain one
            return null;
        }
    }

    /// <summary>TCP_IS_MPTCP: the connection speaks MPTCP now. False after a fallback to TCP, for a plain socket and for a closed one.</summary>
    public static bool IsMultipath(Socket socket)
    {
        Span<byte> value = stackalloc byte[sizeof(int)];
        return TryGet(socket, Tcp, IsMultipathOption, value, out var length) && length == sizeof(int) && MemoryMarshal.Read<int>(value) == 1;
    }

    /// <summary>MPTCP_SUBFLOW_ADDRS and MPTCP_TCPINFO (Linux 5.16): both ends of each subflow of the connection that stands now.</summary>
    /// <returns>Empty if it has fallen back, is closed, or the kernel does not say.</returns>
    public static IReadOnlyList<(IPEndPoint Local, IPEndPoint Remote)> Subflows(Socket socket)
    {
        Span<byte> addresses = stackalloc byte[SubflowHeaderLength + MaxSubflows * 2 * AddressLength];
        Span<byte> states = stackalloc byte[SubflowHeaderLength + MaxSubflows * StateLength];
        if (!TryGetOfSubflows(socket, SubflowAddressesOption, addresses, 2 * AddressLength, out var length)) return [];
        var subflows = ReadSubflows(addresses[..length]);
        // Those that are being opened or closed are listed too. Both lists have one order, but may be a change apart.
        if (!TryGetOfSubflows(socket, SubflowInfoOption, states, StateLength, out length) || MemoryMarshal.Read<uint>(states[4..]) != subflows.Count) return subflows;
        List<(IPEndPoint, IPEndPoint)> standing = [];
        for (var i = 0; i < subflows.Count && SubflowHeaderLength + i * StateLength < length; i++)
            if (states[SubflowHeaderLength + i * StateLength] == Established) standing.Add(subflows[i]);
        return standing;
    }

    /// <summary>Resets the connection (MP_FASTCLOSE, RFC 8684 section 3.5): the peer sees a reset, whatever subflows there are. Then close the socket.</summary>
    /// <remarks>SO_LINGER does not do it: most kernels so far (6.17 was seen to) close an MPTCP connection in peace all the same, and what had come looks complete. Fast since Linux 5.17.</remarks>
    public static void Reset(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        Span<byte> unspecified = stackalloc byte[16]; // AF_UNSPEC is 0: connect(2) dissolves the association
        unspecified.Clear();
        try
        {
            _ = connect(socket.SafeHandle, unspecified, unspecified.Length); // it fails where there is nothing left to reset
        }
        catch (ObjectDisposedException)
        {
            // closed already
        }
    }

    /// <summary>Nothing can be sent any more: this end was shut down, or the connection is over.</summary>
    public static bool HasEndedSending(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        try
        {
            // Not even nothing. The kernel itself is asked: .NET would queue it behind a write that waits.
            return send(socket.SafeHandle, [], 0, NoSignal | DoNotWait) < 0;
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
    }

    /// <summary>Reads what MPTCP_SUBFLOW_ADDRS gave: a header of 16 bytes, then a local and a remote <c>sockaddr_storage</c> for each subflow.</summary>
    /// <remarks>linux/mptcp.h, struct mptcp_subflow_data and struct mptcp_subflow_addrs; what is cut short is left out.</remarks>
    public static IReadOnlyList<(IPEndPoint Local, IPEndPoint Remote)> ReadSubflows(ReadOnlySpan<byte> answer)
    {
        var subflows = new List<(IPEndPoint, IPEndPoint)>();
        if (answer.Length < SubflowHeaderLength) return subflows;
        var count = MemoryMarshal.Read<uint>(answer[4..]);
        for (answer = answer[SubflowHeaderLength..]; count > 0 && answer.Length >= 2 * AddressLength; count--, answer = answer[(2 * AddressLength)..])
            if (ReadAddress(answer) is { } local && ReadAddress(answer[AddressLength..]) is { } remote)
                subflows.Add((local, remote));
        return subflows;
    }

    //  | family (2, host order) | port (2, network order) | IPv4: address (4) | or IPv6: flow (4) | address (16) | scope (4) |
    private static IPEndPoint? ReadAddress(ReadOnlySpan<byte> address)
    {
        var port = (address[2] << 8) | address[3];
        return MemoryMarshal.Read<ushort>(address) switch
        {
            InternetFamily => new(new IPAddress(address.Slice(4, 4)), port),
            InternetFamily6 => new(new IPAddress(address.Slice(8, 16), MemoryMarshal.Read<uint>(address[24..])), port),
            _ => null,
        };
    }

    //  | size of this header (4) | subflows (4) | what the kernel has of each (4) | what is wanted of each (4) | then so much for each
    private static bool TryGetOfSubflows(Socket socket, int option, Span<byte> buffer, int lengthOfEach, out int length)
    {
        buffer.Clear();
        MemoryMarshal.Write(buffer, SubflowHeaderLength);
        MemoryMarshal.Write(buffer[12..], lengthOfEach);
        return TryGet(socket, SolMultipath, option, buffer, out length);
    }

    private static bool TryGet(Socket socket, int level, int option, Span<byte> value, out int length)
    {
        ArgumentNullException.ThrowIfNull(socket);
        try
        {
            length = socket.GetRawSocketOption(level, option, value);
            return true;
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            length = 0; // an older kernel, a plain TCP socket, or closed meanwhile
            return false;
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int connect(SafeSocketHandle socket, ReadOnlySpan<byte> address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint send(SafeSocketHandle socket, ReadOnlySpan<byte> bytes, nint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int family, int type, int protocol);
}

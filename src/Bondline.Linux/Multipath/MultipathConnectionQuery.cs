namespace Bondline.Linux;

/// <summary>Asks sock_diag for the MPTCP connections of the calling thread's network namespace, as <c>ss -M</c> does. It needs no rights.</summary>
public static class MultipathConnectionQuery
{
    private static readonly byte[] Families = [AddressFamilies.IPv4, AddressFamilies.IPv6];

    /// <param name="localPort">Only those that began at this port; 0 for all.</param>
    /// <returns>Every connection, those that fell back to TCP included; not those of a server that began with plain TCP, which the kernel does not tell from others.</returns>
    /// <exception cref="MultipathException">This kernel shows no MPTCP sockets (before Linux 5.9), or sock_diag cannot be used here.</exception>
    public static IReadOnlyList<MultipathConnection> Read(int localPort = 0) => MultipathPathManager.Guard("list MPTCP connections", () =>
    {
        using var exchange = new NetlinkExchange(NetlinkProtocol.SocketDiagnostics);
        var multipath = Ask(exchange, SocketQuery.Multipath, localPort, isKept: null)
            ?? throw new MultipathException(new MultipathSettings().Exist ? MultipathFailure.CommandUnknown : MultipathFailure.NotSupported, "this kernel does not show MPTCP sockets (sock_diag)");
        if (multipath.Count == 0) return [];
        // A server may have many sockets that are no subflows.
        var inodes = multipath.Select(socket => socket.Inode).ToHashSet();
        var tcp = Ask(exchange, SocketQuery.Tcp, localPort: 0, payload => InetSocket.Read(payload, isMultipath: false) is { } socket && (socket.IsSubflow || inodes.Contains(socket.Inode)));
        return MultipathConnection.Join(multipath, tcp ?? []);
    });

    // Null if there is no such protocol in any family; one family alone may be switched off.
    private static List<InetSocket>? Ask(NetlinkExchange exchange, int protocol, int localPort, NetlinkFilter? isKept)
    {
        List<InetSocket>? sockets = null;
        foreach (var family in Families)
        {
            var answer = exchange.Ask((buffer, sequence) => SocketQuery.Write(buffer, sequence, family, protocol, localPort), isKept);
            if (!answer.Error.IsSuccess) continue;
            sockets ??= [];
            sockets.AddRange(answer.Messages.Select(message => InetSocket.Read(message.Payload, protocol == SocketQuery.Multipath)).OfType<InetSocket>());
        }

        return sockets;
    }
}

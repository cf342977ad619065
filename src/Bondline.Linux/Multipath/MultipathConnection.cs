namespace Bondline.Linux;

/// <summary>Why a connection is plain TCP although its socket could speak MPTCP, as far as the kernel lets it be known.</summary>
public enum MultipathFallback
{
    /// <summary>It speaks MPTCP, or its handshake is not over.</summary>
    None,

    /// <summary>The peer's answer had no MPTCP option: the peer does not speak it, or something on the way took it out.</summary>
    NotAgreed,

    /// <summary>The last request went out without MPTCP: requests with it got no answer, or the kernel asks nobody for a while after that (blackhole mode), or no token could be made.</summary>
    NotAskedFor,

    /// <summary>Both ends agreed, but then data came without MPTCP's options, or changed: something on the way does not let it through.</summary>
    AfterHandshake,

    /// <summary>The kernel does not tell (before Linux 6.15 it does with CAP_NET_ADMIN).</summary>
    Unknown,
}

/// <summary>One MPTCP connection with its subflows.</summary>
/// <param name="Socket">What the program has in hand.</param>
/// <param name="Info">Of the whole connection.</param>
/// <param name="Subflows">The TCP sockets below it, the first one first; one if it has fallen back.</param>
public sealed record MultipathConnection(InetSocket Socket, MultipathInfo Info, IReadOnlyList<InetSocket> Subflows)
{
    /// <summary>Why it is plain TCP.</summary>
    public MultipathFallback Fallback
    {
        get
        {
            if (!Info.HasFallenBack) return MultipathFallback.None;
            if (Subflows is not [{ Subflow.Flags: var flags }, ..]) return MultipathFallback.Unknown;
            if (flags.HasFlag(MultipathSubflowFlags.AgreedByPeer)) return MultipathFallback.AfterHandshake;
            return flags.HasFlag(MultipathSubflowFlags.AskedFor) ? MultipathFallback.NotAgreed : MultipathFallback.NotAskedFor;
        }
    }

    /// <summary>Puts subflows to their connections by token; by inode where the kernel shows no tokens.</summary>
    /// <param name="multipath">MPTCP sockets.</param>
    /// <param name="tcp">TCP sockets; those of no connection are left out.</param>
    public static IReadOnlyList<MultipathConnection> Join(IEnumerable<InetSocket> multipath, IEnumerable<InetSocket> tcp)
    {
        var byToken = new Dictionary<uint, List<InetSocket>>();
        var byInode = new Dictionary<uint, List<InetSocket>>();
        foreach (var socket in tcp)
        {
            if (socket.Subflow is { LocalToken: not 0 } subflow) Add(byToken, subflow.LocalToken, socket);
            else if (socket is { Subflow: null, Inode: not 0 }) Add(byInode, socket.Inode, socket);
        }

        return
        [
            .. from socket in multipath
               where socket.Multipath is not null
               let info = socket.Multipath.GetValueOrDefault()
               let subflows = byToken.GetValueOrDefault(info.Token) ?? (socket.Inode == 0 ? null : byInode.GetValueOrDefault(socket.Inode)) ?? []
               orderby socket.Local.ToString(), socket.Remote.ToString(), info.Token
               select new MultipathConnection(socket, info, [.. subflows.OrderBy(subflow => IsFirst(socket, subflow) ? 0 : 1).ThenBy(subflow => subflow.Subflow?.LocalId).ThenBy(subflow => subflow.Subflow?.RemoteId)]),
        ];

        static void Add(Dictionary<uint, List<InetSocket>> lists, uint key, InetSocket socket)
        {
            if (!lists.TryGetValue(key, out var list)) lists[key] = list = [];
            list.Add(socket);
        }
    }

    private static bool IsFirst(InetSocket connection, InetSocket subflow) => subflow.Local.Equals(connection.Local) && subflow.Remote.Equals(connection.Remote);
}

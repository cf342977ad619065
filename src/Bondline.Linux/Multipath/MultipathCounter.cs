namespace Bondline.Linux;

/// <summary>What a counter is about.</summary>
public enum MultipathCounterGroup
{
    /// <summary>Whole connections: how they began.</summary>
    Connections,

    /// <summary>Connections that became, or stayed, plain TCP.</summary>
    Fallback,

    /// <summary>Further subflows.</summary>
    Joins,

    /// <summary>What the ends told each other of their addresses.</summary>
    Addresses,

    /// <summary>Subflows that stopped, were given up, or changed their part.</summary>
    Subflows,

    /// <summary>Data: sent again, out of order, twice.</summary>
    Data,
}

/// <summary>One of the kernel's counters of MPTCP (net/mptcp/mib.h) in plain words.</summary>
/// <param name="Name">The kernel's name in /proc/net/netstat.</param>
/// <param name="Group">What it is about.</param>
/// <param name="Meaning">What one more of it means; a sentence without its full stop.</param>
public sealed record MultipathCounter(string Name, MultipathCounterGroup Group, string Meaning)
{
    /// <summary>More of it means that multipath works worse than it could, or not at all.</summary>
    public bool IsTrouble { get; private init; }

    /// <summary>It goes up and down: how many there are now.</summary>
    public bool IsLevel { get; private init; }

    /// <summary>Every counter that helps to tell how MPTCP does, in the order to show them. Kernels lack some: the newest here came with Linux 6.17.</summary>
    public static IReadOnlyList<MultipathCounter> All { get; } =
    [
        new("MPCurrEstab", MultipathCounterGroup.Connections, "connections that speak MPTCP now") { IsLevel = true },
        new("MPCapableSYNTX", MultipathCounterGroup.Connections, "this machine asked a peer for MPTCP"),
        new("MPCapableSYNACKRX", MultipathCounterGroup.Connections, "a peer agreed to MPTCP"),
        new("MPCapableSYNRX", MultipathCounterGroup.Connections, "a peer asked this machine for MPTCP"),
        new("MPCapableACKRX", MultipathCounterGroup.Connections, "a peer's connection began with MPTCP"),
        new("MPFastcloseTx", MultipathCounterGroup.Connections, "this machine ended a whole connection at once"),
        new("MPFastcloseRx", MultipathCounterGroup.Connections, "a peer ended a whole connection at once"),

        Trouble("MPCapableFallbackSYNACK", MultipathCounterGroup.Fallback, "the peer's answer had no MPTCP option: it does not speak it, or something on the way took the option out"),
        Trouble("MPCapableFallbackACK", MultipathCounterGroup.Fallback, "a peer that had asked for MPTCP went on without: something on the way took the option out"),
        Trouble("MPCapableSYNTXDrop", MultipathCounterGroup.Fallback, "no answer to requests with the MPTCP option, so the next one went out without"),
        Trouble("MPCapableSYNTXDisabled", MultipathCounterGroup.Fallback, "MPTCP was not asked for, because of a blackhole found before (net.mptcp.blackhole_timeout)"),
        Trouble("Blackhole", MultipathCounterGroup.Fallback, "requests with the MPTCP option vanished while one without it passed: MPTCP was switched off for a while"),
        Trouble("MPCapableDataFallback", MultipathCounterGroup.Fallback, "the first data came without MPTCP's option"),
        Trouble("DssFallback", MultipathCounterGroup.Fallback, "data came with a wrong or no description of its place"),
        Trouble("DSSCorruptionFallback", MultipathCounterGroup.Fallback, "data was changed on the way; plain TCP went on"),
        Trouble("InfiniteMapTx", MultipathCounterGroup.Fallback, "this machine told a peer that plain TCP goes on"),
        Trouble("InfiniteMapRx", MultipathCounterGroup.Fallback, "a peer told that plain TCP goes on"),
        Trouble("MPFailTx", MultipathCounterGroup.Fallback, "this machine told a peer that data had been changed on the way"),
        Trouble("MPFailRx", MultipathCounterGroup.Fallback, "a peer told that data had been changed on the way"),
        Trouble("MPFallbackTokenInit", MultipathCounterGroup.Fallback, "no token could be made for a connection"),
        Trouble("MD5SigFallback", MultipathCounterGroup.Fallback, "the socket signs its segments (TCP MD5), which leaves no room for MPTCP"),
        Trouble("SimultConnectFallback", MultipathCounterGroup.Fallback, "both ends called each other at the same moment"),
        Trouble("MPCapableEndpAttempt", MultipathCounterGroup.Fallback, "a peer tried to open a connection at a port that only takes further subflows"),
        Trouble("FallbackFailed", MultipathCounterGroup.Fallback, "plain TCP could not go on where it had to, so the connection was reset"),

        new("MPJoinSynTx", MultipathCounterGroup.Joins, "this machine tried to open a further subflow"),
        new("MPJoinSynAckRx", MultipathCounterGroup.Joins, "a peer took a further subflow"),
        new("MPJoinSynRx", MultipathCounterGroup.Joins, "a peer tried to open a further subflow"),
        new("MPJoinAckRx", MultipathCounterGroup.Joins, "a peer's further subflow was opened"),
        new("MPJoinSynBackupRx", MultipathCounterGroup.Joins, "a peer asked for a further subflow as backup"),
        new("MPJoinSynAckBackupRx", MultipathCounterGroup.Joins, "a peer took a further subflow as backup"),
        Trouble("MPJoinNoTokenFound", MultipathCounterGroup.Joins, "a subflow was offered for a connection this machine does not know: it ended, or a load balancer sent it to the wrong machine"),
        Trouble("MPJoinRejected", MultipathCounterGroup.Joins, "a peer's further subflow was refused, most often by the limit (ip mptcp limits)"),
        Trouble("MPJoinSynAckHMacFailure", MultipathCounterGroup.Joins, "a peer's answer to a further subflow had a wrong signature: another machine answered, or an attack"),
        Trouble("MPJoinAckHMacFailure", MultipathCounterGroup.Joins, "a further subflow had a wrong signature: another machine, or an attack"),
        Trouble("MPJoinSynTxCreatSkErr", MultipathCounterGroup.Joins, "no socket could be made for a further subflow"),
        Trouble("MPJoinSynTxBindErr", MultipathCounterGroup.Joins, "a further subflow could not start from its endpoint's address or interface: they are gone or do not belong together"),
        Trouble("MPJoinSynTxConnectErr", MultipathCounterGroup.Joins, "a further subflow had no way to the peer: its interface has no route"),
        Trouble("MismatchPortSynRx", MultipathCounterGroup.Joins, "a further subflow came to a port that was not announced for it"),
        Trouble("MismatchPortAckRx", MultipathCounterGroup.Joins, "a further subflow went on at a port that was not announced for it"),

        new("AddAddrTx", MultipathCounterGroup.Addresses, "this machine announced an address"),
        new("EchoAdd", MultipathCounterGroup.Addresses, "a peer confirmed an announced address"),
        new("AddAddr", MultipathCounterGroup.Addresses, "a peer announced an address"),
        new("EchoAddTx", MultipathCounterGroup.Addresses, "this machine confirmed a peer's address"),
        new("RmAddrTx", MultipathCounterGroup.Addresses, "this machine took an address back"),
        new("RmAddr", MultipathCounterGroup.Addresses, "a peer took an address back"),
        Trouble("AddAddrTxDrop", MultipathCounterGroup.Addresses, "an announcement did not fit into its packet"),
        Trouble("AddAddrDrop", MultipathCounterGroup.Addresses, "a peer's announcement was not used, most often by the limit (ip mptcp limits)"),
        Trouble("RmAddrTxDrop", MultipathCounterGroup.Addresses, "the taking back of an address did not fit into its packet"),
        Trouble("RmAddrDrop", MultipathCounterGroup.Addresses, "a peer's taking back of an address was not used"),

        Trouble("SubflowStale", MultipathCounterGroup.Subflows, "a subflow got nothing through for a while and is left out (net.mptcp.stale_loss_cnt)"),
        new("SubflowRecover", MultipathCounterGroup.Subflows, "a subflow that was left out works again"),
        new("RmSubflow", MultipathCounterGroup.Subflows, "a subflow was closed because its address went"),
        new("MPPrioTx", MultipathCounterGroup.Subflows, "this machine made a subflow backup, or no longer backup"),
        new("MPPrioRx", MultipathCounterGroup.Subflows, "a peer made a subflow backup, or no longer backup"),
        Trouble("MPRstTx", MultipathCounterGroup.Subflows, "this machine reset a subflow"),
        Trouble("MPRstRx", MultipathCounterGroup.Subflows, "a peer reset a subflow"),

        new("MPTCPRetrans", MultipathCounterGroup.Data, "data was sent again on another subflow"),
        new("DuplicateData", MultipathCounterGroup.Data, "data came twice"),
        new("OFOQueue", MultipathCounterGroup.Data, "data waited for data of another subflow"),
        new("OFOQueueTail", MultipathCounterGroup.Data, "of those: at the end of what waited"),
        new("OFOMerge", MultipathCounterGroup.Data, "of those: joined with a neighbour"),
        new("WinProbe", MultipathCounterGroup.Data, "a peer that had no room left was asked whether it has some now"),
        Trouble("NoDSSInWindow", MultipathCounterGroup.Data, "data came for a place beyond what was allowed"),
        Trouble("DSSNotMatching", MultipathCounterGroup.Data, "data was described differently the second time"),
        Trouble("DSSNoMatchTCP", MultipathCounterGroup.Data, "a description did not fit its data"),
        Trouble("DSSCorruptionReset", MultipathCounterGroup.Data, "data was changed on the way; its subflow was reset"),
        Trouble("DataCsumErr", MultipathCounterGroup.Data, "a checksum of data was wrong (net.mptcp.checksum_enabled)"),
        new("RcvWndShared", MultipathCounterGroup.Data, "a subflow learned from another one how much may be sent"),
        new("SndWndShared", MultipathCounterGroup.Data, "a subflow told another one how much may be sent"),
        new("RcvWndConflict", MultipathCounterGroup.Data, "subflows had different numbers of how much may be received"),
    ];

    private static readonly Dictionary<string, MultipathCounter> ByName = All.ToDictionary(counter => counter.Name, StringComparer.Ordinal);

    /// <returns>Null for a counter that is not in <see cref="All"/>.</returns>
    public static MultipathCounter? Find(string name) => ByName.GetValueOrDefault(name);

    private static MultipathCounter Trouble(string name, MultipathCounterGroup group, string meaning) => new(name, group, meaning) { IsTrouble = true };
}

namespace Bondline.Linux;

/// <summary>What a subflow is and how it began (MPTCP_SUBFLOW_FLAG_*).</summary>
[Flags]
public enum MultipathSubflowFlags
{
    None = 0,

    /// <summary>The peer agreed to MPTCP (or asked for it, if it called).</summary>
    AgreedByPeer = 1,

    /// <summary>This machine asked for MPTCP.</summary>
    AskedFor = 2,

    /// <summary>A further subflow, which the peer agreed to.</summary>
    JoinedByPeer = 4,

    /// <summary>A further subflow, which this machine opened.</summary>
    JoinAskedFor = 8,

    /// <summary>The peer wants it used only while no other one works.</summary>
    BackupOfPeer = 16,

    /// <summary>This machine wants it used only while no other one works.</summary>
    BackupOfOurs = 32,

    /// <summary>Data went over it with MPTCP: further subflows may be opened.</summary>
    FullyEstablished = 64,

    Connected = 128,

    /// <summary>The place of the data coming in is known.</summary>
    MappingValid = 256,
}

/// <summary>What MPTCP says of a TCP socket that is a subflow: INET_ULP_INFO_MPTCP of sock_diag (linux/mptcp.h, MPTCP_SUBFLOW_ATTR_*).</summary>
/// <param name="LocalToken">The connection it belongs to: <see cref="MultipathInfo.Token"/>.</param>
/// <param name="RemoteToken">The peer's name for the connection, on subflows this machine opened; else 0.</param>
/// <param name="Flags">What it is.</param>
/// <param name="LocalId">The id of the local address: 0 for the first one of the connection.</param>
/// <param name="RemoteId">The id of the peer's address.</param>
public sealed record MultipathSubflowInfo(uint LocalToken, uint RemoteToken, MultipathSubflowFlags Flags, int LocalId, int RemoteId)
{
    private const int AttributeRemoteToken = 1, AttributeLocalToken = 2, AttributeWriteSequence = 3, AttributeMapSequence = 4, AttributeMapSubflowSequence = 5,
        AttributeOffset = 6, AttributeMapLength = 7, AttributeFlags = 8, AttributeRemoteId = 9, AttributeLocalId = 10;

    /// <summary>Where the next data goes in the subflow; like all below null without CAP_NET_ADMIN.</summary>
    public uint? RelativeWriteSequence { get; init; }

    /// <summary>Where the data coming in belongs in the connection.</summary>
    public ulong? MapSequence { get; init; }

    /// <summary>Where the data coming in belongs in the subflow.</summary>
    public uint? MapSubflowSequence { get; init; }

    /// <summary>What to take from TCP's numbers to get the subflow's.</summary>
    public uint? SubflowSequenceOffset { get; init; }

    /// <summary>Bytes of the data coming in.</summary>
    public int? MapLength { get; init; }

    /// <summary>Used only while no other one works, because either end says so.</summary>
    public bool IsBackup => (Flags & (MultipathSubflowFlags.BackupOfOurs | MultipathSubflowFlags.BackupOfPeer)) != 0;

    /// <param name="attributes">Of the nested attribute.</param>
    /// <exception cref="NetlinkFormatException">One is shorter than it says.</exception>
    public static MultipathSubflowInfo Read(ReadOnlySpan<byte> attributes)
    {
        var info = new MultipathSubflowInfo(0, 0, MultipathSubflowFlags.None, 0, 0);
        while (NetlinkAttribute.TryRead(ref attributes, out var attribute))
        {
            info = attribute.Type switch
            {
                AttributeRemoteToken => info with { RemoteToken = attribute.ReadUInt32() },
                AttributeLocalToken => info with { LocalToken = attribute.ReadUInt32() },
                AttributeWriteSequence => info with { RelativeWriteSequence = attribute.ReadUInt32() },
                AttributeMapSequence => info with { MapSequence = attribute.ReadUInt64() },
                AttributeMapSubflowSequence => info with { MapSubflowSequence = attribute.ReadUInt32() },
                AttributeOffset => info with { SubflowSequenceOffset = attribute.ReadUInt32() },
                AttributeMapLength => info with { MapLength = attribute.ReadUInt16() },
                AttributeFlags => info with { Flags = (MultipathSubflowFlags)attribute.ReadUInt32() },
                AttributeRemoteId => info with { RemoteId = attribute.ReadByte() },
                AttributeLocalId => info with { LocalId = attribute.ReadByte() },
                _ => info,
            };
        }

        return info;
    }
}

using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>What the kernel knows of an MPTCP connection: <c>struct mptcp_info</c> (linux/mptcp.h).</summary>
/// <param name="Token">The connection's number on this machine, as in <see cref="MultipathSubflowInfo.LocalToken"/>.</param>
/// <param name="HasFallenBack">It is plain TCP now, and will stay so.</param>
/// <param name="Subflows">Further subflows there are, beside the first one.</param>
/// <param name="MaxSubflows">Further subflows it may have.</param>
/// <param name="AnnouncedAddresses">Addresses told to the peer.</param>
/// <param name="AcceptedAddresses">Addresses of the peer that subflows were opened to.</param>
public readonly record struct MultipathInfo(uint Token, bool HasFallenBack, int Subflows, int MaxSubflows, int AnnouncedAddresses, int AcceptedAddresses)
{
    /// <summary>The bytes up to and including mptcpi_rcv_nxt, which every kernel has; Linux 6.18 has 96.</summary>
    public const int MinLength = 40;

    private const int CountersLength = 80, SubflowsInAllOffset = 80;

    /// <summary>Data sent again on another subflow, in pieces (Linux 6.5, as the numbers below).</summary>
    public long? Retransmits { get; init; }

    /// <summary>Of those.</summary>
    public long? BytesRetransmitted { get; init; }

    /// <summary>Given to subflows since the connection began.</summary>
    public long? BytesSent { get; init; }

    public long? BytesReceived { get; init; }

    public long? BytesAcked { get; init; }

    /// <summary>Subflows now, the first one included if it still is there (Linux 6.8).</summary>
    public int? SubflowsInAll { get; init; }

    //  | subflows (1) | announced (1) | accepted (1) | subflows max (1) | announced max (1) | accepted max (1) | padding (2) | flags (4) | token (4)
    //  | write_seq (8) | snd_una (8) | rcv_nxt (8) | local used (1) | local max (1) | checksum (1) | padding (1) | retransmits (4)
    //  | retransmitted (8) | sent (8) | received (8) | acked (8) | subflows total (1) | ...   host byte order
    /// <summary>Reads the structure as the kernel lays it out.</summary>
    /// <returns>False if it is shorter than <see cref="MinLength"/>.</returns>
    public static bool TryParse(ReadOnlySpan<byte> structure, out MultipathInfo info)
    {
        info = default;
        if (structure.Length < MinLength) return false;
        info = new(MemoryMarshal.Read<uint>(structure[12..]), (structure[8] & 1) != 0, structure[0], structure[3], structure[1], structure[2]);
        if (structure.Length >= CountersLength)
        {
            info = info with
            {
                Retransmits = MemoryMarshal.Read<uint>(structure[44..]),
                BytesRetransmitted = Count(structure[48..]),
                BytesSent = Count(structure[56..]),
                BytesReceived = Count(structure[64..]),
                BytesAcked = Count(structure[72..]),
                SubflowsInAll = structure.Length > SubflowsInAllOffset ? structure[SubflowsInAllOffset] : null,
            };
        }

        return true;
    }

    private static long Count(ReadOnlySpan<byte> field) => (long)Math.Min(MemoryMarshal.Read<ulong>(field), long.MaxValue);
}

using System.Runtime.Versioning;
using Bondline.Linux;

namespace Bondline.Cli;

/// <summary>The counters that tell how connections began, added up.</summary>
/// <param name="Made">Peers that agreed to MPTCP.</param>
/// <param name="FellBack">Connections asked for with MPTCP that are plain TCP.</param>
/// <param name="JoinsAsked">Further subflows asked for.</param>
/// <param name="Joins">Further subflows that peers agreed to.</param>
/// <param name="Taken">Connections that peers began with MPTCP.</param>
/// <param name="TakenFellBack">Connections that peers asked for with MPTCP and that are plain TCP.</param>
/// <param name="TakenJoins">Further subflows of peers.</param>
[SupportedOSPlatform("linux")]
internal sealed record MultipathUse(long Made, long FellBack, long JoinsAsked, long Joins, long Taken, long TakenFellBack, long TakenJoins)
{
    /// <summary>Each connection is in one counter of those that are added up (net/mptcp/mib.h).</summary>
    public static MultipathUse Of(MultipathCounters counted) => new(
        counted["MPCapableSYNACKRX"],
        counted["MPCapableFallbackSYNACK"] + counted["MPCapableSYNTXDrop"] + counted["MPCapableSYNTXDisabled"] + counted["MPFallbackTokenInit"],
        counted["MPJoinSynTx"],
        counted["MPJoinSynAckRx"],
        counted["MPCapableACKRX"],
        counted["MPCapableFallbackACK"],
        counted["MPJoinAckRx"]);
}

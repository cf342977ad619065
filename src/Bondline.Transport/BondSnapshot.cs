using System.Net;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>How a bond ended.</summary>
/// <param name="Error"><see cref="ProtocolError.None"/> if either end closed it on purpose.</param>
/// <param name="Reason">Plain English for a log; empty if there is nothing to add to the code.</param>
/// <param name="ByPeer">The peer closed it.</param>
public readonly record struct BondEnd(ProtocolError Error, string Reason, bool ByPeer);

/// <summary>A bond's numbers at one moment.</summary>
public sealed record BondSnapshot(BondId Id, BondStatistics Statistics, IReadOnlyList<SubflowSnapshot> Subflows);

/// <summary>One subflow's numbers at one moment; bytes are those inside TLS since the subflow joined.</summary>
/// <param name="Id">Unique in its bond.</param>
/// <param name="Path">The agent's name for the path (its interface); the peer's address at the relay.</param>
/// <param name="State">Health as the bond sees it.</param>
/// <param name="Reason">Why it is in that state.</param>
/// <param name="Policy">What its interface may be used for.</param>
/// <param name="SmoothedRtt">Round-trip time of pings on this subflow.</param>
/// <param name="MinRtt">The least of the last ten seconds.</param>
/// <param name="RateBytesPerSecond">What the path was measured to deliver.</param>
/// <param name="BytesSent">All frames sent.</param>
/// <param name="BytesReceived">All frames received.</param>
/// <param name="BytesReinjected">Of the sent ones, copies of what another subflow had not delivered.</param>
/// <param name="Local">This end's address.</param>
/// <param name="Remote">The other end's address.</param>
public sealed record SubflowSnapshot(
    SubflowId Id,
    string Path,
    SubflowState State,
    SubflowReason Reason,
    SubflowPolicy Policy,
    TimeSpan SmoothedRtt,
    TimeSpan MinRtt,
    double RateBytesPerSecond,
    long BytesSent,
    long BytesReceived,
    long BytesReinjected,
    IPEndPoint? Local,
    IPEndPoint? Remote);

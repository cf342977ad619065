using System.Net;
using Bondline.Protocol;
using Bondline.Transport;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>What the relay's bonds have to tell, as logs. Ids 2100 to 2199.</summary>
internal sealed partial class TransportLog(ILogger log) : ITransportLog
{
    public void BondOpened(BondId bond, string peer) => Opened(log, bond, peer);

    public void BondEnded(BondId bond, BondEnd end) => Ended(log, bond, end.ByPeer ? "the agent" : "the relay", end.Error, end.Reason);

    public void BondSilent(BondId bond) => Silent(log, bond);

    public void SubflowJoined(BondId bond, SubflowId subflow, string path, TimeSpan rtt) => Joined(log, bond, subflow, path, rtt.TotalMilliseconds);

    public void SubflowChanged(BondId bond, SubflowId subflow, string path, SubflowState state, SubflowReason reason) => Changed(log, bond, subflow, path, state, reason);

    public void SubflowEnded(BondId bond, SubflowId subflow, string path, string why) => Left(log, bond, subflow, path, why);

    public void HandshakeFailed(EndPoint? remote, ProtocolError error, string why) => Refused(log, remote, error, why);

    public void ClockLate(TimeSpan late) => Late(log, late.TotalMilliseconds);

    public void Unexpected(string where, Exception exception) => Bug(log, where, exception);

    [LoggerMessage(2100, LogLevel.Debug, "Bond {Bond}: opened by {Peer}")]
    private static partial void Opened(ILogger log, BondId bond, string peer);

    [LoggerMessage(2101, LogLevel.Information, "Bond {Bond}: ended by {Who} ({Error}) {Reason}")]
    private static partial void Ended(ILogger log, BondId bond, string who, ProtocolError error, string reason);

    [LoggerMessage(2102, LogLevel.Information, "Bond {Bond}: no subflow left; its streams wait")]
    private static partial void Silent(ILogger log, BondId bond);

    [LoggerMessage(2103, LogLevel.Information, "Bond {Bond}: {Subflow} joined from {Path}, {RttMs:0.0} ms")]
    private static partial void Joined(ILogger log, BondId bond, SubflowId subflow, string path, double rttMs);

    [LoggerMessage(2104, LogLevel.Debug, "Bond {Bond}: {Subflow} from {Path} is {State} ({Reason})")]
    private static partial void Changed(ILogger log, BondId bond, SubflowId subflow, string path, SubflowState state, SubflowReason reason);

    [LoggerMessage(2105, LogLevel.Information, "Bond {Bond}: {Subflow} from {Path} ended: {Why}")]
    private static partial void Left(ILogger log, BondId bond, SubflowId subflow, string path, string why);

    [LoggerMessage(2106, LogLevel.Information, "Handshake with {Remote} failed ({Error}): {Why}")]
    private static partial void Refused(ILogger log, EndPoint? remote, ProtocolError error, string why);

    [LoggerMessage(2107, LogLevel.Debug, "This process was late by {LateMs:0} ms: a busy machine, or suspended")]
    private static partial void Late(ILogger log, double lateMs);

    [LoggerMessage(2108, LogLevel.Error, "A bug in {Where}")]
    private static partial void Bug(ILogger log, string where, Exception exception);
}

using System.Net;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Cli;

/// <summary><c>--verbose</c>: what the transport does, as lines on standard error.</summary>
internal sealed class VerboseLog(TextWriter error) : ITransportLog
{
    public void BondOpened(BondId bond, string peer) => error.WriteLine($"bond {bond}: opened with {peer}");

    public void BondEnded(BondId bond, BondEnd end) => error.WriteLine($"bond {bond}: ended {(end.ByPeer ? "by the other side" : "here")} ({end.Error}) {end.Reason}");

    public void BondSilent(BondId bond) => error.WriteLine($"bond {bond}: no subflow left; kept until one returns");

    public void SubflowJoined(BondId bond, SubflowId subflow, string path, TimeSpan rtt) => error.WriteLine($"bond {bond}: {subflow} joined on {path}, {rtt.TotalMilliseconds:0.0} ms");

    public void SubflowChanged(BondId bond, SubflowId subflow, string path, SubflowState state, SubflowReason reason) =>
        error.WriteLine($"bond {bond}: {subflow} on {path} is {state} ({reason})");

    public void SubflowEnded(BondId bond, SubflowId subflow, string path, string why) => error.WriteLine($"bond {bond}: {subflow} on {path} ended: {why}");

    public void DialFailed(string path, EndPoint remote, string why) => error.WriteLine($"path {path}: dialling {remote} failed: {why}");

    public void HandshakeFailed(EndPoint? remote, ProtocolError code, string why) => error.WriteLine($"handshake with {remote} failed ({code}): {why}");

    public void ClockLate(TimeSpan late) => error.WriteLine($"this process was late by {late.TotalMilliseconds:0} ms: a busy machine, or suspended");

    public void Unexpected(string where, Exception exception) => error.WriteLine($"bug in {where}: {exception}");
}

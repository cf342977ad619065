using System.Net;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>What the transport has to tell an operator. Implementations turn it into logs; every method returns quickly and throws nothing.</summary>
/// <remarks>Called on any thread, never under a bond's lock. Every method does nothing unless implemented.</remarks>
public interface ITransportLog
{
    void BondOpened(BondId bond, string peer) { }

    void BondEnded(BondId bond, BondEnd end) { }

    /// <summary>The bond has no subflow left; it is kept.</summary>
    void BondSilent(BondId bond) { }

    void SubflowJoined(BondId bond, SubflowId subflow, string path, TimeSpan rtt) { }

    void SubflowChanged(BondId bond, SubflowId subflow, string path, SubflowState state, SubflowReason reason) { }

    void SubflowEnded(BondId bond, SubflowId subflow, string path, string why) { }

    void DialFailed(string path, EndPoint remote, string why) { }

    /// <summary>A connection was turned away or gave up before it belonged to a bond.</summary>
    void HandshakeFailed(EndPoint? remote, ProtocolError error, string why) { }

    /// <summary>This process's clock thread woke up late: a busy host, a garbage collection or a suspend.</summary>
    void ClockLate(TimeSpan late) { }

    /// <summary>A bug: the bond or the subflow it happened on has ended.</summary>
    void Unexpected(string where, Exception exception) { }
}

/// <summary>Tells nobody.</summary>
public sealed class SilentTransportLog : ITransportLog
{
    public static SilentTransportLog Instance { get; } = new();

    private SilentTransportLog() { }
}

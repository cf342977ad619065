using System.Net;

namespace Bondline.Protocol;

/// <summary>What the path manager is told.</summary>
public abstract record PathObservation
{
    private PathObservation() { }

    /// <summary>All interfaces of the machine, as they are now.</summary>
    public sealed record Interfaces(IReadOnlyList<InterfaceView> All) : PathObservation;

    /// <summary>Where the relay is, best address first.</summary>
    public sealed record Relay(IReadOnlyList<RelayAddress> Addresses) : PathObservation;

    /// <summary>A dial's TCP connection stands: the path works, TLS and the join are to come.</summary>
    public sealed record DialConnected(int Dial) : PathObservation;

    /// <summary>A dial gave up, or was abandoned.</summary>
    public sealed record DialFailed(int Dial, DialFailure Failure, string Detail) : PathObservation;

    /// <summary>A dial became a subflow.</summary>
    /// <param name="Dial">Which one.</param>
    /// <param name="Subflow">Its id in the bond.</param>
    /// <param name="Local">The address it leaves from.</param>
    public sealed record DialJoined(int Dial, SubflowId Subflow, IPAddress? Local) : PathObservation;

    /// <summary>A probe is over.</summary>
    /// <param name="Path">The interface's name.</param>
    /// <param name="Portal">Who wants a sign-in, as far as it says; null if nobody does.</param>
    public sealed record Probed(string Path, string? Portal) : PathObservation;

    /// <summary>The bond judged a subflow's health.</summary>
    public sealed record SubflowChanged(SubflowId Subflow, SubflowState State, SubflowReason Reason) : PathObservation;

    /// <summary>A subflow has carried as much as its keys may: it works on until another one on its path has joined.</summary>
    public sealed record SubflowWorn(SubflowId Subflow) : PathObservation;

    /// <summary>A subflow's connection is closed.</summary>
    public sealed record SubflowClosed(SubflowId Subflow, string Why) : PathObservation;

    /// <summary>The bond is over, and its subflows with it: the next dial opens a new one.</summary>
    public sealed record BondEnded : PathObservation;

    /// <summary>The user wants an interface used otherwise from now on; named by this if it was not before.</summary>
    public sealed record PolicyChanged(string Path, SubflowPolicy Policy) : PathObservation;

    /// <summary>A metered interface may not be used for the reason given; null: it may again. One that the user gives another policy may.</summary>
    public sealed record HeldBack(string Path, string? Reason) : PathObservation;

    /// <summary>What the kernel's connection is spread over now.</summary>
    /// <param name="Subflow">The bond's subflow that it is.</param>
    /// <param name="IsMultipath">It speaks MPTCP; false after a fallback to TCP.</param>
    /// <param name="Locals">The local addresses of the kernel's own subflows that stand; empty after a fallback.</param>
    public sealed record MultipathSeen(SubflowId Subflow, bool IsMultipath, IReadOnlyList<IPAddress> Locals) : PathObservation;

    /// <summary>The addresses from which the kernel opens further subflows of its MPTCP connections; null if that cannot be seen.</summary>
    public sealed record KernelEndpoints(IReadOnlyList<IPAddress>? Addresses) : PathObservation;

    /// <summary>The machine slept.</summary>
    public sealed record Resumed : PathObservation;

    /// <summary><see cref="PathManager.NextTimeout"/> has come.</summary>
    public sealed record Timeout : PathObservation;
}

/// <summary>One address of the relay.</summary>
/// <param name="EndPoint">Address and port to connect to.</param>
/// <param name="SystemInterface">The number of the interface the system itself would use; 0 if it does not say.</param>
/// <param name="IsLocal">An address of this machine: reached over loopback.</param>
/// <param name="IsProxy">A proxy's, which leads to the relay.</param>
/// <param name="Original">The IPv4 address that <paramref name="EndPoint"/> stands for in a network with NAT64; else null.</param>
public readonly record struct RelayAddress(IPEndPoint EndPoint, int SystemInterface, bool IsLocal, bool IsProxy = false, IPEndPoint? Original = null)
{
    /// <summary>As the resolver knows it.</summary>
    public IPEndPoint Known => Original ?? EndPoint;

    public override string ToString() => $"{(IsProxy ? "the proxy " : "")}{Known}{(Original is null ? "" : $" by NAT64 as {EndPoint.Address}")}";
}

/// <summary>Why a dial did not become a subflow.</summary>
public enum DialFailure
{
    /// <summary>Given up on purpose.</summary>
    Abandoned,

    /// <summary>No answer in time.</summary>
    TimedOut,

    /// <summary>Nothing listens there.</summary>
    Refused,

    /// <summary>The network says it cannot be reached.</summary>
    Unreachable,

    /// <summary>The connection was cut before the subflow had joined.</summary>
    Closed,

    /// <summary>Who answered is not the relay and does not speak our TLS: a captive portal, a proxy.</summary>
    Intercepted,

    /// <summary>Who answered showed a key that is not pinned.</summary>
    WrongKey,

    /// <summary>The relay said no for now.</summary>
    Declined,

    /// <summary>The proxy did not lead to the relay.</summary>
    Proxy,

    /// <summary>The proxy wants credentials, or others.</summary>
    ProxyDenied,

    /// <summary>This machine did not let us: no right to bind to the interface, no more sockets.</summary>
    Local,
}

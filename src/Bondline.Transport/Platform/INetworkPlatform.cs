using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>What the transport needs of an operating system beyond .NET's sockets. A test may have its own.</summary>
public interface INetworkPlatform
{
    /// <summary>Time since the machine started, suspends included.</summary>
    TimeSpan BootTime { get; }

    /// <summary>How many files and sockets this process may have open.</summary>
    /// <value>Null if there is no limit, or the system does not say.</value>
    int? MaxOpenFiles => null;

    /// <summary>Makes everything of an unconnected socket leave and arrive at one interface.</summary>
    /// <returns><see cref="SocketError.Success"/>, or why the system refused.</returns>
    SocketError Bind(Socket socket, string interfaceName);

    /// <summary>Options of a subflow's TCP connection that help it heal and keep it from pausing; what the system does not know is left out.</summary>
    void Tune(Socket socket);

    /// <summary>Options of a connection whose two ends are on this machine.</summary>
    void TuneLocal(Socket socket);

    /// <summary>Bounds what waits unsent in the kernel; 0: no bound.</summary>
    void LimitUnsent(Socket socket, int bytes);

    /// <summary>Keeps the packets of an unconnected socket small, both ways.</summary>
    /// <param name="socket">A TCP socket.</param>
    /// <param name="bytes">Payload of one packet at most.</param>
    void LimitPackets(Socket socket, int bytes) { }

    /// <summary>Switches to a congestion control that loss does not slow down.</summary>
    /// <returns>False if the system has none or does not allow it.</returns>
    bool TryUseLossTolerantCongestionControl(Socket socket);

    /// <summary>The system has Multipath TCP, or may be switched to have it while this runs.</summary>
    bool MayHaveMultipath => false;

    /// <summary>A new TCP socket that the kernel may spread over several paths (Multipath TCP, RFC 8684); it serves plain TCP peers too.</summary>
    /// <returns>Null if the system has none, or not for us.</returns>
    Socket? TryCreateMultipath(AddressFamily family) => null;

    /// <summary>The connection is spread over several paths, or could be: both ends speak Multipath TCP and it has not fallen back to TCP.</summary>
    bool IsMultipath(Socket socket) => false;

    /// <summary>Both ends of each path of a Multipath TCP connection, as they are now; empty for any other.</summary>
    IReadOnlyList<(IPEndPoint Local, IPEndPoint Remote)> MultipathSubflows(Socket socket) => [];

    /// <summary>Resets a Multipath TCP connection, which SO_LINGER does not do on every system. The caller closes the socket.</summary>
    void ResetMultipath(Socket socket) { }

    /// <summary>Nothing can be sent over a Multipath TCP connection any more: this end was shut down, or it is over.</summary>
    bool HasMultipathEndedSending(Socket socket) => true;

    /// <summary>The local addresses from which the kernel opens further paths of the Multipath TCP connections this machine makes; null if that cannot be seen.</summary>
    IReadOnlyList<IPAddress>? MultipathEndpoints() => null;

    /// <summary>What the kernel knows of the connection.</summary>
    bool TrySample(Socket socket, out TcpSample sample);

    /// <summary>Which interface the system itself would use for <paramref name="remote"/>.</summary>
    /// <param name="remote">A relay's address.</param>
    /// <param name="interfaceIndex">The interface's number.</param>
    /// <param name="isLocal">The address is one of this machine.</param>
    bool TryFindRoute(IPAddress remote, out int interfaceIndex, out bool isLocal);

    /// <summary>A new watch over the interfaces; the caller disposes it.</summary>
    INetworkWatch Watch();

    /// <summary>What a network card, modem or tethered phone is to a person. Nothing is decided by it.</summary>
    InterfaceMedium HardwareMedium(string interfaceName, int interfaceIndex) => InterfaceMedium.Other;

    /// <summary>The name servers the system knows, of all networks.</summary>
    IReadOnlyList<IPAddress> NameServers => [];

    /// <summary>What the system's choice of congestion controls costs, as a sentence for people; null if it costs nothing, or the system does not say.</summary>
    string? CongestionControlHint => null;

    /// <summary>Why a system setting drops replies that arrive on <paramref name="interfaceName"/> while the route to their sender is over another interface; null if none does.</summary>
    bool IsReplyFiltered(string interfaceName, [NotNullWhen(true)] out string? explanation);
}

/// <summary>A watch over the machine's interfaces; one loop reads it.</summary>
public interface INetworkWatch : IDisposable
{
    /// <summary>All interfaces, as soon as something differs from the last picture (at first: at once).</summary>
    ValueTask<IReadOnlyList<InterfaceView>> NextAsync(CancellationToken cancellationToken);
}

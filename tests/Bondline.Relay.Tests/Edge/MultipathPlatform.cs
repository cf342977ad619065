using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Relay.Tests;

/// <summary>A system whose Multipath TCP is what the test says; the relay's listeners and counters ask nothing else of it.</summary>
internal sealed class MultipathPlatform : INetworkPlatform
{
    /// <summary>What every connection has for subflows: the addresses of the visitor's side. Empty: it has fallen back.</summary>
    public string[] Subflows { get; set; } = [];

    /// <summary>Makes listeners' sockets.</summary>
    public Func<AddressFamily, Socket?> Create { get; init; } = _ => null;

    public bool IsMultipath(Socket socket) => Subflows.Length > 0;

    public Socket? TryCreateMultipath(AddressFamily family) => Create(family);

    /// <summary>How many connections were reset.</summary>
    public int Resets { get; private set; }

    public void ResetMultipath(Socket socket) => Resets++;

    public bool HasMultipathEndedSending(Socket socket) => NetworkPlatform.Current.HasMultipathEndedSending(socket);

    public IReadOnlyList<(IPEndPoint Local, IPEndPoint Remote)> MultipathSubflows(Socket socket) =>
        [.. Subflows.Select(address => (new IPEndPoint(IPAddress.Loopback, 443), new IPEndPoint(IPAddress.Parse(address), 5000)))];

    public TimeSpan BootTime => throw new NotSupportedException();

    public SocketError Bind(Socket socket, string interfaceName) => throw new NotSupportedException();

    public void Tune(Socket socket) => throw new NotSupportedException();

    public void TuneLocal(Socket socket) => throw new NotSupportedException();

    public void LimitUnsent(Socket socket, int bytes) => throw new NotSupportedException();

    public bool TryUseLossTolerantCongestionControl(Socket socket) => throw new NotSupportedException();

    public bool TrySample(Socket socket, out TcpSample sample) => throw new NotSupportedException();

    public bool TryFindRoute(IPAddress remote, out int interfaceIndex, out bool isLocal) => throw new NotSupportedException();

    public INetworkWatch Watch() => throw new NotSupportedException();

    public bool IsReplyFiltered(string interfaceName, [NotNullWhen(true)] out string? explanation) => throw new NotSupportedException();
}

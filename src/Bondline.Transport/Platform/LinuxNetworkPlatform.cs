using System.ComponentModel;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using Bondline.Linux;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Linux: SO_BINDTODEVICE, TCP_INFO, rtnetlink. Nothing here needs rights.</summary>
[SupportedOSPlatform("linux")]
public sealed class LinuxNetworkPlatform : INetworkPlatform
{
    private static readonly TimeSpan MaxRetransmissionTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MinRetransmissionTimeout = TimeSpan.FromMilliseconds(50);

    public static LinuxNetworkPlatform Instance { get; } = new();

    private LinuxNetworkPlatform() { }

    public TimeSpan BootTime => BootClock.Now;

    public int? MaxOpenFiles => OpenFiles.Most;

    public SocketError Bind(Socket socket, string interfaceName) => TcpSocketOptions.TryBindToDevice(socket, interfaceName);

    public void Tune(Socket socket)
    {
        SubflowTuning.Apply(socket);
        TcpSocketOptions.TrySetUserTimeout(socket, SubflowTuning.UserTimeout);
        TcpSocketOptions.TrySetMaxRetransmissionTimeout(socket, MaxRetransmissionTimeout);
        TcpSocketOptions.TrySetMinRetransmissionTimeout(socket, MinRetransmissionTimeout);
        LeaveBbr(socket);
    }

    public void TuneLocal(Socket socket) => LeaveBbr(socket);

    // It all but stops for 200 ms every ten seconds; without loss it is not needed (docs/decisions/cubic-until-loss.md).
    private static void LeaveBbr(Socket socket)
    {
        if (TcpSocketOptions.CongestionControlOf(socket) == "bbr") TcpSocketOptions.TrySetCongestionControl(socket, "cubic");
    }

    public void LimitUnsent(Socket socket, int bytes) => TcpSocketOptions.TrySetNotSentLowWater(socket, bytes == 0 ? -1 : bytes);

    public void LimitPackets(Socket socket, int bytes) => TcpSocketOptions.TrySetMaxSegment(socket, bytes);

    public bool TryUseLossTolerantCongestionControl(Socket socket) => TcpSocketOptions.TrySetCongestionControl(socket, "bbr");

    public bool MayHaveMultipath => true;

    public Socket? TryCreateMultipath(AddressFamily family) => MultipathSocket.TryCreate(family);

    public bool IsMultipath(Socket socket) => MultipathSocket.IsMultipath(socket);

    public IReadOnlyList<(IPEndPoint Local, IPEndPoint Remote)> MultipathSubflows(Socket socket) => MultipathSocket.Subflows(socket);

    public void ResetMultipath(Socket socket) => MultipathSocket.Reset(socket);

    public bool HasMultipathEndedSending(Socket socket) => MultipathSocket.HasEndedSending(socket);

    public IReadOnlyList<IPAddress>? MultipathEndpoints()
    {
        try
        {
            using var manager = MultipathPathManager.Open();
            return [.. manager.Endpoints().Where(endpoint => endpoint.Flags.HasFlag(MultipathEndpointFlags.Subflow)).Select(endpoint => endpoint.Address)];
        }
        catch (MultipathException)
        {
            return null; // no MPTCP in this kernel, or one that shows them only to those with rights
        }
    }

    public bool TrySample(Socket socket, out TcpSample sample)
    {
        var found = TcpInfo.TryRead(socket, out var info);
        sample = found
            ? new(
                info.Rtt, info.RttVariation, info.MinRtt, info.DeliveryRate, info.IsAppLimited, info.SinceLastAck, info.Backoff,
                info.BytesRetransmitted, info.BytesAcked, info.NotSentBytes)
            : default;
        return found;
    }

    public bool TryFindRoute(IPAddress remote, out int interfaceIndex, out bool isLocal)
    {
        (interfaceIndex, isLocal) = (0, false);
        try
        {
            if (RouteQuery.Find(remote) is not { Interfaces: [var index, ..] } route || route.Type is not (RouteType.Unicast or RouteType.Local)) return false;
            (interfaceIndex, isLocal) = (index, route.Type == RouteType.Local);
            return true;
        }
        catch (Exception refused) when (refused is Win32Exception or SocketException or NetlinkFormatException)
        {
            return false; // no rtnetlink here: the interfaces' own routes decide
        }
    }

    public InterfaceMedium HardwareMedium(string interfaceName, int interfaceIndex) => new NetworkDevices().KindOf(interfaceName, interfaceIndex) switch
    {
        NetworkDeviceKind.Ethernet => InterfaceMedium.Ethernet,
        NetworkDeviceKind.WiFi => InterfaceMedium.WiFi,
        NetworkDeviceKind.Phone => InterfaceMedium.Phone,
        NetworkDeviceKind.Mobile => InterfaceMedium.Mobile,
        _ => InterfaceMedium.Other,
    };

    public string? CongestionControlHint
    {
        get
        {
            try
            {
                return File.ReadAllText("/proc/sys/net/ipv4/tcp_allowed_congestion_control").Split((char[]?)null).Contains("bbr")
                    ? null
                    : "this system does not offer BBR, which keeps a network fast that loses packets; \"modprobe tcp_bbr\" and net.ipv4.tcp_allowed_congestion_control would";
            }
            catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }
    }

    // The first may name only a resolver on this machine; the others then have those it asks.
    public IReadOnlyList<IPAddress> NameServers =>
        [.. new[] { "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf" }.SelectMany(ReadNameServers).Distinct()];

    private static IEnumerable<IPAddress> ReadNameServers(string file)
    {
        try
        {
            return [.. File.ReadLines(file).Take(100).Select(line => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
                .Where(words => words is ["nameserver", _, ..]).Select(words => IPAddress.TryParse(words[1], out var server) ? server : null).OfType<IPAddress>()];
        }
        catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    public INetworkWatch Watch() => new LinuxNetworkWatch();

    public bool IsReplyFiltered(string interfaceName, [NotNullWhen(true)] out string? explanation)
    {
        explanation = null;
        // The kernel takes the larger of the two; 1 drops what arrives where the reply would not leave.
        var filter = Math.Max(ReadFilter("all"), ReadFilter(interfaceName));
        if (filter != 1) return false;
        explanation = $"net.ipv4.conf.{interfaceName}.rp_filter is 1 (strict): the kernel drops what arrives on {interfaceName} while its default route is another interface; "
            + $"\"sysctl net.ipv4.conf.all.rp_filter=2\" or a route by source address lets it through";
        return true;
    }

    private static int ReadFilter(string name)
    {
        try
        {
            return int.TryParse(File.ReadAllText($"/proc/sys/net/ipv4/conf/{name}/rp_filter"), out var value) ? value : 0;
        }
        catch (Exception missing) when (missing is IOException or UnauthorizedAccessException)
        {
            return 0; // no such interface any more, or no /proc
        }
    }

    private sealed class LinuxNetworkWatch : INetworkWatch
    {
        private readonly InterfaceMonitor _monitor = new();

        public async ValueTask<IReadOnlyList<InterfaceView>> NextAsync(CancellationToken cancellationToken) =>
            [.. (await _monitor.NextAsync(cancellationToken)).Select(LinuxInterface.View)];

        public void Dispose() => _monitor.Dispose();
    }
}

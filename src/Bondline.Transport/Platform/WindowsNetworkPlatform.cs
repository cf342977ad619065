using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Runtime.Versioning;
using Bondline.Protocol;
using Bondline.Windows;

namespace Bondline.Transport;

/// <summary>Windows 10 1703 and later: IP_UNICAST_IF with an address of the interface, SIO_TCP_INFO, .NET's own view of the interfaces. Nothing here needs rights.</summary>
public sealed class WindowsNetworkPlatform : INetworkPlatform
{
    public static WindowsNetworkPlatform Instance { get; } = new();

    private WindowsNetworkPlatform() { }

    [SupportedOSPlatform("windows")]
    public TimeSpan BootTime => BootClock.Now;

    public SocketError Bind(Socket socket, string interfaceName)
    {
        ArgumentNullException.ThrowIfNull(socket);
        try
        {
            if (SystemInterfaces.Find(interfaceName) is not { } found) return SocketError.AddressNotAvailable;
            if (SystemInterfaces.UsableAddresses(found).FirstOrDefault(address => address.AddressFamily == socket.AddressFamily) is not { } address) return SocketError.AddressNotAvailable;
            SocketOptions.BindToInterface(socket, SystemInterfaces.IndexOf(found), address);
            return SocketError.Success;
        }
        catch (SocketException refused)
        {
            return refused.SocketErrorCode;
        }
        catch (NetworkInformationException) // it went away while we looked
        {
            return SocketError.AddressNotAvailable;
        }
    }

    public void Tune(Socket socket)
    {
        SubflowTuning.Apply(socket);
        SocketOptions.TrySetUserTimeout(socket, SubflowTuning.UserTimeout);
    }

    public void TuneLocal(Socket socket) { }

    public void LimitUnsent(Socket socket, int bytes) { } // the subflow's cap does it: Windows has no TCP_NOTSENT_LOWAT

    public bool TryUseLossTolerantCongestionControl(Socket socket) => false; // chosen by an administrator, for the whole machine

    public bool TrySample(Socket socket, out TcpSample sample)
    {
        var found = TcpInfo.TryRead(socket, out var info);
        sample = found ? Sample(info) : default;
        return found;
    }

    public bool TryFindRoute(IPAddress remote, out int interfaceIndex, out bool isLocal) => SystemInterfaces.TryFindRoute(remote, out interfaceIndex, out isLocal);

    public INetworkWatch Watch() => new SystemNetworkWatch();

    public InterfaceMedium HardwareMedium(string interfaceName, int interfaceIndex) =>
        SystemInterfaces.Find(interfaceName) is { } found ? SystemInterfaces.Medium(found.NetworkInterfaceType) : InterfaceMedium.Other;

    public bool IsReplyFiltered(string interfaceName, [NotNullWhen(true)] out string? explanation)
    {
        explanation = null; // Windows takes what arrives on any interface for an address of it
        return false;
    }

    /// <summary>What Windows does not count is zero: variation, delivery rate, when the last acknowledgement came, what waits unsent.</summary>
    internal static TcpSample Sample(TcpInfo info) => new(
        info.Rtt, TimeSpan.Zero, info.MinRtt, 0, IsAppLimited: false, TimeSpan.Zero, info.TimeoutEpisodes, info.BytesRetransmitted,
        Math.Max(0, info.BytesSent - info.BytesInFlight), 0);
}

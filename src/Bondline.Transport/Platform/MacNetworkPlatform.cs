using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Runtime.Versioning;
using Bondline.MacOS;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>macOS: IP_BOUND_IF, TCP_CONNECTION_INFO, .NET's own view of the interfaces. Nothing here needs rights.</summary>
public sealed class MacNetworkPlatform : INetworkPlatform
{
    public static MacNetworkPlatform Instance { get; } = new();

    private MacNetworkPlatform() { }

    [SupportedOSPlatform("macos")]
    public TimeSpan BootTime => BootClock.Now;

    public SocketError Bind(Socket socket, string interfaceName)
    {
        try
        {
            if (SystemInterfaces.Find(interfaceName) is not { } found) return SocketError.AddressNotAvailable;
            SocketOptions.BindToInterface(socket, SystemInterfaces.IndexOf(found));
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

    public void LimitUnsent(Socket socket, int bytes) => SocketOptions.TrySetNotSentLowWater(socket, bytes);

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
        explanation = null; // macOS takes what arrives on any interface for an address of it
        return false;
    }

    /// <summary>What macOS does not count is zero. The bytes acknowledged are at least what was sent once and is in the send buffer no more.</summary>
    internal static TcpSample Sample(TcpInfo info) => new(
        info.Rtt, info.RttVariation, TimeSpan.Zero, 0, IsAppLimited: false, TimeSpan.Zero, 0, info.BytesRetransmitted,
        Math.Max(0, info.BytesSent - info.BytesRetransmitted - info.UnsentAndInFlightBytes), 0);
}

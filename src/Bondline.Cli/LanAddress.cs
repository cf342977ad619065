using System.Net;
using System.Net.Sockets;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Cli;

/// <summary>The address machines of the local network know this one by.</summary>
internal static class LanAddress
{
    /// <returns>Null if there is no network but loopback, or the system does not tell.</returns>
    public static async Task<IPAddress?> FindAsync(CancellationToken stop)
    {
        try
        {
            using var watch = NetworkPlatform.Current.Watch();
            return Choose(await watch.NextAsync(stop));
        }
        catch (Exception unknown) when (unknown is SocketException or System.ComponentModel.Win32Exception or PlatformNotSupportedException)
        {
            return null;
        }
    }

    /// <summary>A real network before a container's, that before a VPN and a bridge of this machine's own; among equals the one with the way out, and IPv4 where there is both.</summary>
    public static IPAddress? Choose(IReadOnlyList<InterfaceView> interfaces) => interfaces
        .Where(seen => seen.IsUp && seen.Kind != InterfaceKind.Loopback && seen.Addresses.Count > 0)
        .OrderBy(seen => seen.Kind switch { InterfaceKind.Hardware => 0, InterfaceKind.Container => 1, InterfaceKind.Tunnel => 2, _ => 3 })
        .ThenBy(seen => seen.Routes.Any(route => route.PrefixLength == 0) ? 0 : 1)
        .SelectMany(seen => seen.Addresses.OrderBy(address => address.AddressFamily == AddressFamily.InterNetwork ? 0 : 1))
        .FirstOrDefault();
}

using System.Net;

namespace Bondline.Cli.Multipath;

/// <summary>A lease as systemd-networkd keeps it in /run/systemd/netif/leases: lines of NAME=VALUE.</summary>
internal static class DhcpLease
{
    /// <summary>The routers it names.</summary>
    /// <param name="text">The file; null if there is none.</param>
    //  ROUTER=192.168.1.1 192.168.1.2
    public static IReadOnlyList<IPAddress> ReadRouters(string? text) =>
    [
        .. (text ?? "").Split('\n')
            .Where(line => line.StartsWith("ROUTER=", StringComparison.Ordinal))
            .SelectMany(line => line["ROUTER=".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Select(word => IPAddress.TryParse(word, out var router) ? router : null)
            .OfType<IPAddress>()
            .Where(router => !router.Equals(IPAddress.Any)),
    ];
}

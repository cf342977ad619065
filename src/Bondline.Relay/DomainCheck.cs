using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Bondline.Relay;

/// <summary>Whether names under the relay's domain lead to it.</summary>
internal static class DomainCheck
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Resolves a name nobody has, so that only a wildcard record can answer.</summary>
    /// <returns>What to tell the operator; null if the name leads to an address of this machine.</returns>
    public static async Task<string?> RunAsync(string domain, IPAddress? listen, TimeProvider time, CancellationToken stop)
    {
        var name = $"check-{RandomNumberGenerator.GetHexString(8, lowercase: true)}.{domain}";
        var own = listen ?? PublicAddress.Find();
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
            using var patience = time.CreateTimer(static source => ((CancellationTokenSource)source!).Cancel(), limit, Patience, Timeout.InfiniteTimeSpan);
            var found = await Dns.GetHostAddressesAsync(name, limit.Token);
            var mine = OwnAddresses();
            if (found.Any(mine.Contains)) return null;
            return $"Names under {domain} lead to {string.Join(", ", found.AsEnumerable())}, which this machine does not have. That is right if a router passes its ports on; if not:\n{Records(domain, own)}";
        }
        catch (Exception error) when (error is SocketException || (error is OperationCanceledException && !stop.IsCancellationRequested))
        {
            return $"Names under {domain} do not resolve. Visitors need these DNS records:\n{Records(domain, own)}";
        }
    }

    private static string Records(string domain, IPAddress address)
    {
        var type = address.AddressFamily == AddressFamily.InterNetworkV6 ? "AAAA" : "A";
        return $"  {domain}.    {type}  {address}\n  *.{domain}.  {type}  {address}";
    }

    private static HashSet<IPAddress> OwnAddresses() =>
        [.. NetworkInterface.GetAllNetworkInterfaces().SelectMany(link => link.GetIPProperties().UnicastAddresses).Select(unicast => unicast.Address)];
}

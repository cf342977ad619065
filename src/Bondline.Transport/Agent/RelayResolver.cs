using System.Net;
using System.Net.Sockets;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Where the relay's names lead, by the system's resolver; a name that does not resolve now keeps the addresses it had.</summary>
/// <remarks>A relay behind a proxy is the proxy's affair: there the proxy's name is resolved, and the relay's never.</remarks>
internal sealed class RelayResolver(INetworkPlatform platform, ProxySettings proxies)
{
    private const int MaxAddressesPerHost = 8;

    private readonly Lock _gate = new();
    private readonly Dictionary<HostPort, IReadOnlyList<IPEndPoint>> _known = [];
    private IReadOnlyList<HostPort> _hosts = [];

    /// <summary>The relay's names from now on. Those that are addresses need no resolver.</summary>
    public void SetHosts(IReadOnlyList<HostPort> hosts)
    {
        lock (_gate) _hosts = hosts;
    }

    /// <summary>Asks the resolver for every name; it may take seconds.</summary>
    /// <returns>What could not be resolved and why; null if everything could.</returns>
    public async Task<(EndPoint Name, string Why)?> ResolveAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<HostPort> hosts;
        lock (_gate) hosts = _hosts;
        (EndPoint, string)? failure = null;
        foreach (var host in hosts.Select(Asked).Distinct())
        {
            if (IPAddress.TryParse(host.Host, out _)) continue;
            try
            {
                var addresses = await Dns.GetHostAddressesAsync(host.Host, cancellationToken);
                if (addresses.Length == 0) continue;
                lock (_gate) _known[host] = [.. Alternate(addresses).Take(MaxAddressesPerHost).Select(address => new IPEndPoint(address, host.Port))];
            }
            catch (Exception unresolved) when (unresolved is SocketException or ArgumentException)
            {
                failure = (new DnsEndPoint(host.Host, host.Port), unresolved.Message);
            }
        }

        return failure;
    }

    /// <summary>The last good addresses of all names, in the names' order, with what the system's routes say of them now.</summary>
    public IReadOnlyList<RelayAddress> Locate()
    {
        List<(IPEndPoint EndPoint, bool IsProxy)> found;
        lock (_gate) found = [.. _hosts.SelectMany(host => Known(Asked(host)).Select(endpoint => (endpoint, proxies.For(host.Host) is not null))).Distinct()];
        return [.. found.Select(seen => platform.TryFindRoute(seen.EndPoint.Address, out var index, out var isLocal)
            ? new RelayAddress(seen.EndPoint, index, isLocal, seen.IsProxy)
            : new RelayAddress(seen.EndPoint, 0, IPAddress.IsLoopback(seen.EndPoint.Address), seen.IsProxy))];
    }

    /// <summary>Whether the address still leads to the relay.</summary>
    public bool IsCurrent(RelayAddress address)
    {
        lock (_gate) return _hosts.Any(host => Known(Asked(host)) is not { Count: > 0 } known || known.Contains(address.Known));
    }

    /// <summary>Which relay an address leads to, by the name it came from: what TLS asks for, and a proxy.</summary>
    /// <param name="address">One of <see cref="Locate"/>.</param>
    /// <param name="attempt">Where a proxy leads to several relays, they take turns.</param>
    public (HostPort Host, HttpProxy? Proxy) LeadOf(RelayAddress address, int attempt)
    {
        lock (_gate)
        {
            var hosts = _hosts.Where(host => proxies.For(host.Host) is not null == address.IsProxy && Known(Asked(host)).Contains(address.Known)).ToList();
            if (hosts.Count == 0) return (new(address.Known.Address.ToString(), address.Known.Port), null); // its names were replaced a moment ago
            var host = address.IsProxy ? hosts[attempt % hosts.Count] : hosts.Find(host => !IPAddress.TryParse(host.Host, out _)) is { Host: not null } named ? named : hosts[0];
            return (host, proxies.For(host.Host));
        }
    }

    /// <summary>One family after the other, as RFC 8305 has it: where one of them leads nowhere, the next dial tries the other.</summary>
    internal static IEnumerable<IPAddress> Alternate(IReadOnlyList<IPAddress> addresses) =>
        addresses.GroupBy(address => address.AddressFamily).SelectMany(family => family.Index()).OrderBy(address => address.Index).Select(address => address.Item);

    /// <summary>Whose address is asked for.</summary>
    private HostPort Asked(HostPort host) => proxies.For(host.Host)?.Address ?? host;

    /// <summary>Under the lock. An address written out is parsed each time: the interface in its scope may be another by now.</summary>
    private IReadOnlyList<IPEndPoint> Known(HostPort host) => IPAddress.TryParse(host.Host, out var literal) ? [new(literal, host.Port)] : _known.GetValueOrDefault(host) ?? [];
}

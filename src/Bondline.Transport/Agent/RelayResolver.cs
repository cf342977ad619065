using System.Net;
using System.Net.Sockets;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Where the relay's names lead, by the system's resolver; a name that does not resolve now keeps the addresses it had.</summary>
internal sealed class RelayResolver(INetworkPlatform platform)
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
        foreach (var host in hosts)
        {
            if (IPAddress.TryParse(host.Host, out _)) continue;
            try
            {
                var addresses = await Dns.GetHostAddressesAsync(host.Host, cancellationToken);
                if (addresses.Length == 0) continue;
                lock (_gate) _known[host] = [.. addresses.Take(MaxAddressesPerHost).Select(address => new IPEndPoint(address, host.Port))];
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
        List<IPEndPoint> endpoints;
        lock (_gate) endpoints = [.. _hosts.SelectMany(Known).Distinct()];
        return [.. endpoints.Select(endpoint => platform.TryFindRoute(endpoint.Address, out var index, out var isLocal)
            ? new RelayAddress(endpoint, index, isLocal)
            : new RelayAddress(endpoint, 0, IPAddress.IsLoopback(endpoint.Address)))];
    }

    /// <summary>Whether the address is still one of the relay's.</summary>
    public bool IsCurrent(IPEndPoint endpoint)
    {
        lock (_gate) return _hosts.Any(host => Known(host) is not { Count: > 0 } known || known.Contains(endpoint));
    }

    /// <summary>The name an address came from: what TLS asks for.</summary>
    public string NameOf(IPEndPoint endpoint)
    {
        lock (_gate)
        {
            foreach (var (host, endpoints) in _known)
                if (endpoints.Contains(endpoint))
                    return host.Host;
        }

        return endpoint.Address.ToString();
    }

    /// <summary>Under the lock. An address written out is parsed each time: the interface in its scope may be another by now.</summary>
    private IReadOnlyList<IPEndPoint> Known(HostPort host) => IPAddress.TryParse(host.Host, out var literal) ? [new(literal, host.Port)] : _known.GetValueOrDefault(host) ?? [];
}

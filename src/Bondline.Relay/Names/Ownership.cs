using System.Collections.Concurrent;

namespace Bondline.Relay;

/// <summary>Which names and ports belong to which token, over restarts: in memory, written through to the store. The tunnel table's gate guards it; only asking for a name's owner needs none.</summary>
internal sealed class Ownership
{
    /// <summary>Names, and again ports, a token may keep; beyond that the one used longest ago is given back.</summary>
    public const int LimitPerToken = 256;

    // A use is written at most this often: what has been unused longest is all that is asked.
    private static readonly TimeSpan UseResolution = TimeSpan.FromHours(1);

    private readonly RelayStore _store;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, NameRecord> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<int, PortRecord> _ports = [];

    public Ownership(RelayStore store, TimeProvider time)
    {
        _store = store;
        _time = time;
        store.RemoveOfRevoked();
        foreach (var name in store.Names()) _names[name.Name] = name;
        foreach (var port in store.Ports()) _ports.Add(port.Port, port);
    }

    /// <summary>The token a name belongs to, or null.</summary>
    public string? OwnerOf(string name) => _names.GetValueOrDefault(name)?.Token;

    /// <summary>The token a port belongs to, or null.</summary>
    public string? OwnerOf(int port) => _ports.GetValueOrDefault(port)?.Token;

    /// <summary>The ports a service of an agent instance had, latest first.</summary>
    public IEnumerable<int> PortsOf(string token, Guid instance, string service) =>
        _ports.Values.Where(port => port.Token == token && port.Instance == instance && port.Service == service).OrderByDescending(port => port.Used).Select(port => port.Port);

    /// <param name="name">Free, or the token's own.</param>
    /// <param name="token">Its owner from now on.</param>
    /// <param name="isInUse">Names that may not be given back.</param>
    /// <returns>False if the token has too many names in use.</returns>
    public bool TryTake(string name, string token, Func<string, bool> isInUse)
    {
        var now = _time.GetUtcNow();
        if (_names.TryGetValue(name, out var record))
        {
            if (now - record.Used < UseResolution) return true;
        }
        else
        {
            var own = _names.Values.Where(other => other.Token == token).ToList();
            if (own.Count >= LimitPerToken)
            {
                if (own.Where(other => !isInUse(other.Name)).MinBy(other => other.Used) is not { } oldest) return false;
                _names.TryRemove(oldest.Name, out _);
                _store.RemoveName(oldest.Name);
            }
        }
        _names[name] = new(name, token, now);
        _store.SaveName(_names[name]);
        return true;
    }

    /// <inheritdoc cref="TryTake(string, string, Func{string, bool})"/>
    public bool TryTake(int port, string token, Guid instance, string service, Func<int, bool> isInUse)
    {
        var now = _time.GetUtcNow();
        if (_ports.TryGetValue(port, out var record))
        {
            if (record.Instance == instance && record.Service == service && now - record.Used < UseResolution) return true;
        }
        else
        {
            var own = _ports.Values.Where(other => other.Token == token).ToList();
            if (own.Count >= LimitPerToken)
            {
                if (own.Where(other => !isInUse(other.Port)).MinBy(other => other.Used) is not { } oldest) return false;
                _ports.Remove(oldest.Port);
                _store.RemovePort(oldest.Port);
            }
        }
        _ports[port] = new(port, token, instance, service, now);
        _store.SavePort(_ports[port]);
        return true;
    }

    /// <summary>Forgets what belonged to a revoked token, also what it took since its names and ports left the store with it.</summary>
    public void Forget(string token)
    {
        _store.RemoveOfRevoked();
        foreach (var name in _names.Values.Where(name => name.Token == token).ToList()) _names.TryRemove(name.Name, out _);
        foreach (var port in _ports.Values.Where(port => port.Token == token).ToList()) _ports.Remove(port.Port);
    }
}

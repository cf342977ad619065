using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>Which names and ports belong to which token, over restarts: in memory, written through to the store. The tunnel table's gate guards it; only asking for a name's owner needs none.</summary>
/// <remarks>Where the store fails (a full disk, one that became read-only), memory counts: tunnels go on, and the next restart may not know of them.</remarks>
internal sealed class Ownership
{
    /// <summary>Names, and again ports, a token may keep; beyond that the one used longest ago is given back.</summary>
    public const int LimitPerToken = 256;

    // A use is written at most this often: what has been unused longest is all that is asked.
    private static readonly TimeSpan UseResolution = TimeSpan.FromHours(1);

    private readonly RelayStore _store;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly ConcurrentDictionary<string, NameRecord> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<int, PortRecord> _ports = [];

    public Ownership(RelayStore store, TimeProvider time, ILogger log)
    {
        _store = store;
        _time = time;
        _log = log;
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
                TryStore(() => _store.RemoveName(oldest.Name), oldest.Name);
            }
        }
        var taken = new NameRecord(name, token, now);
        _names[name] = TryStore(() => _store.SaveName(taken), name) ? taken : taken with { Used = now - UseResolution }; // so that its next use is written
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
                TryStore(() => _store.RemovePort(oldest.Port), oldest.Port);
            }
        }
        var taken = new PortRecord(port, token, instance, service, now);
        _ports[port] = TryStore(() => _store.SavePort(taken), port) ? taken : taken with { Used = now - UseResolution };
        return true;
    }

    /// <summary>Forgets what belonged to a revoked token, also what it took since its names and ports left the store with it.</summary>
    public void Forget(string token)
    {
        TryStore(_store.RemoveOfRevoked, "what a revoked token had");
        foreach (var name in _names.Values.Where(name => name.Token == token).ToList()) _names.TryRemove(name.Name, out _);
        foreach (var port in _ports.Values.Where(port => port.Token == token).ToList()) _ports.Remove(port.Port);
    }

    private bool TryStore(Action change, object what)
    {
        try
        {
            change();
            return true;
        }
        catch (SqliteException error)
        {
            _log.NotStored(what, error.Message);
            return false;
        }
    }
}

using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Bondline.Protocol;
using Bondline.Transport;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>What a tunnel table needs to know of the relay it belongs to.</summary>
/// <param name="Domain">Names are under it; null: HTTP tunnels get ports.</param>
/// <param name="Host">The host in the URLs of ports.</param>
/// <param name="Listen">Where ports are opened; null: on every address.</param>
/// <param name="TcpPorts">The ports there are.</param>
/// <param name="HttpPort">The port in the URLs of names.</param>
/// <param name="Limits">For requests.</param>
internal sealed record TunnelSettings(string? Domain, string Host, IPAddress? Listen, PortRange TcpPorts, int HttpPort, HttpLimits Limits);

/// <summary>The live tunnels: who has which name and port now, and who may take it over.</summary>
/// <remarks>
/// One registration at a time; a visitor's lookup takes no lock. The same agent instance gets what it had back at once, always (its old bond is dead, whatever
/// the relay still believes). Another instance of the same token is refused while the holder is alive, unless it asks to take over. Another token never.
/// </remarks>
internal sealed class TunnelTable(
    Ownership ownership, TokenDirectory tokens, Func<HttpTunnel, Socket, Task> visitors, VisitorCounter counter, ServedConnections connections, ILogger log) : IAsyncDisposable
{
    /// <summary>Tunnels one bond may have.</summary>
    public const int LimitPerBond = 64;

    private const int MaxLocalLength = 256; // it is kept, and shown to visitors

    // A port may be free here and taken by another program of the machine; that many are tried.
    private const int PortAttempts = 64;

    private readonly SemaphoreSlim _gate = new(1);
    private readonly Dictionary<ITunnelHolder, Dictionary<ulong, Tunnel>> _byHolder = [];
    private readonly Dictionary<int, Tunnel> _byPort = [];
    private readonly ConcurrentDictionary<string, HttpTunnel> _byName = new(StringComparer.OrdinalIgnoreCase);
    private TunnelSettings? _settings;
    private volatile HttpTunnel? _only;

    /// <summary>Set once the relay listens, before the first bond.</summary>
    public TunnelSettings Settings { get => _settings ?? throw new InvalidOperationException("The relay does not listen yet."); set => _settings = value; }

    /// <summary>The one HTTP tunnel there is; null if there is none or several.</summary>
    public HttpTunnel? Only => _only;

    /// <summary>The HTTP tunnel of a host name without its port, in any case; null if there is none.</summary>
    public HttpTunnel? Find(ReadOnlySpan<char> host)
    {
        var name = NameIn(host);
        return !name.IsEmpty && _byName.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out var tunnel) ? tunnel : null;
    }

    /// <summary>Whether a host name is somebody's, be the agent here or away.</summary>
    public bool IsOwned(ReadOnlySpan<char> host)
    {
        var name = NameIn(host);
        return name.Length is > 0 and <= TunnelName.MaxLength && ownership.OwnerOf(name.ToString().ToLowerInvariant()) is not null;
    }

    /// <summary>Makes a tunnel for a bond, or says why not.</summary>
    /// <returns><see cref="TunnelReady"/> or <see cref="TunnelRefused"/>.</returns>
    public async Task<ControlMessage> RegisterAsync(ITunnelHolder holder, RegisterTunnel request)
    {
        if (request.Local?.Length > MaxLocalLength) request = request with { Local = request.Local[..MaxLocalLength] };
        await _gate.WaitAsync();
        try
        {
            // Its bond is about to be closed. ForgetAsync comes after the revocation and waits here: what is taken before it goes with it, and nothing is after.
            if (!tokens.IsValid(holder.TokenId)) return Refuse(request, "auth-expired", "The token was revoked.");
            if (!_byHolder.TryGetValue(holder, out var own)) _byHolder.Add(holder, own = []);
            if (own.TryGetValue(request.Tunnel, out var former)) await RemoveAsync(former);
            if (own.Count >= LimitPerBond) return Refuse(request, "limit", $"An agent may have {LimitPerBond} tunnels at once; this one has them.");
            var answer = request.Kind == TunnelKind.Http && Settings.Domain is not null
                ? await RegisterNameAsync(holder, request)
                : await RegisterPortAsync(holder, request);
            if (answer is TunnelReady ready) log.TunnelReady(holder.Bond, request.Tunnel, ready.Url);
            else if (answer is TunnelRefused refused) log.TunnelRefused(holder.Bond, request.Tunnel, refused.Code, refused.Message);
            return answer;
        }
        finally
        {
            _gate.Release();
        }
    }

    public async Task UnregisterAsync(ITunnelHolder holder, ulong number)
    {
        await _gate.WaitAsync();
        try
        {
            if (_byHolder.TryGetValue(holder, out var own) && own.TryGetValue(number, out var tunnel)) await RemoveAsync(tunnel);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Closes all tunnels of a bond that is over.</summary>
    public async Task RemoveAsync(ITunnelHolder holder)
    {
        await _gate.WaitAsync();
        try
        {
            if (!_byHolder.TryGetValue(holder, out var own)) return;
            foreach (var tunnel in own.Values.ToList()) await RemoveAsync(tunnel);
            _byHolder.Remove(holder);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Forgets what belonged to a token that was revoked before. Its live tunnels go with their bonds.</summary>
    public async Task ForgetAsync(string token)
    {
        await _gate.WaitAsync();
        try
        {
            ownership.Forget(token);
        }
        finally
        {
            _gate.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var holder in _byHolder.Keys.ToList()) await RemoveAsync(holder);
        _gate.Dispose();
    }

    private ReadOnlySpan<char> NameIn(ReadOnlySpan<char> host)
    {
        var domain = _settings?.Domain;
        if (host is [.., '.']) host = host[..^1]; // the same name, written out to the root (RFC 1034 section 3.1)
        if (domain is null || host.Length <= domain.Length + 1 || host[^(domain.Length + 1)] != '.' || !host.EndsWith(domain, StringComparison.OrdinalIgnoreCase)) return default;
        return host[..^(domain.Length + 1)];
    }

    private async Task<ControlMessage> RegisterNameAsync(ITunnelHolder holder, RegisterTunnel request)
    {
        var name = request.Name ?? NameFor(holder, request);
        if (request.MayRename == true && ownership.OwnerOf(name) is { } other && other != holder.TokenId) name = NameBeside(name, holder);
        if (TunnelName.Problem(name) is { } problem) return Refuse(request, "name-invalid", $"The name \"{Shorten(name)}\" {problem}.");
        if (ownership.OwnerOf(name) is { } owner && owner != holder.TokenId) return Refuse(request, "name-taken", $"The name \"{name}\" belongs to another token.");
        if (_byName.TryGetValue(name, out var live) && Objection(live, holder, request, $"The name \"{name}\"") is { } objection) return Refuse(request, "name-taken", objection);
        if (!ownership.TryTake(name, holder.TokenId, _byName.ContainsKey)) return Refuse(request, "limit", $"The token has {Ownership.LimitPerToken} names in use; no more are given.");
        if (live is not null) await SupersedeAsync(live, holder);

        var tunnel = new HttpTunnel(holder, request, UrlOf($"{name}.{Settings.Domain}", Settings.HttpPort), name, Settings.Limits);
        _byName[name] = tunnel;
        Add(tunnel);
        return new TunnelReady(request.Tunnel, tunnel.Url, name, null);
    }

    private async Task<ControlMessage> RegisterPortAsync(ITunnelHolder holder, RegisterTunnel request)
    {
        // Which service it is: the same one gets the same port again after a restart, whatever number it has then.
        var service = string.Create(CultureInfo.InvariantCulture, $"{(request.Kind == TunnelKind.Tcp ? "tcp" : "http")}:{request.Local ?? request.Tunnel.ToString(CultureInfo.InvariantCulture)}");
        var former = ownership.PortsOf(holder.TokenId, holder.Instance, service);
        IEnumerable<int> candidates;
        if (request.RemotePort is { } wanted)
        {
            if (!Settings.TcpPorts.Contains(wanted)) return Refuse(request, "port-out-of-range", $"Port {wanted} is not in the relay's range {Settings.TcpPorts}.");
            if (ownership.OwnerOf(wanted) is { } owner && owner != holder.TokenId) return Refuse(request, "port-taken", $"Port {wanted} belongs to another token.");
            if (_byPort.TryGetValue(wanted, out var live) && Objection(live, holder, request, $"Port {wanted}") is { } objection) return Refuse(request, "port-taken", objection);
            candidates = [wanted];
        }
        else
        {
            candidates = [.. former.Where(port => MayReuse(port, holder)), .. FreePorts().Take(PortAttempts)];
        }

        foreach (var port in candidates)
        {
            if (_byPort.TryGetValue(port, out var live)) await SupersedeAsync(live, holder);
            Socket listener;
            try
            {
                listener = Acceptor.Bind(Settings.Listen, port, NetworkPlatform.Current);
            }
            catch (SocketException error) when (request.RemotePort is not null)
            {
                return Refuse(request, "port-taken", $"Port {port} cannot be opened on the relay: {error.Message}.");
            }
            catch (SocketException) // another program has it
            {
                continue;
            }
            return Open(holder, request, listener, service);
        }
        return Refuse(request, "no-port-left", $"The relay has no free port in its range {Settings.TcpPorts}.");
    }

    private ControlMessage Open(ITunnelHolder holder, RegisterTunnel request, Socket listener, string service)
    {
        var port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        if (!ownership.TryTake(port, holder.TokenId, holder.Instance, service, _byPort.ContainsKey))
        {
            listener.Dispose();
            return Refuse(request, "limit", $"The token has {Ownership.LimitPerToken} ports in use; no more are given.");
        }
        Tunnel tunnel = request.Kind == TunnelKind.Tcp
            ? new TcpTunnel(holder, request, $"tcp://{Bracketed(Settings.Host)}:{port}", listener, counter, connections, Settings.Limits.Time, log)
            : new HttpTunnel(holder, request, UrlOf(Settings.Host, port), Settings.Limits, listener, visitors, connections, log);
        _byPort[port] = tunnel;
        Add(tunnel);
        return new TunnelReady(request.Tunnel, tunnel.Url, null, port);
    }

    private bool MayReuse(int port, ITunnelHolder holder) =>
        Settings.TcpPorts.Contains(port) && (!_byPort.TryGetValue(port, out var live) || (IsSameAgent(live.Holder, holder) && live.Holder != holder));

    private IEnumerable<int> FreePorts()
    {
        var range = Settings.TcpPorts;
        if (range.IsEphemeral) yield return 0;
        else
            for (var port = range.First; port <= range.Last; port++)
                if (ownership.OwnerOf(port) is null && !_byPort.ContainsKey(port)) yield return port;
    }

    /// <returns>Why <paramref name="by"/> may not have what <paramref name="live"/> has; null if it may.</returns>
    private static string? Objection(Tunnel live, ITunnelHolder by, RegisterTunnel request, string what)
    {
        if (live.Holder == by) return $"{what} is used by tunnel {live.Number} of this agent already.";
        if (IsSameAgent(live.Holder, by) || live.Holder.SilentFor is not null || request.Takeover) return null;
        var since = live.Holder.Since.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
        return $"{what} is used by agent {Short(live.Holder.Instance)} of the same token since {since} UTC; --takeover takes it over.";
    }

    private static bool IsSameAgent(ITunnelHolder a, ITunnelHolder b) => a.Instance == b.Instance && a.TokenId == b.TokenId;

    private static string Short(Guid instance) => instance.ToString("N")[..8];

    private static string Shorten(string name) => name.Length <= 80 ? name : string.Concat(name.AsSpan(0, 80), "...");

    private async Task SupersedeAsync(Tunnel live, ITunnelHolder by)
    {
        await RemoveAsync(live);
        if (IsSameAgent(live.Holder, by)) return; // its own former bond: nobody is left to be told
        log.TunnelTakenOver(live.Url, by.Instance);
        live.Holder.TellSuperseded(new TunnelSuperseded(live.Number, Short(by.Instance), $"{live.Url} was taken over by agent {Short(by.Instance)} of the same token."));
    }

    private void Add(Tunnel tunnel)
    {
        _byHolder[tunnel.Holder][tunnel.Number] = tunnel;
        CountHttp();
    }

    private async Task RemoveAsync(Tunnel tunnel)
    {
        _byHolder[tunnel.Holder].Remove(tunnel.Number);
        if (tunnel is HttpTunnel { Name: { } name }) _byName.TryRemove(KeyValuePair.Create(name, (HttpTunnel)tunnel));
        foreach (var (port, other) in _byPort)
            if (other == tunnel) _byPort.Remove(port);
        CountHttp();
        await tunnel.DisposeAsync();
        log.TunnelClosed(tunnel.Url);
    }

    private void CountHttp()
    {
        using var all = _byHolder.Values.SelectMany(own => own.Values).OfType<HttpTunnel>().GetEnumerator();
        var first = all.MoveNext() ? all.Current : null;
        _only = first is not null && all.MoveNext() ? null : first;
    }

    // Agents name their tunnels; one that does not gets a name that stays the same.
    private static string NameFor(ITunnelHolder holder, RegisterTunnel request) =>
        $"t-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{holder.TokenId} {holder.Instance} {request.Local}")).AsSpan(0, 4))}";

    // The same on every attempt, so that the URL stays.
    private static string NameBeside(string name, ITunnelHolder holder)
    {
        var suffix = $"-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{holder.TokenId} {name}")).AsSpan(0, 3))}";
        return name[..Math.Min(name.Length, TunnelName.MaxLength - suffix.Length)] + suffix;
    }

    private static string UrlOf(string host, int port) => port == 80 ? $"http://{Bracketed(host)}" : $"http://{Bracketed(host)}:{port}";

    private static string Bracketed(string host) => host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host;

    private static TunnelRefused Refuse(RegisterTunnel request, string code, string message) => new(request.Tunnel, code, message);
}

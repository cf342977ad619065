using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Bondline.Protocol;
using Bondline.Transport;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Bondline.Relay;

/// <summary>A relay: the public side of tunnels. Start it once, stop it once.</summary>
public sealed class RelayServer : IAsyncDisposable
{
    private const string HostSetting = "host";

    /// <summary>An agent opens one stream, the control stream. With what the protocol lets everybody open, memory for streams that say nothing stays small.</summary>
    private const int AgentStreams = 128;

    /// <summary>What requests under way have to finish when the relay stops.</summary>
    public static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(2);

    private readonly RelayOptions _options;
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _log;

    // In the order of their making; stopping goes backwards.
    private readonly Stack<Func<ValueTask>> _undo = new();
    private RelayStore? _store;
    private RelayIdentity? _identity;
    private Func<CertificateAuthority>? _authority;
    private TokenDirectory? _tokens;
    private Ownership? _ownership;
    private TunnelTable? _tunnels;
    private readonly DescriptorShares _shares;
    private readonly VisitorCounter _visitors;
    private BondHost? _bonds;
    private RelayListening? _listening;
    private HostPort _host;
    private CancellationToken _now;

    /// <param name="options">What it is to be.</param>
    /// <param name="loggers">Default null: it says nothing.</param>
    public RelayServer(RelayOptions options, ILoggerFactory? loggers = null)
    {
        _options = options;
        _loggers = loggers ?? NullLoggerFactory.Instance;
        _log = _loggers.CreateLogger("Bondline.Relay");
        _shares = DescriptorShares.Of(options.MaxOpenFiles ?? NetworkPlatform.Current.MaxOpenFiles, options.IsEmbedded);
        _visitors = new(NetworkPlatform.Current, new VisitorAdmission(_shares.Visitors, _shares.VisitorsOfOneSource, options.TimeProvider, _log));
    }

    /// <summary>Where it listens, once it does.</summary>
    public RelayListening Listening => _listening ?? throw new InvalidOperationException("The relay does not listen yet.");

    /// <summary>The join URL of the token that a first start makes; null if there were tokens before.</summary>
    public JoinUrl? FirstJoinUrl { get; private set; }

    /// <summary>Starts it; when this returns, it takes agents and visitors.</summary>
    /// <exception cref="RelayException">A port was refused, the data folder cannot be used, or the options are wrong. Nothing is left behind.</exception>
    public async Task<RelayListening> StartAsync(CancellationToken cancellationToken = default)
    {
        if (_options.Problems() is { Count: > 0 } problems) throw new RelayException("usage", string.Join("; ", problems));
        try
        {
            return await OpenAsync(cancellationToken);
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts it, calls <paramref name="started"/>, and runs until <paramref name="stop"/> is cancelled.</summary>
    /// <param name="started">It takes agents and visitors.</param>
    /// <param name="stop">Ends it as <see cref="StopAsync"/> does.</param>
    /// <param name="now">Cuts the requests that are still under way then.</param>
    public async Task RunAsync(Action<RelayServer> started, CancellationToken stop, CancellationToken now)
    {
        _now = now;
        await StartAsync(stop);
        started(this);
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (stop.Register(stopped.SetResult)) await stopped.Task;
        await StopAsync();
    }

    /// <summary>Looks whether names under the domain lead here; takes some seconds at most.</summary>
    /// <returns>What to tell the operator, in lines; null if all is well or there is no domain.</returns>
    public Task<string?> CheckDomainAsync(CancellationToken stop) =>
        _options.Domain is null ? Task.FromResult<string?>(null) : DomainCheck.RunAsync(_options.Domain, _options.Listen, _options.TimeProvider, stop);

    /// <summary>Its numbers now. Each look at a visitor or agent that came by Multipath TCP is a system call.</summary>
    public RelayStatistics Snapshot()
    {
        var bonds = _bonds?.Bonds ?? [];
        return new(_bonds?.Statistics ?? default, bonds.Count, bonds.Count(bond => bond.IsMultipath), _visitors.Count());
    }

    /// <summary>Makes a token and its join URL.</summary>
    /// <param name="name">For its operator.</param>
    /// <param name="address"><c>HOST[:PORT]</c> agents are to dial; null for what the relay knows of itself.</param>
    /// <exception cref="RelayException">The name or the address is not usable, or the name is taken.</exception>
    public JoinUrl CreateToken(string name, string? address = null)
    {
        var (directory, key) = (_tokens, _identity);
        if (directory is null || key is null) throw new InvalidOperationException("The relay is not running.");
        var url = RelayTokens.CreateJoinUrl(directory, key, name, RelayTokens.ParseHost(address, _host));
        _log.TokenCreated(name);
        return url;
    }

    /// <summary>Takes nothing new, gives requests under way a moment, closes the bonds; agents dial again and find their tunnels when the relay is back.</summary>
    public Task StopAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        while (_undo.TryPop(out var step)) await step();
    }

    private async Task<RelayListening> OpenAsync(CancellationToken cancellationToken)
    {
        var isInMemory = _options.IsEmbedded && _options.DataDirectory is null;
        var folder = isInMemory ? null : DataFolder.Open(_options.DataDirectory);
        if (folder is not null) Undo((IDisposable)DataFolder.Lock(folder));
        Undo(_store = RelayStore.Open(folder is null ? null : RelayTokens.StoreIn(folder)));
        Undo(_identity = folder is null ? RelayIdentity.Create() : RelayIdentity.LoadOrCreate(folder));
        _authority = Authority(folder);
        _tokens = new TokenDirectory(_store, _options.TimeProvider);
        _ownership = new Ownership(_store, _options.TimeProvider, _log);

        var https = Bind(_options.HttpsPort, "--https-port 8443");
        var http = Bind(_options.HttpPort, "--http-port 8000");
        var domain = _options.Domain?.ToLowerInvariant() ?? (_options is { IsEmbedded: true, Listen: { } here } && IPAddress.IsLoopback(here) ? "localhost" : null);
        var address = _options.Listen is { } only && !IsAny(only) ? only : null;
        var publicHost = _options.Domain ?? (address ?? _options.Address ?? PublicAddress.Find()).ToString();
        _listening = new RelayListening(domain, (IPEndPoint)https.LocalEndPoint!, (IPEndPoint)http.LocalEndPoint!, _options.TcpPorts, NetworkPlatform.Current.IsMultipath(https));
        _host = new HostPort(publicHost, _listening.Https.Port);
        _store.SaveSetting(HostSetting, _host.ToString());

        var certificate = _identity.CreateCertificate(domain, address, _options.TimeProvider.GetUtcNow());
        Undo(certificate);
        await OpenEdgesAsync(https, http, certificate, publicHost, cancellationToken);
        if (folder is not null) Undo(new TokenSocket(TokenSocket.Listen(folder), HandleAsync, _options.TimeProvider, _log));
        if (!_options.IsEmbedded) MakeFirstToken(folder!);
        _log.Listening(_listening.Https.ToString(), _listening.Http.ToString(), _listening.TcpPorts.ToString(),
            _listening.IsMultipath ? "TCP and MPTCP" : "plain TCP only: this system has no MPTCP for us, one that is too old, or it is off (net.mptcp.enabled)");
        return _listening;
    }

    /// <summary>Makes one only where there never was any: whoever revoked them all wants nobody in.</summary>
    private void MakeFirstToken(string folder)
    {
        var all = _tokens!.All;
        if (all.Count == 0) FirstJoinUrl = CreateToken("first");
        else if (all.All(token => token.Revoked is not null)) _log.NoTokenLeft(folder);
    }

    private async Task OpenEdgesAsync(Socket https, Socket http, X509Certificate2 certificate, string publicHost, CancellationToken cancellationToken)
    {
        var connections = new ServedConnections(_log);
        var door = new KestrelDoor(_visitors, _log);
        Undo(door);
        _tunnels = new TunnelTable(_ownership!, _tokens!, (tunnel, socket) => door.EnterAsync(socket, DoorEndPoint.Plain, tunnel), _visitors, connections, _log)
        {
            Settings = new TunnelSettings(_listening!.Domain, publicHost, _options.Listen, _options.TcpPorts, _listening.Http.Port, _options.Http),
        };
        var certificates = new VisitorCertificates(_authority!, _listening.Domain, publicHost, name => _tunnels.Find(name) is not null, _options.TimeProvider);
        Undo(certificates);
        var edge = new HttpEdge(_tunnels, door, certificates, _options.IsEmbedded, _options.Http, _loggers);
        Undo(edge);
        await edge.StartAsync(cancellationToken);

        _bonds = new BondHost(new BondHostOptions
        {
            Identity = certificate,
            RelayId = _identity!.RelayId,
            Authenticator = _tokens!,
            KeepTime = _options.KeepTime,
            MaxHandshakes = _shares.Handshakes,
            TimeProvider = _options.TimeProvider,
            Log = new TransportLog(_log),
            Record = _options.Record,
            Bond = BondOptions.Default with { MaxStreams = AgentStreams },
        })
        { OnBond = ServeBondAsync };
        var plainAnswer = $"This port speaks TLS. Plain HTTP is on port {_listening.Http.Port}.\n";
        var tls = new TlsEdge(_bonds, socket => door.EnterAsync(socket, DoorEndPoint.Tls, null), plainAnswer, _shares.Undecided, _options.TimeProvider, _log);
        _undo.Push(async () =>
        {
            using var late = new CancellationTokenSource(DrainTime, _options.TimeProvider);
            using var drained = CancellationTokenSource.CreateLinkedTokenSource(late.Token, _now);
            await edge.StopAsync(drained.Token);
            await _bonds.DisposeAsync(); // which resets what is left of visitors
            await _tunnels.DisposeAsync();
            tls.Dispose();
            await connections.WhenEmptyAsync();
        });

        var tlsAcceptor = new Acceptor(https, tls.ServeAsync, connections, _log);
        var httpAcceptor = new Acceptor(http, socket => door.EnterAsync(socket, DoorEndPoint.Plain, null), connections, _log);
        Undo(tlsAcceptor);
        Undo(httpAcceptor);
    }

    private async Task ServeBondAsync(RelayBond bond, CancellationToken stop)
    {
        _log.AgentJoined(bond.Id, bond.Instance, _tokens!.NameOf(bond.TokenId));
        // It may have been revoked between the handshake's look at it and now, when CloseBonds could not see this bond yet.
        if (!_tokens.IsValid(bond.TokenId)) await bond.CloseAsync(ProtocolError.TokenRevoked, "The token was revoked.");
        else await new AgentSession(bond, _tunnels!, _options.TimeProvider, _log).RunAsync(stop);
        _log.AgentLeft(bond.Id);
    }

    private async Task<TokenReply> HandleAsync(TokenRequest request)
    {
        switch (request.Verb)
        {
            case TokenVerb.Create:
                return new TokenReply(JoinUrl: CreateToken(request.Name ?? "", request.Host).Format());
            case TokenVerb.Revoke:
                var token = _tokens!.Revoke(request.Name ?? "");
                _bonds!.CloseBonds(bond => bond.TokenId == token.Id, ProtocolError.TokenRevoked, "The token was revoked.");
                await _tunnels!.ForgetAsync(token.Id);
                _log.TokenRevoked(token.Name);
                return new TokenReply();
            default:
                return new TokenReply(Tokens: RelayTokens.View(_tokens!));
        }
    }

    private Socket Bind(int port, string alternative)
    {
        try
        {
            var socket = Acceptor.Bind(_options.Listen, port, NetworkPlatform.Current);
            Undo(socket);
            return socket;
        }
        catch (SocketException error) when (port == 0)
        {
            throw new RelayException("listen-refused", $"the system has no port left to listen on: {error.Message.TrimEnd('.')}", "See what has them with \"ss -tan\"");
        }
        catch (SocketException error)
        {
            var where = _options.Listen is null ? $"port {port}" : $"{new IPEndPoint(_options.Listen, port)}";
            var next = error.SocketErrorCode == SocketError.AccessDenied
                ? $"Allow it with \"sudo setcap cap_net_bind_service=+ep {Environment.ProcessPath}\", again after each update, or take another: {alternative}"
                : $"See who has it with \"ss -ltnp\", or take another: {alternative}";
            throw new RelayException("listen-refused", $"cannot listen on {where}: {error.Message.TrimEnd('.')}", next);
        }
    }

    /// <summary>A root that is kept is read at the start, where its faults can be told; one that is not kept waits for a visitor.</summary>
    private Func<CertificateAuthority> Authority(string? folder)
    {
        if (folder is null) return () => CertificateAuthority.Create(_options.TimeProvider.GetUtcNow());
        var kept = CertificateAuthority.LoadOrCreate(folder, _options.TimeProvider.GetUtcNow());
        Undo(kept);
        return () => kept;
    }

    private static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);

    private void Undo(IDisposable made) => _undo.Push(() =>
    {
        made.Dispose();
        return ValueTask.CompletedTask;
    });

    private void Undo(IAsyncDisposable made) => _undo.Push(made.DisposeAsync);
}

/// <summary>A relay's numbers at one moment.</summary>
/// <param name="Bytes">Counters since the relay started, over all bonds: sent is towards agents.</param>
/// <param name="Agents">Bonds that are open, those without a network for the moment included.</param>
/// <param name="MultipathAgents">Of these, those with a subflow that is a Multipath TCP connection.</param>
/// <param name="Visitors">Who came to the tunnels.</param>
public sealed record RelayStatistics(BondStatistics Bytes, int Agents, int MultipathAgents, VisitorStatistics Visitors);

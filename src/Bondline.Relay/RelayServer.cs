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

    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(2);

    private readonly RelayOptions options;
    private readonly ILoggerFactory loggers;
    private readonly ILogger log;

    // In the order of their making; stopping goes backwards.
    private readonly Stack<Func<ValueTask>> undo = new();
    private RelayStore? store;
    private RelayIdentity? identity;
    private TokenDirectory? tokens;
    private Ownership? ownership;
    private TunnelTable? tunnels;
    private BondHost? bonds;
    private RelayListening? listening;
    private HostPort host;

    /// <param name="options">What it is to be.</param>
    /// <param name="loggers">Default null: it says nothing.</param>
    public RelayServer(RelayOptions options, ILoggerFactory? loggers = null)
    {
        this.options = options;
        this.loggers = loggers ?? NullLoggerFactory.Instance;
        log = this.loggers.CreateLogger("Bondline.Relay");
    }

    /// <summary>Where it listens, once it does.</summary>
    public RelayListening Listening => listening ?? throw new InvalidOperationException("The relay does not listen yet.");

    /// <summary>The join URL of the token that a first start makes; null if there were tokens before.</summary>
    public JoinUrl? FirstJoinUrl { get; private set; }

    /// <summary>Starts it; when this returns, it takes agents and visitors.</summary>
    /// <exception cref="RelayException">A port was refused, the data folder cannot be used, or the options are wrong. Nothing is left behind.</exception>
    public async Task<RelayListening> StartAsync(CancellationToken cancellationToken = default)
    {
        if (options.Problems() is { Count: > 0 } problems) throw new RelayException("usage", string.Join("; ", problems));
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
    public async Task RunAsync(Action<RelayServer> started, CancellationToken stop)
    {
        await StartAsync(stop);
        started(this);
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (stop.Register(stopped.SetResult)) await stopped.Task;
        await StopAsync();
    }

    /// <summary>Looks whether names under the domain lead here; takes some seconds at most.</summary>
    /// <returns>What to tell the operator, in lines; null if all is well or there is no domain.</returns>
    public Task<string?> CheckDomainAsync(CancellationToken stop) =>
        options.Domain is null ? Task.FromResult<string?>(null) : DomainCheck.RunAsync(options.Domain, options.Listen, options.TimeProvider, stop);

    /// <summary>Makes a token and its join URL.</summary>
    /// <param name="name">For its operator.</param>
    /// <param name="address"><c>HOST[:PORT]</c> agents are to dial; null for what the relay knows of itself.</param>
    /// <exception cref="RelayException">The name or the address is not usable, or the name is taken.</exception>
    public JoinUrl CreateToken(string name, string? address = null)
    {
        var (directory, key) = (tokens, identity);
        if (directory is null || key is null) throw new InvalidOperationException("The relay is not running.");
        var url = RelayTokens.CreateJoinUrl(directory, key, name, RelayTokens.ParseHost(address, host));
        log.TokenCreated(name);
        return url;
    }

    /// <summary>Takes nothing new, gives requests under way a moment, closes the bonds; agents dial again and find their tunnels when the relay is back.</summary>
    public Task StopAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        while (undo.TryPop(out var step)) await step();
    }

    private async Task<RelayListening> OpenAsync(CancellationToken cancellationToken)
    {
        var isInMemory = options.IsEmbedded && options.DataDirectory is null;
        var folder = isInMemory ? null : DataFolder.Open(options.DataDirectory);
        if (folder is not null) Undo((IDisposable)DataFolder.Lock(folder));
        Undo(store = RelayStore.Open(folder is null ? null : RelayTokens.StoreIn(folder)));
        Undo(identity = folder is null ? RelayIdentity.Create() : RelayIdentity.LoadOrCreate(folder));
        tokens = new TokenDirectory(store, options.TimeProvider);
        ownership = new Ownership(store, options.TimeProvider);

        var https = Bind(options.HttpsPort, "--https-port 8443");
        var http = Bind(options.HttpPort, "--http-port 8000");
        var domain = options.Domain?.ToLowerInvariant() ?? (options.IsEmbedded ? "localhost" : null);
        var address = options.Listen is { } only && !IsAny(only) ? only : null;
        var publicHost = options.Domain ?? (address ?? PublicAddress.Find()).ToString();
        listening = new RelayListening(domain, (IPEndPoint)https.LocalEndPoint!, (IPEndPoint)http.LocalEndPoint!, options.TcpPorts);
        host = new HostPort(publicHost, listening.Https.Port);
        store.SaveSetting(HostSetting, host.ToString());

        var certificate = identity.CreateCertificate(domain, address, options.TimeProvider.GetUtcNow());
        Undo(certificate);
        await OpenEdgesAsync(https, http, certificate, publicHost, cancellationToken);
        if (folder is not null) Undo(new TokenSocket(folder, HandleAsync, log));
        if (!options.IsEmbedded && !tokens.All.Any(token => token.Revoked is null)) FirstJoinUrl = CreateToken("first");
        log.Listening(listening.Https.ToString(), listening.Http.ToString(), listening.TcpPorts.ToString());
        return listening;
    }

    private async Task OpenEdgesAsync(Socket https, Socket http, X509Certificate2 certificate, string publicHost, CancellationToken cancellationToken)
    {
        var connections = new ServedConnections(log);
        var door = new KestrelDoor(log);
        Undo(door);
        tunnels = new TunnelTable(ownership!, (tunnel, socket) => door.EnterAsync(socket, DoorEndPoint.Plain, tunnel), connections, log)
        {
            Settings = new TunnelSettings(listening!.Domain, publicHost, options.Listen, options.TcpPorts, listening.Http.Port),
        };
        var edge = new HttpEdge(tunnels, door, certificate, options.IsEmbedded, loggers);
        Undo(edge);
        await edge.StartAsync(cancellationToken);

        bonds = new BondHost(new BondHostOptions
        {
            Identity = certificate,
            RelayId = identity!.RelayId,
            Authenticator = tokens!,
            KeepTime = options.KeepTime,
            TimeProvider = options.TimeProvider,
            Log = new TransportLog(log),
        })
        { OnBond = ServeBondAsync };
        var plainAnswer = $"This port speaks TLS. Plain HTTP is on port {listening.Http.Port}.\n";
        var tls = new TlsEdge(bonds, socket => door.EnterAsync(socket, DoorEndPoint.Tls, null), plainAnswer, options.TimeProvider, log);
        undo.Push(async () =>
        {
            using var drained = new CancellationTokenSource(DrainTime, options.TimeProvider);
            await edge.StopAsync(drained.Token);
            await bonds.DisposeAsync(); // which resets what is left of visitors
            await tunnels.DisposeAsync();
            tls.Dispose();
            await connections.WhenEmptyAsync();
        });

        var tlsAcceptor = new Acceptor(https, tls.ServeAsync, connections, log);
        var httpAcceptor = new Acceptor(http, socket => door.EnterAsync(socket, DoorEndPoint.Plain, null), connections, log);
        Undo(tlsAcceptor);
        Undo(httpAcceptor);
    }

    private async Task ServeBondAsync(RelayBond bond, CancellationToken stop)
    {
        log.AgentJoined(bond.Id, bond.Instance, tokens!.NameOf(bond.TokenId));
        // It may have been revoked between the handshake's look at it and now, when CloseBonds could not see this bond yet.
        if (!tokens.IsValid(bond.TokenId)) await bond.CloseAsync(ProtocolError.TokenRevoked, "The token was revoked.");
        else await new AgentSession(bond, tunnels!, log).RunAsync(stop);
        log.AgentLeft(bond.Id);
    }

    private async Task<TokenReply> HandleAsync(TokenRequest request)
    {
        switch (request.Verb)
        {
            case TokenVerb.Create:
                return new TokenReply(JoinUrl: CreateToken(request.Name ?? "", request.Host).Format());
            case TokenVerb.Revoke:
                var token = tokens!.Revoke(request.Name ?? "");
                bonds!.CloseBonds(bond => bond.TokenId == token.Id, ProtocolError.TokenRevoked, "The token was revoked.");
                await tunnels!.ForgetAsync(token.Id);
                log.TokenRevoked(token.Name);
                return new TokenReply();
            default:
                return new TokenReply(Tokens: RelayTokens.View(tokens!));
        }
    }

    private Socket Bind(int port, string alternative)
    {
        try
        {
            var socket = Acceptor.Bind(options.Listen, port);
            Undo(socket);
            return socket;
        }
        catch (SocketException error)
        {
            var where = options.Listen is null ? $"port {port}" : $"{new IPEndPoint(options.Listen, port)}";
            var next = error.SocketErrorCode == SocketError.AccessDenied
                ? $"Allow it with \"sudo setcap cap_net_bind_service=+ep {Environment.ProcessPath}\", or take another: {alternative}"
                : $"See who has it with \"ss -ltnp\", or take another: {alternative}";
            throw new RelayException("listen-refused", $"cannot listen on {where}: {error.Message.TrimEnd('.')}", next);
        }
    }

    private static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);

    private void Undo(IDisposable made) => undo.Push(() =>
    {
        made.Dispose();
        return ValueTask.CompletedTask;
    });

    private void Undo(IAsyncDisposable made) => undo.Push(made.DisposeAsync);
}

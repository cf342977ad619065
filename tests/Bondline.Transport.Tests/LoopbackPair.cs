using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Transport.Tests;

/// <summary>An agent's link and a relay's host in one process over real loopback sockets, with a switch between them that can cut and refuse connections.</summary>
internal sealed class LoopbackPair : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly ConcurrentDictionary<Socket, byte> _accepted = new();
    private readonly Channel<RelayBond> _relayBonds = Channel.CreateUnbounded<RelayBond>();
    private readonly Channel<AgentBond> _agentBonds = Channel.CreateUnbounded<AgentBond>();
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private readonly X509Certificate2 _identity;
    private int _acceptedCount;

    public LoopbackPair(Func<BondHostOptions, BondHostOptions>? relay = null)
    {
        _identity = CreateIdentity();
        var options = new BondHostOptions { Identity = _identity, RelayId = 7, Authenticator = Authenticator, Log = Log };
        Host = new(relay?.Invoke(options) ?? options) { OnBond = KeepRelayBondAsync };
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        _accepting = AcceptAsync();
    }

    public TestLog Log { get; } = new();

    public TestAuthenticator Authenticator { get; } = new();

    public BondHost Host { get; private set; }

    public IPEndPoint EndPoint => (IPEndPoint)_listener.LocalEndPoint!;

    /// <summary>Connections are accepted and closed at once with a reset.</summary>
    public bool IsRefusing { get; set; }

    /// <summary>Connections accepted so far.</summary>
    public int Accepted => Volatile.Read(ref _acceptedCount);

    public JoinUrl Join => new(Authenticator.Token, [new HostPort("127.0.0.1", EndPoint.Port)], [Host.Pin]);

    public static X509Certificate2 CreateIdentity()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=relay", key, HashAlgorithmName.SHA256);
        // Long over: with a pin, dates mean nothing.
        return request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddDays(1));
    }

    public AgentLink CreateLink(Func<AgentLinkOptions, AgentLinkOptions>? agent = null)
    {
        var options = new AgentLinkOptions { Join = Join, Instance = Guid.NewGuid(), Log = Log };
        return new(agent?.Invoke(options) ?? options);
    }

    public Task RunAsync(AgentLink link, CancellationToken stop) => link.RunAsync(KeepAgentBondAsync, stop);

    /// <summary>A link that runs until it is disposed, with the first bond at both ends.</summary>
    public async Task<RunningLink> OpenAsync(Func<AgentLinkOptions, AgentLinkOptions>? agent = null)
    {
        var link = CreateLink(agent);
        var stop = new CancellationTokenSource();
        var run = RunAsync(link, stop.Token);
        return new(link, run, stop, await NextAgentBondAsync(), await NextRelayBondAsync());
    }

    public async Task<AgentBond> NextAgentBondAsync() => await _agentBonds.Reader.ReadAsync().AsTask().WaitAsync(Patience);

    public async Task<RelayBond> NextRelayBondAsync() => await _relayBonds.Reader.ReadAsync().AsTask().WaitAsync(Patience);

    /// <summary>Resets every connection at the relay's end.</summary>
    public void CutAll()
    {
        foreach (var socket in _accepted.Keys)
        {
            try
            {
                socket.LingerState = new LingerOption(true, 0);
                socket.Dispose();
            }
            catch (ObjectDisposedException)
            {
                // over already
            }
        }
    }

    /// <summary>The relay's process ends and another one begins with the same key.</summary>
    public async Task RestartRelayAsync()
    {
        var old = Host;
        Host = new(new BondHostOptions { Identity = _identity, RelayId = 7, Authenticator = Authenticator, Log = Log }) { OnBond = KeepRelayBondAsync };
        CutAll();
        await old.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await Host.DisposeAsync();
        await _accepting;
        _identity.Dispose();
        _stop.Dispose();
        Assert.Empty(Log.Bugs);
    }

    private async Task AcceptAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true)
            {
                var socket = await _listener.AcceptAsync(_stop.Token);
                Interlocked.Increment(ref _acceptedCount);
                if (IsRefusing)
                {
                    socket.LingerState = new LingerOption(true, 0);
                    socket.Dispose();
                    continue;
                }

                _accepted.TryAdd(socket, 0);
                connections.Add(HandleAsync(socket));
            }
        }
        catch (Exception over) when (over is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task HandleAsync(Socket socket)
    {
        await Host.HandleConnectionAsync(socket, CancellationToken.None);
        _accepted.TryRemove(socket, out _);
    }

    private async Task KeepRelayBondAsync(RelayBond bond, CancellationToken over)
    {
        await _relayBonds.Writer.WriteAsync(bond, over);
        await bond.Completion;
    }

    private async Task KeepAgentBondAsync(AgentBond bond, CancellationToken over)
    {
        await _agentBonds.Writer.WriteAsync(bond, over);
        await bond.Completion;
    }
}

internal sealed record RunningLink(AgentLink Link, Task Run, CancellationTokenSource Stop, AgentBond Agent, RelayBond Relay) : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        await Stop.CancelAsync();
        await Run.WaitAsync(LoopbackPair.Patience);
        await Link.DisposeAsync();
        Stop.Dispose();
    }
}

internal sealed class TestAuthenticator : IAgentAuthenticator
{
    public Token Token { get; } = new("laptop", new SecretBytes(RandomNumberGenerator.GetBytes(32)));

    public AuthenticationResult Answer { get; set; } = AuthenticationResult.Accepted;

    /// <summary>How often a token was shown.</summary>
    public int Asked { get; private set; }

    /// <summary>Runs while a token is looked at.</summary>
    public Func<Task> Looking { get; set; } = () => Task.CompletedTask;

    public async ValueTask<AuthenticationResult> AuthenticateAsync(Token token, CancellationToken cancellationToken)
    {
        Asked++;
        await Looking();
        return token == Token ? Answer : new(ProtocolError.TokenRefused, "unknown token");
    }
}

/// <summary>Keeps what must not happen, and lets a test wait for what must.</summary>
internal sealed class TestLog : ITransportLog
{
    public ConcurrentQueue<string> Lines { get; } = new();

    public ConcurrentQueue<string> Bugs { get; } = new();

    public void BondEnded(BondId bond, BondEnd end) => Lines.Enqueue($"bond ended: {end}");

    public void BondSilent(BondId bond) => Lines.Enqueue("bond silent");

    public void SubflowJoined(BondId bond, SubflowId subflow, string path, TimeSpan rtt) => Lines.Enqueue($"{subflow} joined on {path}, {rtt.TotalMilliseconds:0.0} ms");

    public void SubflowEnded(BondId bond, SubflowId subflow, string path, string why) => Lines.Enqueue($"{subflow} ended on {path}: {why}");

    public void SubflowChanged(BondId bond, SubflowId subflow, string path, SubflowState state, SubflowReason reason) => Lines.Enqueue($"{subflow} on {path}: {state} {reason}");

    public void DialFailed(string path, EndPoint remote, string why) => Lines.Enqueue($"dial failed on {path}: {why}");

    public void HandshakeFailed(EndPoint? remote, ProtocolError error, string why) => Lines.Enqueue($"handshake failed: {error} {why}");

    public void Unexpected(string where, Exception exception) => Bugs.Enqueue($"{where}: {exception}");
}

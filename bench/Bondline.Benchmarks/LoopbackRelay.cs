using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Benchmarks;

/// <summary>A relay's host on a loopback port.</summary>
internal sealed class LoopbackRelay : IAgentAuthenticator, IAsyncDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Channel<RelayBond> _bonds = Channel.CreateUnbounded<RelayBond>();
    private readonly Token _token = new("bench", new SecretBytes(RandomNumberGenerator.GetBytes(32)));
    private readonly BondHost _host;

    public LoopbackRelay()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Identity = new CertificateRequest("CN=bench", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue);
        _host = new(new BondHostOptions { Identity = Identity, RelayId = 1, Authenticator = this })
        {
            OnBond = async (bond, over) =>
            {
                await _bonds.Writer.WriteAsync(bond, over);
                await bond.Completion;
            },
        };
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(1024);
        Accepting = AcceptAsync();
    }

    public X509Certificate2 Identity { get; }

    public Task Accepting { get; }

    public ValueTask<AuthenticationResult> AuthenticateAsync(Token token, CancellationToken cancellationToken) => new(AuthenticationResult.Accepted);

    /// <summary>Both ends of a new bond, whose agent is in this process.</summary>
    public async Task<(AgentBond Agent, RelayBond Relay)> OpenAsync()
    {
        var agent = await OpenAgentAsync(Join);
        return (agent, await _bonds.Reader.ReadAsync());
    }

    private JoinUrl Join => new(_token, [new HostPort("127.0.0.1", ((IPEndPoint)_listener.LocalEndPoint!).Port)], [_host.Pin]);

    /// <summary>An agent's link that runs until the process ends.</summary>
    private static async Task<AgentBond> OpenAgentAsync(JoinUrl join)
    {
        var link = new AgentLink(new AgentLinkOptions { Join = join, Instance = Guid.NewGuid() });
        var opened = new TaskCompletionSource<AgentBond>();
        var run = link.RunAsync(
            async (bond, _) =>
            {
                opened.SetResult(bond);
                await bond.Completion;
            },
            CancellationToken.None);
        var first = await Task.WhenAny(opened.Task, run);
        if (first == run) await run;
        return await opened.Task;
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await Accepting;
        await _host.DisposeAsync();
        Identity.Dispose();
    }

    private async Task AcceptAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true) connections.Add(_host.HandleConnectionAsync(await _listener.AcceptAsync(), CancellationToken.None));
        }
        catch (Exception over) when (over is SocketException or ObjectDisposedException)
        {
            return;
        }
    }
}

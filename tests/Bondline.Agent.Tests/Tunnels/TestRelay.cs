using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using Bondline.Protocol;
using Bondline.Transport;
using Xunit;

namespace Bondline.Agent.Tests;

/// <summary>The least a relay can be: takes bonds over real sockets on loopback and lets the test speak for it.</summary>
internal sealed class TestRelay : IAsyncDisposable, IAgentAuthenticator
{
    private readonly X509Certificate2 _certificate = MakeCertificate();
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<TestAgent> _agents = Channel.CreateUnbounded<TestAgent>();
    private readonly BondHost _host;
    private readonly Task _accepting;

    public TestRelay()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        _host = new BondHost(new BondHostOptions { Identity = _certificate, RelayId = 7, Authenticator = this }) { OnBond = ServeAsync };
        Join = new(new Token("test", new SecretBytes(RandomNumberGenerator.GetBytes(32))), [new HostPort("127.0.0.1", ((IPEndPoint)_listener.LocalEndPoint!).Port)], [_host.Pin]);
        _accepting = AcceptAsync();
    }

    public JoinUrl Join { get; }

    /// <summary>What the relay says to the next agents' tokens.</summary>
    public AuthenticationResult Answer { get; set; } = AuthenticationResult.Accepted;

    public BondHost Host => _host;

    /// <summary>The next bond an agent opened.</summary>
    public async Task<TestAgent> AgentAsync() => await _agents.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(20));

    public ValueTask<AuthenticationResult> AuthenticateAsync(Token token, CancellationToken cancellationToken) => new(Answer);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        await _host.DisposeAsync();
        _certificate.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var connections = new List<Task>();
        try
        {
            while (true) connections.Add(_host.HandleConnectionAsync(await _listener.AcceptAsync(_stop.Token), _stop.Token));
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(connections);
        }
    }

    private async Task ServeAsync(RelayBond bond, CancellationToken over)
    {
        if (await bond.AcceptStreamAsync(over) is not { } control) return;
        _agents.Writer.TryWrite(new(bond, control));
        await bond.Completion;
    }

    private static X509Certificate2 MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var now = DateTimeOffset.UtcNow;
        return new CertificateRequest("CN=relay", key, HashAlgorithmName.SHA256).CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    }
}

/// <summary>One bond of an agent as the relay sees it.</summary>
internal sealed class TestAgent(RelayBond bond, BondStream control)
{
    private readonly PipeReader _reader = PipeReader.Create(control);

    public RelayBond Bond => bond;

    public StreamHeader ControlHeader => control.Header;

    public async Task<T> ReceiveAsync<T>()
        where T : ControlMessage
    {
        while (true)
        {
            var result = await _reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(20));
            var input = result.Buffer;
            var isRead = ControlCodec.TryRead(ref input, out var message);
            _reader.AdvanceTo(input.Start, isRead ? input.Start : input.End);
            if (message is not null) return Assert.IsType<T>(message);
            Assert.False(result.IsCompleted, $"the agent ended the control stream before it sent {typeof(T).Name}");
        }
    }

    public async Task SendAsync(ControlMessage message)
    {
        var line = new ArrayBufferWriter<byte>();
        ControlCodec.Write(message, line);
        await control.WriteAsync(line.WrittenMemory);
    }

    /// <summary>As a relay that cannot go on with it.</summary>
    public void AbortControl() => control.Abort(StreamError.Cancelled);

    /// <summary>Takes the agent's registration and says where visitors come in.</summary>
    public async Task<RegisterTunnel> AcceptTunnelAsync()
    {
        var registration = await ReceiveAsync<RegisterTunnel>();
        await SendAsync(new TunnelReady(registration.Tunnel, $"tcp://relay.test:{7000 + registration.Tunnel}", null, (int)(7000 + registration.Tunnel)));
        return registration;
    }

    public ValueTask<BondStream> VisitAsync(ulong tunnel = 1, StreamKind kind = StreamKind.Tcp) =>
        bond.OpenStreamAsync(new StreamHeader { Kind = kind, Tunnel = tunnel, Visitor = new IPEndPoint(IPAddress.Parse("192.0.2.1"), 1234) });
}

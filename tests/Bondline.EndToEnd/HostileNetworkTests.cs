using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Bondline.Lab;
using Bondline.Linux;

namespace Bondline.EndToEnd;

/// <summary>Networks that stand in the way (docs/networks.md): what each of them is told apart by, and that the others carry on.</summary>
[Trait("Mode", "normal")]
public sealed class HostileNetworkTests
{
    private const long Bytes = 2 << 20;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    // What counts its bytes starts after the agent, which tries a service that listens already.
    private static readonly IPEndPoint Later = new(IPAddress.Loopback, 9100);

    private static LabOptions TwoLinks => new() { Links = [LinkOptions.Symmetric("eth0", 40, 10), LinkOptions.Symmetric("usb0", 20, 40)] };

    [Fact]
    public async Task A_bond_goes_through_the_proxy_where_there_is_no_other_way()
    {
        await using var lab = await BondedLab.StartAsync(TwoLinks);
        await FilterAsync(lab, "tcp dport 8443 iifname r-eth0 drop; tcp dport 8443 iifname r-usb0 drop; tcp dport 3128 iifname r-usb0 drop");
        await using var proxy = await Tinyproxy.StartAsync(lab, "BasicAuth ann pass-word");
        lab.AgentEnvironment["HTTPS_PROXY"] = $"http://ann:pass%2Dword@{LabNetwork.Address}:3128";
        await lab.StartAgentAsync(Later.Port);
        using var through = await PathAsync(lab, "eth0", "active", null);
        Assert.Equal($"through the proxy {LabNetwork.Address}:3128", Detail(through));
        await AssertWholeAsync(lab);

        // What only one network reaches is no fault of the others.
        using var without = await PathAsync(lab, "usb0", "connecting", "timeout");
        Assert.Equal($"no answer from the proxy {LabNetwork.Address}:3128", Detail(without));
    }

    [Fact]
    public async Task A_proxy_that_refuses_is_asked_once_and_its_reason_shown()
    {
        await using var lab = await BondedLab.StartAsync(TwoLinks with { Links = [TwoLinks.Links[0]] });
        await using var proxy = await Tinyproxy.StartAsync(lab, "BasicAuth ann right");
        var environment = new Dictionary<string, string>(lab.AgentEnvironment) { ["https_proxy"] = $"http://ann:wrong@{LabNetwork.Address}:3128" };
        await using var agent = LabProcess.Start(lab.Network.Laptop, lab.Network.Program, ["tcp", "9100", "--paths", "eth0", "--json"], environment);
        var line = await agent.WaitForLineAsync("\"reason\":\"proxy\"", Limit);
        Assert.Contains("does not take the user name and password in https_proxy (401)", line);
        Assert.DoesNotContain("wrong", line);
        await agent.WaitForLineAsync("relay-unreachable", Limit); // five seconds on
        Assert.True(proxy.Requests == 1, proxy.Log);

        // The same at the start, with one that cannot be used at all.
        environment["https_proxy"] = "socks5://proxy.example:1080";
        await using var refused = LabProcess.Start(lab.Network.Laptop, lab.Network.Program, ["tcp", "9100", "--paths", "eth0"], environment);
        var ended = await refused.WaitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(2, ended.ExitCode);
        Assert.Contains("(proxy-unusable)", ended.Error);
    }

    [Fact]
    public async Task Somebody_who_reads_TLS_on_one_network_gets_nothing_and_is_named()
    {
        await using var lab = await BondedLab.StartAsync(TwoLinks);
        await RedirectAsync(lab, "iifname r-eth0 tcp dport 8443 redirect to :9443");
        await using var interceptor = new Interceptor(lab.Network.Relay, 9443, "Example \u202e\u001b[31mGateway");
        await lab.StartAgentAsync(Later.Port);
        using var intercepted = await PathAsync(lab, "eth0", "connecting", "intercepted");
        Assert.EndsWith("in a certificate of \"Example [31mGateway\"", Detail(intercepted));
        await AssertWholeAsync(lab);
        Assert.True(interceptor.Connections > 0);
        Assert.Equal(0, interceptor.BytesRead);
    }

    private static string? Detail(JsonDocument line) => line.RootElement.GetProperty("detail").GetString();

    /// <summary>A transfer arrives as it was sent, both ends with the same hash.</summary>
    private static async Task AssertWholeAsync(BondedLab lab)
    {
        await using var sender = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.SendBulk) { Listen = Later, Bytes = Bytes });
        await using var receiver = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.ReceiveBulk) { Connect = lab.Visit(Later.Port) });
        var received = await receiver.WaitForAsync("finished", Limit);
        Assert.Equal(Bytes, received.Bytes);
        Assert.Equal((await sender.WaitForAsync("finished", Limit)).Sha256, received.Sha256);
    }

    /// <summary>Waits until the agent says this of a path; what it said before it was ready counts.</summary>
    private static async Task<JsonDocument> PathAsync(BondedLab lab, string path, string state, string? reason)
    {
        string? found = lab.AgentEvents.FirstOrDefault(IsIt);
        if (found is null)
        {
            await lab.WaitForAgentAsync(
                line =>
                {
                    if (IsIt(line)) found = line;
                    return found is not null;
                },
                $"{path} {state} {reason}");
        }

        return JsonDocument.Parse(found!);

        bool IsIt(string line)
        {
            using var json = JsonDocument.Parse(line);
            var root = json.RootElement;
            return root.GetProperty("event").GetString() == "path" && root.GetProperty("path").GetString() == path && root.GetProperty("state").GetString() == state
                && (root.TryGetProperty("reason", out var given) ? given.GetString() : null) == reason;
        }
    }

    /// <summary>Rules for what arrives at the relay, in place of those before.</summary>
    private static Task FilterAsync(BondedLab lab, string rules) => NftAsync(lab, "filter hook input priority filter", rules);

    private static Task RedirectAsync(BondedLab lab, string rules) => NftAsync(lab, "nat hook prerouting priority dstnat", rules);

    private static async Task NftAsync(BondedLab lab, string hook, string rules) =>
        (await LabProcess.RunAsync(lab.Network.Relay, "nft", ["-f", "-"], $"table inet hostile {{}}\ndelete table inet hostile\ntable inet hostile {{ chain it {{ type {hook};\n{rules}\n}}\n}}\n")).ThrowIfFailed("nft");

    /// <summary>A real proxy, at the relay's end of every link.</summary>
    private sealed class Tinyproxy : IAsyncDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-proxy-");
        private LabProcess? _process;

        /// <summary>How often it was asked to lead somewhere.</summary>
        public int Requests => File.ReadLines(LogFile).Count(line => line.Contains(": CONNECT ", StringComparison.Ordinal));

        public string Log => File.ReadAllText(LogFile);

        private string LogFile => Path.Combine(_folder.FullName, "log");

        public static async Task<Tinyproxy> StartAsync(BondedLab lab, string authentication)
        {
            var proxy = new Tinyproxy();
            var settings = Path.Combine(proxy._folder.FullName, "tinyproxy.conf");
            await File.WriteAllTextAsync(settings, $"Port 3128\nTimeout 600\nMaxClients 100\nLogLevel Info\nLogFile \"{proxy.LogFile}\"\n{authentication}\n");
            proxy._process = LabProcess.Start(lab.Network.Relay, "tinyproxy", ["-d", "-c", settings]);
            using var late = new CancellationTokenSource(Limit);
            while (true)
            {
                try
                {
                    using var probe = lab.Network.Relay.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
                    await probe.ConnectAsync(new IPEndPoint(LabNetwork.Address, 3128), late.Token);
                    return proxy;
                }
                catch (SocketException) when (!proxy._process.HasExited)
                {
                    // not yet
                }
            }
        }

        public async ValueTask DisposeAsync()
        {
            if (_process is not null) await _process.DisposeAsync();
            _folder.Delete(recursive: true);
        }
    }

    /// <summary>Ends TLS with a certificate of its own, and would read what comes.</summary>
    private sealed class Interceptor : IAsyncDisposable
    {
        private readonly Socket _listener;
        private readonly X509Certificate2 _certificate;
        private readonly Task _accepting;

        public Interceptor(NetworkNamespace inside, int port, string issuer)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var name = new X500DistinguishedNameBuilder();
            name.AddCommonName(issuer);
            var request = new CertificateRequest(name.Build(), key, HashAlgorithmName.SHA256);
            _certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
            _listener = inside.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            _listener.Bind(new IPEndPoint(IPAddress.Any, port));
            _listener.Listen();
            _accepting = AcceptAsync();
        }

        public int Connections { get; private set; }

        public int BytesRead { get; private set; }

        public async ValueTask DisposeAsync()
        {
            _listener.Dispose();
            await _accepting;
            _certificate.Dispose();
        }

        private async Task AcceptAsync()
        {
            while (true)
            {
                try
                {
                    await using var tls = new SslStream(new NetworkStream(await _listener.AcceptAsync(), ownsSocket: true));
                    Connections++;
                    await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = _certificate, ApplicationProtocols = [new("bondline/1")] });
                    BytesRead += await tls.ReadAsync(new byte[1024]);
                }
                catch (Exception refused) when (refused is IOException or AuthenticationException)
                {
                    // as it should be
                }
                catch (Exception over) when (over is SocketException or ObjectDisposedException)
                {
                    return;
                }
            }
        }
    }
}

using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Bondline.Lab;
using Bondline.Linux;

namespace Bondline.EndToEnd;

/// <summary>Networks that stand in the way (docs/networks.md): what each of them is told apart by, and that the others carry on.</summary>
[Collection(typeof(OneAtATime))]
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
        await using var agent = LabProcess.Start(lab.Network.Laptop, lab.Network.Program, ["tcp", "9100", "--paths", "eth0", "--json", "--stats"], environment);
        var line = await agent.WaitForLineAsync("\"reason\":\"proxy\"", Limit);
        Assert.Contains("does not take the user name and password in https_proxy (401)", line);
        Assert.DoesNotContain("wrong", line);
        for (var second = 0; second < 2; second++) await agent.WaitForLineAsync("\"stats\"", Limit);
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

    [Theory]
    [InlineData("iifname r-eth0 tcp dport 80 redirect to :9080; iifname r-eth0 tcp dport 8443 redirect to :9")] // nothing listens there
    [InlineData("iifname r-eth0 tcp dport 8443 redirect to :9080")]
    public async Task A_network_that_wants_a_sign_in_says_where_and_is_used_after_it(string rules)
    {
        await using var lab = await BondedLab.StartAsync(TwoLinks);
        await RedirectAsync(lab, rules);
        await using var portal = new Portal(lab.Network.Relay, 9080, "HTTP/1.1 302 Found\r\nLocation: http://login.hotel.example/?for=you\r\nContent-Length: 0\r\n\r\n");
        await lab.StartAgentAsync(Later.Port);
        using var captive = await PathAsync(lab, "eth0", "connecting", "captive");
        Assert.Contains("sign-in first, at login.hotel.example:", Detail(captive));
        await AssertWholeAsync(lab);
        await RedirectAsync(lab, "");
        using var free = await PathAsync(lab, "eth0", "active", null);
    }

    [Fact]
    public async Task A_network_with_IPv6_only_reaches_a_relay_with_IPv4_only_through_its_NAT64()
    {
        await using var lab = await BondedLab.StartAsync(TwoLinks);
        await using var translator = await Translator.StartAsync(lab);
        await IpAsync(lab.Network.Laptop, "addr del 10.77.2.2/24 dev usb0");
        await using var names = new NameServer(lab.Network);
        await lab.StartAgentAsync(Later.Port);
        using var through = await PathAsync(lab, "usb0", "active", null);
        Assert.Equal($"reaches {LabNetwork.Address}:8443 by NAT64 as {Translator.Of(LabNetwork.Address)}", Detail(through));
        await lab.Network["eth0"].CarrierDownAsync();
        await AssertWholeAsync(lab);
        Assert.True(names.Questions > 0);
    }

    [Fact]
    public Task A_network_on_which_large_packets_vanish_is_noticed_and_used_with_smaller_ones() => AssertNarrowedAsync(Flow.Up);

    [Fact]
    [Trait("Mode", "long")]
    public Task A_network_on_which_large_packets_vanish_downward_is_noticed_by_the_agent_too() => AssertNarrowedAsync(Flow.Down);

    private static string? Detail(JsonDocument line) => line.RootElement.GetProperty("detail").GetString();

    /// <summary>The path that loses large packets while bytes flow is back with small ones soon, and nobody waits for it.</summary>
    private static async Task AssertNarrowedAsync(Flow flow)
    {
        await using var lab = await BondedLab.StartAsync(TwoLinks);
        await using var echo = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.Echo) { Listen = new(IPAddress.Loopback, 0) });
        await lab.OpenAsync(Later.Port, echo.Port);
        var (near, far) = flow == Flow.Up ? (TrafficRole.SendBulk, TrafficRole.ReceiveBulk) : (TrafficRole.ReceiveBulk, TrafficRole.SendBulk);
        await using var laptop = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(near) { Listen = Later });
        await using var visitor = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(far) { Connect = lab.Visit(Later.Port) });
        await using var ping = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.Ping) { Connect = lab.Visit(echo.Port) });
        var receiver = flow == Flow.Up ? visitor : laptop;
        await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(1));
        await ping.ReportAsync();

        // Not a word about it, as where somebody drops ICMP.
        await NftAsync(flow == Flow.Up ? lab.Network.Relay : lab.Network.Laptop, "filter hook input priority filter", $"iifname {(flow == Flow.Up ? "r-eth0" : "eth0")} meta length > 1300 drop");
        var watch = Stopwatch.StartNew();
        using var narrow = await PathAsync(lab, "eth0", "active", "mtu");
        watch.Stop();
        var after = (await receiver.ReportAsync(atLeast: 1)).Bulk!;
        var settled = (await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(1.5))).Bulk!;
        var pings = (await ping.ReportAsync()).Ping!;
        Measured.Record("mtu", $"{flow}: used with small packets after {watch.Elapsed.TotalSeconds:0.0} s, longest gap {after.LongestGap.Length / 1000} ms, worst ping {pings.RoundTrip.Most / 1000} ms, then {settled.MegabitsPerSecond:0.0} of 57 Mbit/s");
        Assert.True(after.LongestGap.Length < 500_000, $"{after.LongestGap.Length / 1000} ms without a byte");
        Assert.True(settled.MegabitsPerSecond > 45, $"{settled.MegabitsPerSecond:0.0} of 57 Mbit/s");
        Assert.True(pings.RoundTrip.Most < 1_000_000, $"a ping took {pings.RoundTrip.Most / 1000} ms");
    }

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
    private static Task FilterAsync(BondedLab lab, string rules) => NftAsync(lab.Network.Relay, "filter hook input priority filter", rules);

    private static Task RedirectAsync(BondedLab lab, string rules) => NftAsync(lab.Network.Relay, "nat hook prerouting priority dstnat", rules);

    private static async Task NftAsync(NetworkNamespace inside, string hook, string rules) =>
        (await LabProcess.RunAsync(inside, "nft", ["-f", "-"], $"table inet hostile {{}}\ndelete table inet hostile\ntable inet hostile {{ chain it {{ type {hook};\n{rules}\n}}\n}}\n")).ThrowIfFailed("nft");

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

    private static async Task IpAsync(NetworkNamespace inside, string arguments) => (await LabProcess.RunAsync(inside, "ip", arguments.Split(' '))).ThrowIfFailed($"ip {arguments}");

    /// <summary>A real NAT64, at the relay's end of every link; not at the well-known prefix, behind which private addresses may not be.</summary>
    private sealed class Translator : IAsyncDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-nat64-");
        private LabProcess? _process;

        public static IPAddress Of(IPAddress address) => IPAddress.Parse($"fd77:64::{address}");

        public static async Task<Translator> StartAsync(BondedLab lab)
        {
            var translator = new Translator();
            var settings = Path.Combine(translator._folder.FullName, "tayga.conf");
            await File.WriteAllTextAsync(settings, $"tun-device nat64\nipv4-addr 192.0.2.1\nprefix fd77:64::/96\ndynamic-pool 192.0.2.0/24\ndata-dir {translator._folder.FullName}\n");
            var inside = lab.Network.Relay;
            (await LabProcess.RunAsync(inside, "tayga", ["--mktun", "-c", settings])).ThrowIfFailed("tayga --mktun");
            inside.Run(() =>
            {
                File.WriteAllText("/proc/sys/net/ipv4/conf/all/forwarding", "1");
                File.WriteAllText("/proc/sys/net/ipv6/conf/all/forwarding", "1");
                return true;
            });
            foreach (var line in new[] { "link set nat64 up", "addr add 192.0.2.254 dev nat64", "route add 192.0.2.0/24 dev nat64", "-6 route add fd77:64::/96 dev nat64" }) await IpAsync(inside, line);
            translator._process = LabProcess.Start(inside, "tayga", ["-d", "-c", settings]);
            return translator;
        }

        public async ValueTask DisposeAsync()
        {
            if (_process is not null) await _process.DisposeAsync();
            _folder.Delete(recursive: true);
        }
    }

    /// <summary>The laptop's name server, reached over IPv6: it knows <c>ipv4only.arpa</c> as a DNS64 does.</summary>
    private sealed class NameServer : IAsyncDisposable
    {
        private readonly DirectoryInfo _settings;
        private readonly Socket _socket;
        private readonly Task _answering;

        public NameServer(LabNetwork network)
        {
            _settings = Directory.CreateDirectory($"/etc/netns/{network.Laptop.Name}"); // "ip netns exec" shows it as /etc
            File.WriteAllText(Path.Combine(_settings.FullName, "resolv.conf"), $"nameserver {LabNetwork.Address6}\n");
            _socket = network.Relay.Run(() => new Socket(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp));
            _socket.Bind(new IPEndPoint(LabNetwork.Address6, 53));
            _answering = AnswerAsync();
        }

        public int Questions { get; private set; }

        public async ValueTask DisposeAsync()
        {
            _socket.Dispose();
            await _answering;
            _settings.Delete(recursive: true);
        }

        private async Task AnswerAsync()
        {
            var buffer = new byte[512];
            try
            {
                while (true)
                {
                    var asked = await _socket.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.IPv6Any, 0));
                    Questions++;
                    (buffer[2], buffer[3], buffer[7]) = (0x81, 0x80, 1);
                    byte[] answer = [.. buffer.AsSpan(0, asked.ReceivedBytes), 0xC0, 12, 0, 28, 0, 1, 0, 0, 0, 60, 0, 16, .. Translator.Of(IPAddress.Parse("192.0.0.170")).GetAddressBytes()];
                    await _socket.SendToAsync(answer, asked.RemoteEndPoint);
                }
            }
            catch (Exception over) when (over is SocketException or ObjectDisposedException)
            {
                // the test is over
            }
        }
    }

    /// <summary>Answers everybody's first request alike.</summary>
    private sealed class Portal : IAsyncDisposable
    {
        private readonly Socket _listener;
        private readonly Task _accepting;

        public Portal(NetworkNamespace inside, int port, string answer)
        {
            _listener = inside.Run(() => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            _listener.Bind(new IPEndPoint(IPAddress.Any, port));
            _listener.Listen();
            _accepting = AcceptAsync(Encoding.ASCII.GetBytes(answer));
        }

        public async ValueTask DisposeAsync()
        {
            _listener.Dispose();
            await _accepting;
        }

        private async Task AcceptAsync(byte[] answer)
        {
            while (true)
            {
                try
                {
                    using var socket = await _listener.AcceptAsync();
                    await socket.ReceiveAsync(new byte[4096]);
                    await socket.SendAsync(answer);
                }
                catch (Exception over) when (over is ObjectDisposedException or SocketException { SocketErrorCode: SocketError.OperationAborted })
                {
                    return;
                }
                catch (SocketException)
                {
                    // this one had enough
                }
            }
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

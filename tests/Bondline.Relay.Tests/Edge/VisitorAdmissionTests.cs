using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class VisitorAdmissionTests
{
    private const int TooMany = 2041, TooManyOfOneSource = 2042; // what the log calls them

    private readonly ManualTime _time = new();
    private readonly LogWatch _log = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public void A_source_is_an_address_or_a_slash_64_and_has_a_limit_of_its_own()
    {
        var admission = new VisitorAdmission(limit: 100, limitPerSource: 2, _time, _log);
        using var first = Enter(admission, "192.0.2.1");
        Assert.NotNull(Enter(admission, "::ffff:192.0.2.1"));
        Assert.Null(Enter(admission, "192.0.2.1"));
        Assert.NotNull(Enter(admission, "192.0.2.2"));
        Assert.NotNull(Enter(admission, "2001:db8:0:1::1"));
        Assert.NotNull(Enter(admission, "2001:db8:0:1:ffff::1"));
        Assert.Null(Enter(admission, "2001:db8:0:1::2"));
        Assert.NotNull(Enter(admission, "2001:db8:0:2::1"));
        first!.Dispose();
        first.Dispose();
        Assert.NotNull(Enter(admission, "192.0.2.1"));
        Assert.Null(Enter(admission, "192.0.2.1"));
    }

    [Fact]
    public void This_machine_is_anybody_and_has_the_common_limit_alone()
    {
        var admission = new VisitorAdmission(limit: 3, limitPerSource: 1, _time, _log);
        Assert.NotNull(Enter(admission, "127.0.0.1"));
        Assert.NotNull(Enter(admission, "::1"));
        using (var last = Enter(admission, "127.0.0.1"))
        {
            Assert.NotNull(last);
            Assert.Null(Enter(admission, "127.0.0.1"));
            Assert.Null(Enter(admission, "192.0.2.1"));
            Assert.Null(admission.TryEnter(null));
        }
        Assert.NotNull(Enter(admission, "192.0.2.1"));
    }

    [Fact]
    public async Task A_flood_is_told_once_a_minute()
    {
        var admission = new VisitorAdmission(limit: 2, limitPerSource: 1, _time, _log);
        Enter(admission, "192.0.2.1");
        var told = _log.NextAsync(TooManyOfOneSource);
        for (var i = 0; i < 1000; i++) Enter(admission, "::ffff:192.0.2.1");
        Assert.StartsWith("192.0.2.1 holds 1 ", await told, StringComparison.Ordinal);
        Assert.Equal((0, 1), (_log.Count(TooMany), _log.Count(TooManyOfOneSource)));
        Enter(admission, "192.0.2.2");
        for (var i = 0; i < 1000; i++) Enter(admission, "192.0.2.3");
        Assert.Equal((0, 1), (_log.Count(TooMany), _log.Count(TooManyOfOneSource)));
        _time.Advance(TimeSpan.FromMinutes(1));
        for (var i = 0; i < 1000; i++) Enter(admission, "192.0.2.3");
        Assert.Equal((1, 1), (_log.Count(TooMany), _log.Count(TooManyOfOneSource)));
    }

    [Theory]
    [InlineData(65_536, false, 52_429, 13_107, 4096, 512)]
    [InlineData(1024, false, 820, 205, 102, 51)]
    [InlineData(1024, true, 410, 102, 102, 51)]
    [InlineData(1, false, 1, 1, 1, 1)]
    [InlineData(null, false, int.MaxValue, int.MaxValue, 4096, 512)]
    public void Visitors_may_have_four_fifths_of_what_there_is(int? openFiles, bool isEmbedded, int visitors, int ofOneSource, int undecided, int handshakes) =>
        Assert.Equal(new DescriptorShares(visitors, ofOneSource, undecided, handshakes), DescriptorShares.Of(openFiles, isEmbedded));

    [Fact]
    public async Task Visitors_who_hold_all_they_may_keep_no_agent_out_and_the_next_one_is_reset_until_one_leaves()
    {
        await using var relay = new RelayServer(TestRelay.Options with { IsEmbedded = true, MaxOpenFiles = 38 }, _log); // 15 visitors
        await relay.StartAsync(Stop);
        await using var first = Agent(relay);
        var port = (await first.NextAsync<TunnelReady>()).Port!.Value;
        var visitors = new List<Socket>();
        try
        {
            for (var i = 0; i < 5; i++)
            {
                visitors.Add(await VisitAsync(port));
                visitors.Add(await VisitAsync(relay.Listening.Http.Port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
                visitors.Add(await VisitTlsAsync(relay.Listening.Https.Port));
            }
            await AssertResetAsync(() => VisitAsync(port));
            await AssertResetAsync(() => VisitAsync(relay.Listening.Http.Port));
            await AssertResetAsync(() => VisitTlsAsync(relay.Listening.Https.Port));
            Assert.Equal(1, _log.Count(TooMany));
            await using var second = Agent(relay);
            await second.NextAsync<TunnelReady>();

            for (var i = 0; i < 3; i++) // one of each kind
            {
                visitors[i].Dispose();
                visitors.Add(await ComeAgainAsync(port));
            }
        }
        finally
        {
            foreach (var visitor in visitors) visitor.Dispose();
        }
    }

    private static VisitorAdmission.Place? Enter(VisitorAdmission admission, string source) => admission.TryEnter(IPAddress.Parse(source));

    private static TestAgent Agent(RelayServer relay) => new(relay.CreateToken(Guid.NewGuid().ToString("N")), stream => stream.CopyToAsync(stream), [new(1, TunnelKind.Tcp)]);

    /// <summary>The relay learns a moment later that somebody left.</summary>
    private static async Task<Socket> ComeAgainAsync(int port)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        late.CancelAfter(TimeSpan.FromSeconds(20));
        while (true)
        {
            late.Token.ThrowIfCancellationRequested();
            try
            {
                return await VisitAsync(port);
            }
            catch (SocketException)
            {
                // not yet
            }
        }
    }

    private static async Task<Socket> ConnectAsync(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, port, Stop);
        return socket;
    }

    /// <summary>A visitor who has got an answer, so is in.</summary>
    private static async Task<Socket> VisitAsync(int port, string request = "hello")
    {
        var socket = await ConnectAsync(port);
        try
        {
            await socket.SendAsync(Encoding.ASCII.GetBytes(request), Stop);
            Assert.NotEqual(0, await socket.ReceiveAsync(new byte[4096], Stop));
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task<Socket> VisitTlsAsync(int port)
    {
        var socket = await ConnectAsync(port);
        try
        {
            var tls = new SslStream(new NetworkStream(socket), leaveInnerStreamOpen: true);
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost", RemoteCertificateValidationCallback = (_, _, _, _) => true }, Stop);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static async Task AssertResetAsync(Func<Task> visit)
    {
        var error = await Assert.ThrowsAnyAsync<Exception>(visit);
        Assert.Equal(SocketError.ConnectionReset, ((error as SocketException) ?? error.InnerException as SocketException)?.SocketErrorCode);
    }
}

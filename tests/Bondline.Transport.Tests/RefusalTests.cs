using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Transport.Tests;

public sealed class RefusalTests
{
    [Theory]
    [InlineData(ProtocolError.TokenRefused)]
    [InlineData(ProtocolError.TokenRevoked)]
    public async Task A_token_the_relay_does_not_want_ends_the_link(ProtocolError error)
    {
        await using var pair = new LoopbackPair();
        pair.Authenticator.Answer = new(error, "not this one");
        await using var link = pair.CreateLink();
        var refused = await Assert.ThrowsAsync<BondRefusedException>(() => pair.RunAsync(link, CancellationToken.None).WaitAsync(LoopbackPair.Patience));
        Assert.Equal(error, refused.Error);
        Assert.Equal("not this one", refused.Message);
        Assert.Empty(pair.Host.Bonds);
    }

    [Fact]
    public async Task Another_key_than_the_pinned_one_ends_the_link_before_the_token_is_sent()
    {
        await using var pair = new LoopbackPair();
        await using var link = pair.CreateLink(options => options with { Join = pair.Join with { Pins = [KeyPin.FromHash(RandomNumberGenerator.GetBytes(32))] } });
        var refused = await Assert.ThrowsAsync<BondRefusedException>(() => pair.RunAsync(link, CancellationToken.None).WaitAsync(LoopbackPair.Patience));
        Assert.True(refused.IsPinMismatch);
        Assert.Equal(0, pair.Authenticator.Asked);
    }

    [Fact]
    public async Task Without_a_pin_a_certificate_nobody_vouches_for_is_not_the_relay()
    {
        await using var pair = new LoopbackPair();
        await using var link = pair.CreateLink(options => options with { Join = pair.Join with { Pins = [] } });
        var intercepted = new TaskCompletionSource<PathReport>();
        link.PathChanged += path =>
        {
            if (path.Reason == "intercepted") intercepted.TrySetResult(path);
        };
        using var stop = new CancellationTokenSource();
        var run = pair.RunAsync(link, stop.Token);
        Assert.Equal("lo", (await intercepted.Task.WaitAsync(LoopbackPair.Patience)).Path);
        Assert.Equal(0, pair.Authenticator.Asked);
        await stop.CancelAsync();
        await run.WaitAsync(LoopbackPair.Patience);
    }

    [Fact]
    public async Task A_revoked_token_ends_its_live_bonds_and_their_links()
    {
        await using var pair = new LoopbackPair();
        var link = await pair.OpenAsync();
        pair.Host.CloseBonds(bond => bond.TokenId == pair.Authenticator.Token.Id, ProtocolError.TokenRevoked, "revoked");
        var refused = await Assert.ThrowsAsync<BondRefusedException>(() => link.Run.WaitAsync(LoopbackPair.Patience));
        Assert.Equal(ProtocolError.TokenRevoked, refused.Error);
        await link.Link.DisposeAsync();
    }

    [Fact]
    public async Task A_second_process_of_the_same_instance_replaces_the_first()
    {
        await using var pair = new LoopbackPair();
        var instance = Guid.NewGuid();
        var first = await pair.OpenAsync(options => options with { Instance = instance });
        var near = await first.Agent.OpenStreamAsync(new() { Kind = StreamKind.Tcp });
        await using var second = await pair.OpenAsync(options => options with { Instance = instance });
        var refused = await Assert.ThrowsAsync<BondRefusedException>(() => first.Run.WaitAsync(LoopbackPair.Patience));
        Assert.Equal(ProtocolError.Superseded, refused.Error);
        await Assert.ThrowsAsync<BondStreamException>(async () => await near.ReadExactlyAsync(new byte[1]));
        Assert.Equal(second.Relay, Assert.Single(pair.Host.Bonds));
        await first.Link.DisposeAsync();
    }

    /// <summary>What a modem held back: the agent has long reset that connection, and opened its bond over another one.</summary>
    [Fact]
    public async Task An_OPEN_that_comes_late_takes_nothing_from_the_bond_that_came_first()
    {
        await using var pair = new LoopbackPair();
        var instance = Guid.NewGuid();
        var link = await pair.OpenAsync(options => options with { Instance = instance });
        TaskCompletionSource asked = new(), answer = new();
        pair.Authenticator.Looking = () =>
        {
            asked.SetResult();
            return answer.Task;
        };
        using var late = await SubflowSocket.AuthenticateAsAgentAsync(await ConnectAsync(pair), NetworkPlatform.Current, "relay", pair.Join.Pins, CancellationToken.None);
        var opening = HandshakeExchange.RunAsync(late, AgentHandshake.Open(pair.Authenticator.Token, instance, RandomNumberGenerator.GetBytes(32), late.RelayKeyHash), new(TimeProvider.System));
        await asked.Task.WaitAsync(LoopbackPair.Patience);
        late.Abort();
        answer.SetResult();
        await Assert.ThrowsAnyAsync<Exception>(() => opening);

        pair.Authenticator.Looking = () => Task.CompletedTask;
        await using (await pair.OpenAsync()) { } // another agent's whole bond later
        var near = await link.Agent.OpenStreamAsync(new() { Kind = StreamKind.Tcp });
        await near.WriteAsync(new byte[] { 1 });
        Assert.NotNull(await link.Relay.AcceptStreamAsync(CancellationToken.None).AsTask().WaitAsync(LoopbackPair.Patience));
        Assert.False(link.Relay.Completion.IsCompleted);
        Assert.All(pair.Host.Bonds.Where(bond => bond.Instance == instance && bond != link.Relay), bond => Assert.True(bond.Completion.IsCompleted)); // about to be forgotten

        await using var second = await pair.OpenAsync(options => options with { Instance = instance }); // who is there can still be replaced
        Assert.Equal(ProtocolError.Superseded, (await Assert.ThrowsAsync<BondRefusedException>(() => link.Run.WaitAsync(LoopbackPair.Patience))).Error);
        await link.Link.DisposeAsync();
    }

    /// <summary>A join URL may name several relays; only the one at which the bond was opened knows it.</summary>
    [Fact]
    public async Task A_bond_does_not_end_because_another_relay_of_the_join_URL_does_not_know_it()
    {
        await using var pair = new LoopbackPair();
        await using var other = new LoopbackPair();
        await using var link = await pair.OpenAsync(options => options with { Join = pair.Join with { Hosts = [.. pair.Join.Hosts, .. other.Join.Hosts], Pins = [.. pair.Join.Pins, .. other.Join.Pins] } });
        var near = await link.Agent.OpenStreamAsync(new() { Kind = StreamKind.Tcp });
        await near.WriteAsync(new byte[] { 1 });
        var far = (await link.Relay.AcceptStreamAsync(CancellationToken.None).AsTask().WaitAsync(LoopbackPair.Patience))!;
        for (var cut = 1; cut <= 3; cut++)
        {
            pair.CutAll(); // the next dial leads to the other relay
            await far.WriteAsync(new[] { (byte)cut });
            var read = new byte[1];
            await near.ReadExactlyAsync(read).AsTask().WaitAsync(LoopbackPair.Patience);
            Assert.Equal(cut, read[0]);
        }

        Assert.True(other.Accepted > 0);
        Assert.Empty(other.Host.Bonds);
    }

    [Fact]
    public async Task Whoever_is_silent_garbled_or_half_a_handshake_is_put_out_and_nobody_else_notices()
    {
        await using var pair = new LoopbackPair(options => options with { HandshakeTimeout = TimeSpan.FromMilliseconds(300) });
        await using var link = await pair.OpenAsync();
        using var silent = await ConnectAsync(pair);
        using var garbled = await ConnectAsync(pair);
        await garbled.SendAsync("GET / HTTP/1.1\r\nHost: relay\r\n\r\n"u8.ToArray());
        using var half = await ConnectAsync(pair);
        await half.SendAsync(new byte[] { 0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC });
        foreach (var socket in new[] { silent, garbled, half }) await ReadToEndAsync(new NetworkStream(socket));

        // Inside TLS: no HELLO, and a frame that is too long.
        await using var quiet = await TlsAsync(pair);
        await ReadToEndAsync(quiet);
        await using var loud = await TlsAsync(pair);
        await loud.WriteAsync(new byte[] { 0x00, 0x7F, 0xFF });
        await ReadToEndAsync(loud);
        Assert.False(link.Agent.Completion.IsCompleted);
        Assert.Contains(pair.Log.Lines, line => line.Contains(nameof(ProtocolError.FrameTooLarge), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Of_too_many_handshakes_the_oldest_is_closed_and_an_agent_still_gets_in()
    {
        await using var pair = new LoopbackPair(options => options with { MaxHandshakes = 2 });
        using var first = await ConnectAsync(pair);
        using var second = await ConnectAsync(pair);
        using var third = await ConnectAsync(pair);
        await ReadToEndAsync(new NetworkStream(first));
        await using var link = await pair.OpenAsync();
        await ReadToEndAsync(new NetworkStream(second));
        Assert.False(link.Agent.Completion.IsCompleted);
    }

    [Fact]
    public void A_source_is_a_network_and_loses_its_own_oldest_first()
    {
        var admission = new HandshakeAdmission(limit: 8, limitPerSource: 2);
        var first = Enter("192.0.2.1");
        var second = Enter("::ffff:192.0.2.200");
        var other = Enter("192.0.3.1");
        HandshakeAdmission.Place[] six = [Enter("2001:db8:0:1::1"), Enter("2001:db8:0:ff::1"), Enter("2001:db8:0:2::1")];
        Assert.Equal([true, false, false], six.Select(IsLost));
        Assert.False(IsLost(first));
        var third = Enter("192.0.2.7");
        Assert.True(IsLost(first));
        second.Dispose();
        second.Dispose();
        Enter("192.0.2.7");
        Assert.False(IsLost(third));

        // Five are in. This machine has no limit of its own, and beyond the common one the oldest of all goes.
        var local = Enumerable.Range(0, 4).Select(_ => Enter("127.0.0.1")).ToArray();
        Assert.True(IsLost(other));
        Assert.DoesNotContain(local, IsLost);
        Assert.False(IsLost(second)); // it had left

        HandshakeAdmission.Place Enter(string address) => admission.Enter(System.Net.IPAddress.Parse(address));

        static bool IsLost(HandshakeAdmission.Place place) => place.Lost.IsCancellationRequested;
    }

    [Fact]
    public async Task A_forged_join_and_one_to_an_unknown_bond_get_one_error_and_harm_nobody()
    {
        await using var pair = new LoopbackPair();
        await using var link = await pair.OpenAsync();
        var forged = new SecretBytes(RandomNumberGenerator.GetBytes(32));
        Assert.Equal(ProtocolError.JoinProof, await RefusedJoinAsync(pair, link.Relay.Id, forged, 9));
        Assert.Equal(ProtocolError.BondUnknown, await RefusedJoinAsync(pair, new BondId(1), forged, 9));
        Assert.False(link.Relay.Completion.IsCompleted);
        Assert.Single(link.Relay.Snapshot().Subflows);
    }

    [Fact]
    public async Task A_join_with_a_used_id_or_beyond_the_limit_is_refused_with_its_code_and_the_bond_goes_on()
    {
        await using var pair = new LoopbackPair(options => options with { Bond = options.Bond with { MaxSubflows = 1 } });
        await using var link = await pair.OpenAsync();
        Assert.Equal(ProtocolError.SubflowIdReused, await RefusedJoinAsync(pair, link.Relay.Id, link.Agent.Welcome.BondSecret, 0));
        Assert.Equal(ProtocolError.TooManySubflows, await RefusedJoinAsync(pair, link.Relay.Id, link.Agent.Welcome.BondSecret, 1000)); // the agent takes the next ones itself, should it redial
        Assert.Single(link.Relay.Snapshot().Subflows);
        var near = await link.Agent.OpenStreamAsync(new() { Kind = StreamKind.Tcp });
        await using var far = (await link.Relay.AcceptStreamAsync(CancellationToken.None))!;
        await near.DisposeAsync();
    }

    private static async Task<ProtocolError> RefusedJoinAsync(LoopbackPair pair, BondId bond, SecretBytes secret, ulong subflowId)
    {
        var socket = await ConnectAsync(pair);
        using var subflow = await SubflowSocket.AuthenticateAsAgentAsync(socket, NetworkPlatform.Current, "127.0.0.1", [pair.Host.Pin], CancellationToken.None);
        var handshake = AgentHandshake.Join(bond, secret, new SubflowId(subflowId), SubflowPolicy.Normal, RandomNumberGenerator.GetBytes(32), subflow.RelayKeyHash);
        var refused = await Assert.ThrowsAsync<ProtocolException>(() =>
            HandshakeExchange.RunAsync(subflow, handshake, new TransportClock(TimeProvider.System)).WaitAsync(LoopbackPair.Patience));
        return refused.Error;
    }

    private static async Task<Socket> ConnectAsync(LoopbackPair pair)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(pair.EndPoint);
        return socket;
    }

    private static async Task<SslStream> TlsAsync(LoopbackPair pair)
    {
        var tls = new SslStream(new NetworkStream(await ConnectAsync(pair), ownsSocket: true));
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "relay",
            ApplicationProtocols = [new SslApplicationProtocol("bondline/1")],
            RemoteCertificateValidationCallback = (_, _, _, _) => true,
        });
        return tls;
    }

    /// <summary>The other end closes in time, with an end or a reset.</summary>
    private static async Task ReadToEndAsync(Stream stream)
    {
        try
        {
            await stream.CopyToAsync(Stream.Null).WaitAsync(LoopbackPair.Patience);
        }
        catch (IOException)
        {
            // a reset
        }
    }
}

using Bondline.Protocol;
using Bondline.Transport;
using Xunit;

namespace Bondline.Agent.Tests;

public sealed class TunnelAgentTests
{
    [Fact]
    public async Task It_registers_its_tunnels_and_tells_their_URLs()
    {
        await using var relay = new TestRelay();
        using var service = new LocalService();
        using var other = new LocalService();
        await using var running = new RunningAgent(new TunnelAgentOptions
        {
            Join = relay.Join,
            Instance = Guid.NewGuid(),
            Tunnels = [new(service.Target, RemotePort: 7022), new(other.Target)],
            IsTakeover = true,
        });
        var agent = await relay.AgentAsync();
        Assert.Equal(StreamKind.Control, agent.ControlHeader.Kind);
        Assert.Equal(new RegisterTunnel(1, TunnelKind.Tcp, null, 7022, true, service.Target.Key), await agent.AcceptTunnelAsync());
        Assert.Equal(new RegisterTunnel(2, TunnelKind.Tcp, null, null, true, other.Target.Key), await agent.AcceptTunnelAsync());
        Assert.Equal("ready tcp://relay.test:7001", await running.ToldAsync());
        Assert.Equal("ready tcp://relay.test:7002", await running.ToldAsync());
    }

    [Fact]
    public async Task A_bond_whose_control_stream_was_reset_is_given_up_for_another_one()
    {
        await using var relay = new TestRelay();
        using var service = new LocalService();
        await using var running = new RunningAgent(relay, new TunnelRequest(service.Target));
        var agent = await relay.AgentAsync();
        await agent.ReceiveAsync<RegisterTunnel>();
        agent.AbortControl();
        Assert.StartsWith("internal: 127.0.0.1", await running.ToldAsync(), StringComparison.Ordinal);
        await (await relay.AgentAsync()).AcceptTunnelAsync();
        Assert.StartsWith("ready ", await running.ToldAsync(), StringComparison.Ordinal);
        Assert.Equal(ProtocolError.Internal, (await agent.Bond.Completion.WaitAsync(TimeSpan.FromSeconds(20))).Error);
    }

    [Fact]
    public async Task A_service_that_is_down_is_a_warning_before_ready()
    {
        await using var relay = new TestRelay();
        using var service = new LocalService(isListening: false);
        await using var running = new RunningAgent(relay, new TunnelRequest(service.Target));
        var agent = await relay.AgentAsync();
        await agent.AcceptTunnelAsync();
        Assert.Equal($"local-unreachable: nothing listens on {service.Target}: the tunnel works as soon as something listens there", await running.ToldAsync());
        Assert.StartsWith("ready ", await running.ToldAsync(), StringComparison.Ordinal);

        service.Listen();
        await using var visitor = await agent.VisitAsync();
        using var local = await service.AcceptAsync();
        Assert.Equal("the service is back", await running.ToldAsync());
    }

    [Fact]
    public async Task A_URL_does_not_wait_for_a_service_that_does_not_answer()
    {
        await using var relay = new TestRelay();
        using var service = new LocalService(isListening: false);
        using var waiting = service.ListenWithoutRoom();
        await using var running = new RunningAgent(relay, new TunnelRequest(service.Target));
        await (await relay.AgentAsync()).AcceptTunnelAsync();
        Assert.StartsWith("ready ", await running.ToldAsync(), StringComparison.Ordinal);
        Assert.Equal($"local-unreachable: no answer from {service.Target}: the tunnel works as soon as it does", await running.ToldAsync());
    }

    [Fact]
    public async Task Requests_are_told_where_somebody_watches()
    {
        await using var relay = new TestRelay();
        using var service = new LocalService();
        await using var running = new RunningAgent(new TunnelAgentOptions { Join = relay.Join, Instance = Guid.NewGuid(), Tunnels = [new(service.Target)], WatchesRequests = true });
        var agent = await relay.AgentAsync();
        await agent.AcceptTunnelAsync();
        await agent.ReceiveAsync<WatchRequests>();
        Assert.StartsWith("ready ", await running.ToldAsync(), StringComparison.Ordinal);
        await agent.SendAsync(new RequestServed(9, "GET", "/of-no-tunnel", 200, 1));
        await agent.SendAsync(new RequestServed(1, "GET", "/", 200, 1));
        await agent.SendAsync(new RequestsUntold(3));
        Assert.Equal("GET / 200", await running.ToldAsync());
        Assert.Equal("3 more", await running.ToldAsync());
    }

    [Fact]
    public async Task A_new_bond_gets_the_same_tunnels_without_takeover_and_only_a_new_URL_is_told()
    {
        await using var relay = new TestRelay();
        using var service = new LocalService();
        await using var running = new RunningAgent(new TunnelAgentOptions { Join = relay.Join, Instance = Guid.NewGuid(), Tunnels = [new(service.Target)], IsTakeover = true });
        var first = await relay.AgentAsync();
        await first.AcceptTunnelAsync();
        Assert.Equal("ready tcp://relay.test:7001", await running.ToldAsync());

        await first.Bond.CloseAsync(ProtocolError.GoingAway, "the relay restarts");
        var second = await relay.AgentAsync();
        Assert.Equal(new RegisterTunnel(1, TunnelKind.Tcp, null, null, false, service.Target.Key), await second.AcceptTunnelAsync());
        await second.SendAsync(new TunnelReady(1, "tcp://relay.test:7009", null, 7009));
        Assert.Equal("ready tcp://relay.test:7009", await running.ToldAsync());
    }

    [Fact]
    public async Task A_refused_tunnel_ends_the_agent_and_says_what_was_refused_by_whom()
    {
        await using var relay = new TestRelay();
        using var service = new LocalService();
        await using var running = new RunningAgent(relay, new TunnelRequest(service.Target, RemotePort: 22));
        var agent = await relay.AgentAsync();
        await agent.ReceiveAsync<RegisterTunnel>();
        await agent.SendAsync(new TunnelRefused(1, "port-out-of-range", "Port 22 is not in the relay's range 7000-7999."));
        var failure = await running.FailureAsync();
        Assert.Equal("port-out-of-range", failure.Code);
        Assert.Equal($"{relay.Join.Hosts[0]} refused port 22: Port 22 is not in the relay's range 7000-7999", failure.Message);
    }

    [Fact]
    public async Task A_tunnel_taken_over_ends_the_agent_once_none_is_left()
    {
        await using var relay = new TestRelay();
        using var service = new LocalService();
        using var other = new LocalService();
        await using var running = new RunningAgent(relay, new(service.Target), new(other.Target));
        var agent = await relay.AgentAsync();
        await agent.AcceptTunnelAsync();
        await agent.AcceptTunnelAsync();
        await running.ToldAsync();
        await running.ToldAsync();
        await agent.SendAsync(new TunnelSuperseded(1, "abcd1234", "It was taken over."));
        Assert.Equal($"superseded: tcp://relay.test:7001 was taken over at {relay.Join.Hosts[0]} by abcd1234: It was taken over", await running.ToldAsync());
        await agent.SendAsync(new TunnelSuperseded(2, "abcd1234", "It was taken over."));
        Assert.Equal("superseded", (await running.FailureAsync()).Code);
    }

    [Theory]
    [InlineData(ProtocolError.TokenRefused, "auth-refused")]
    [InlineData(ProtocolError.TokenRevoked, "auth-expired")]
    public async Task A_refused_token_ends_the_agent(ProtocolError error, string code)
    {
        await using var relay = new TestRelay { Answer = new(error, "no") };
        using var service = new LocalService();
        await using var running = new RunningAgent(relay, new TunnelRequest(service.Target));
        Assert.Equal(code, (await running.FailureAsync()).Code);
    }

    [Fact]
    public async Task A_relay_with_another_key_is_not_told_the_token()
    {
        await using var relay = new TestRelay();
        await using var wanted = new TestRelay();
        using var service = new LocalService();
        await using var running = new RunningAgent(new TunnelAgentOptions { Join = relay.Join with { Pins = wanted.Join.Pins }, Instance = Guid.NewGuid(), Tunnels = [new(service.Target)] });
        Assert.Equal("pin-mismatch", (await running.FailureAsync()).Code);
    }

    [Theory]
    [InlineData(ProtocolError.TokenRevoked, "auth-expired")]
    [InlineData(ProtocolError.Superseded, "superseded")]
    public async Task A_bond_closed_for_good_ends_the_agent(ProtocolError error, string code)
    {
        await using var relay = new TestRelay();
        using var service = new LocalService();
        await using var running = new RunningAgent(relay, new TunnelRequest(service.Target));
        var agent = await relay.AgentAsync();
        await agent.AcceptTunnelAsync();
        await running.ToldAsync();
        await agent.Bond.CloseAsync(error, "for good");
        Assert.Equal(code, (await running.FailureAsync()).Code);
    }

    [Fact]
    public async Task A_relay_that_cannot_be_reached_is_told_while_the_agent_goes_on()
    {
        await using var relay = new TestRelay();
        using var silent = new LocalService(isListening: false);
        using var service = new LocalService();
        await using var running = new RunningAgent(new TunnelAgentOptions
        {
            Join = relay.Join with { Hosts = [new HostPort("127.0.0.1", silent.Target.Port)] },
            Instance = Guid.NewGuid(),
            Tunnels = [new(service.Target)],
            UnreachableNotice = TimeSpan.FromMilliseconds(1),
        });
        Assert.StartsWith("relay-unreachable: ", await running.ToldAsync(), StringComparison.Ordinal);
        Assert.False(running.Completion.IsCompleted);
    }

    [Fact]
    public async Task A_relay_without_room_is_told_once_and_dialled_until_it_has_some()
    {
        await using var relay = new TestRelay { Answer = new(ProtocolError.TooManyBonds, "the token has 64 bonds") };
        using var service = new LocalService();
        await using var running = new RunningAgent(relay, new TunnelRequest(service.Target));
        var told = await running.ToldAsync();
        Assert.StartsWith("limit: ", told, StringComparison.Ordinal);
        Assert.EndsWith("the token has 64 bonds; still trying", told, StringComparison.Ordinal);
        relay.Answer = AuthenticationResult.Accepted;
        await (await relay.AgentAsync()).AcceptTunnelAsync();
        Assert.StartsWith("ready ", await running.ToldAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Asked_to_end_it_takes_no_new_visitors_and_lets_the_others_finish()
    {
        await using var visited = await VisitedAgent.StartAsync(drainTime: TimeSpan.FromSeconds(15));
        visited.Running.Drain();
        Assert.Equal(1ul, (await visited.Agent.ReceiveAsync<UnregisterTunnel>()).Tunnel);
        Assert.False(visited.Running.Completion.IsCompleted);
        visited.Local.Dispose();
        Assert.Equal(0, await visited.Visitor.ReadAsync(new byte[1], TestContext.Current.CancellationToken));
        await visited.Visitor.CompleteWritesAsync(TestContext.Current.CancellationToken);
        await visited.Running.EndAsync();
        var end = await visited.Agent.Bond.Completion.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.True(end.ByPeer); // the relay was told; it does not wait 15 minutes for a resume
    }

    [Fact]
    public async Task Draining_is_over_when_its_time_is()
    {
        await using var visited = await VisitedAgent.StartAsync(drainTime: TimeSpan.FromMilliseconds(20));
        visited.Running.Drain();
        await visited.Running.EndAsync();
    }

    [Fact]
    public async Task Only_configured_tunnels_are_dialled()
    {
        await using var relay = new TestRelay();
        using var service = new LocalService();
        await using var running = new RunningAgent(relay, new TunnelRequest(service.Target));
        var agent = await relay.AgentAsync();
        await agent.AcceptTunnelAsync();
        foreach (var tunnel in (ulong[])[0, 2, ulong.MaxValue >> 2])
        {
            await using var visitor = await agent.VisitAsync(tunnel);
            var error = await Assert.ThrowsAsync<BondStreamException>(async () => await visitor.ReadExactlyAsync(new byte[1], TestContext.Current.CancellationToken));
            Assert.Equal(StreamError.TunnelUnknown, error.Error);
        }
    }
}

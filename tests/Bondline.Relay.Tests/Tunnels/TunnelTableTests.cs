using System.Net;
using System.Net.Sockets;
using Bondline.Protocol;
using Bondline.Transport;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class TunnelTableTests : IAsyncDisposable
{
    private readonly RelayStore _store = RelayStore.Open(null);
    private readonly TokenDirectory _tokens;
    private readonly string _token, _otherToken;
    private readonly List<TunnelTable> _tables = [];
    private TunnelTable _table;

    public TunnelTableTests()
    {
        _tokens = new(_store, TimeProvider.System);
        _token = _tokens.Create("one").Id;
        _otherToken = _tokens.Create("two").Id;
        _table = Open("lab.test", Ports.FreeRange(4));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var open in _tables) await open.DisposeAsync();
        _store.Dispose();
    }

    [Fact]
    public async Task A_name_leads_to_its_tunnel_until_the_bond_is_over()
    {
        var agent = new Holder(_token);
        Assert.Equal(new TunnelReady(1, "http://shop.lab.test:8000", "shop"), await _table.RegisterAsync(agent, Http(1, "shop")));
        Assert.Same(agent, _table.Find("SHOP.lab.TEST")?.Holder);
        Assert.Same(agent, _table.Find("shop.lab.test.")?.Holder);
        Assert.True(_table.IsOwned("shop.lab.test."));
        Assert.Null(_table.Find("shop.lab.test.."));
        Assert.Null(_table.Find("."));
        Assert.Null(_table.Find("lab.test"));
        Assert.Null(_table.Find("xshop.lab.test"));
        Assert.Null(_table.Find("shop.lab.test.evil"));
        Assert.Null(_table.Find("a.shop.lab.test"));
        await _table.RemoveAsync(agent);
        Assert.Null(_table.Find("shop.lab.test"));
    }

    [Fact]
    public async Task The_only_http_tunnel_is_known_as_such()
    {
        var agent = new Holder(_token);
        await _table.RegisterAsync(agent, Http(1, "one"));
        await _table.RegisterAsync(agent, Tcp(2));
        Assert.Equal(1u, _table.Only?.Number);
        await _table.RegisterAsync(agent, Http(3, "two"));
        Assert.Null(_table.Only);
        await _table.UnregisterAsync(agent, 1);
        Assert.Equal(3u, _table.Only?.Number);
    }

    [Fact]
    public async Task The_same_instance_gets_its_name_back_at_once()
    {
        var before = new Holder(_token);
        var after = new Holder(_token) { Instance = before.Instance };
        await _table.RegisterAsync(before, Http(1, "shop"));
        Assert.IsType<TunnelReady>(await _table.RegisterAsync(after, Http(1, "shop")));
        Assert.Same(after, _table.Find("shop.lab.test")?.Holder);
        Assert.Empty(before.Told);
        await _table.RemoveAsync(before); // the old bond ends later and takes nothing with it
        Assert.Same(after, _table.Find("shop.lab.test")?.Holder);
    }

    [Fact]
    public async Task Another_instance_is_told_who_has_the_name_and_since_when()
    {
        var holder = new Holder(_token);
        await _table.RegisterAsync(holder, Http(1, "shop"));
        var refused = Assert.IsType<TunnelRefused>(await _table.RegisterAsync(new Holder(_token), Http(1, "shop")));
        Assert.Equal("name-taken", refused.Code);
        Assert.Contains(holder.Instance.ToString("N")[..8], refused.Message);
        Assert.Contains("2026-01-02 03:04:05", refused.Message);
        Assert.Same(holder, _table.Find("shop.lab.test")?.Holder);
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task A_silent_holder_or_one_that_is_taken_over_loses_the_name_and_is_told(bool isSilent, bool isTakeover)
    {
        var loser = new Holder(_token) { SilentFor = isSilent ? TimeSpan.Zero : null };
        var winner = new Holder(_token);
        await _table.RegisterAsync(loser, Http(7, "shop"));
        Assert.IsType<TunnelReady>(await _table.RegisterAsync(winner, Http(1, "shop") with { Takeover = isTakeover }));
        Assert.Same(winner, _table.Find("shop.lab.test")?.Holder);
        Assert.Equal(7u, Assert.Single(loser.Told).Tunnel);
    }

    [Fact]
    public async Task Another_token_never_gets_the_name_even_after_a_restart()
    {
        var holder = new Holder(_token) { SilentFor = TimeSpan.Zero };
        await _table.RegisterAsync(holder, Http(1, "shop"));
        Assert.Equal("name-taken", Assert.IsType<TunnelRefused>(await _table.RegisterAsync(new Holder(_otherToken), Http(1, "shop") with { Takeover = true })).Code);
        await _table.RemoveAsync(holder);
        _table = Open("lab.test", PortRange.Ephemeral);
        Assert.Equal("name-taken", Assert.IsType<TunnelRefused>(await _table.RegisterAsync(new Holder(_otherToken), Http(1, "shop") with { Takeover = true })).Code);
        Assert.IsType<TunnelReady>(await _table.RegisterAsync(new Holder(_token), Http(1, "shop")));
    }

    [Fact]
    public async Task A_revoked_tokens_names_are_free()
    {
        await _table.RegisterAsync(new Holder(_token), Http(1, "shop"));
        _table = Open("lab.test", PortRange.Ephemeral);
        _tokens.Revoke("one");
        await _table.ForgetAsync(_token);
        Assert.IsType<TunnelReady>(await _table.RegisterAsync(new Holder(_otherToken), Http(1, "shop")));
    }

    [Fact]
    public async Task A_revoked_token_gets_nothing_more()
    {
        _tokens.Revoke("one");
        var agent = new Holder(_token);
        Assert.Equal("auth-expired", Assert.IsType<TunnelRefused>(await _table.RegisterAsync(agent, Http(1, "shop"))).Code);
        Assert.Equal("auth-expired", Assert.IsType<TunnelRefused>(await _table.RegisterAsync(agent, Tcp(2))).Code);
        Assert.Empty(_store.Names());
        Assert.Empty(_store.Ports());
    }

    [Fact]
    public async Task What_a_token_takes_while_it_is_revoked_goes_with_it()
    {
        var agent = new Holder(_token);
        _store.RevokeToken(_token, DateTimeOffset.UtcNow); // in the store, and in the next moment in memory
        await _table.RegisterAsync(agent, Http(1, "shop"));
        await _table.RegisterAsync(agent, Tcp(2));
        await _table.ForgetAsync(_token);
        Assert.Empty(_store.Names());
        Assert.Empty(_store.Ports());
    }

    [Fact]
    public async Task What_a_revoked_token_still_has_in_the_store_is_free_after_a_restart()
    {
        _store.RevokeToken(_token, DateTimeOffset.UtcNow);
        _store.SaveName(new("shop", _token, DateTimeOffset.UtcNow));
        var port = _table.Settings.TcpPorts.First;
        _store.SavePort(new(port, _token, Guid.NewGuid(), "tcp:22", DateTimeOffset.UtcNow));
        _table = Open("lab.test", _table.Settings.TcpPorts);
        Assert.Empty(_store.Names());
        Assert.Empty(_store.Ports());
        var other = new Holder(_otherToken);
        Assert.IsType<TunnelReady>(await _table.RegisterAsync(other, Http(1, "shop")));
        Assert.IsType<TunnelReady>(await _table.RegisterAsync(other, Tcp(2) with { RemotePort = port }));
    }

    [Theory]
    [InlineData("Shop")]
    [InlineData("www")]
    [InlineData("a")]
    public async Task A_name_against_the_rules_is_refused(string name) =>
        Assert.Equal("name-invalid", Assert.IsType<TunnelRefused>(await _table.RegisterAsync(new Holder(_token), Http(1, name))).Code);

    [Fact]
    public async Task Two_tunnels_of_one_agent_cannot_have_one_name()
    {
        var agent = new Holder(_token);
        await _table.RegisterAsync(agent, Http(1, "shop"));
        Assert.Equal("name-taken", Assert.IsType<TunnelRefused>(await _table.RegisterAsync(agent, Http(2, "shop") with { Takeover = true })).Code);
        Assert.IsType<TunnelReady>(await _table.RegisterAsync(agent, Http(1, "shop"))); // the same tunnel again is fine
    }

    [Fact]
    public async Task An_agent_that_names_nothing_gets_a_name_that_stays()
    {
        var agent = new Holder(_token);
        var first = Assert.IsType<TunnelReady>(await _table.RegisterAsync(agent, Http(1, null)));
        await _table.RemoveAsync(agent);
        Assert.Equal(first.Name, Assert.IsType<TunnelReady>(await _table.RegisterAsync(agent, Http(1, null))).Name);
    }

    [Fact]
    public async Task A_made_up_name_that_is_another_tokens_gets_a_suffix_that_stays()
    {
        var longest = new string('a', TunnelName.MaxLength);
        foreach (var wanted in (string[])["calm-otter", longest])
        {
            var owner = new Holder(_token);
            var agent = new Holder(_otherToken);
            await _table.RegisterAsync(owner, Http(1, wanted));
            var given = Assert.IsType<TunnelReady>(await _table.RegisterAsync(agent, Http(1, wanted) with { MayRename = true })).Name!;
            Assert.Matches($"^{wanted[..Math.Min(wanted.Length, 56)]}-[0-9a-f]{{6}}$", given);
            Assert.Same(agent, _table.Find($"{given}.lab.test")?.Holder);
            Assert.Same(owner, _table.Find($"{wanted}.lab.test")?.Holder);
            await _table.RemoveAsync(agent);
            Assert.Equal(given, Assert.IsType<TunnelReady>(await _table.RegisterAsync(agent, Http(1, wanted) with { MayRename = true })).Name);
        }
    }

    [Fact]
    public async Task A_made_up_name_that_is_free_or_its_own_tokens_stays_as_it_is()
    {
        var agent = new Holder(_token);
        Assert.Equal("calm-otter", Assert.IsType<TunnelReady>(await _table.RegisterAsync(agent, Http(1, "calm-otter") with { MayRename = true })).Name);
        Assert.Equal("name-taken", Assert.IsType<TunnelRefused>(await _table.RegisterAsync(new Holder(_token), Http(1, "calm-otter") with { MayRename = true })).Code);
    }

    [Fact]
    public async Task A_tcp_tunnel_opens_its_port_and_closes_it_with_the_bond()
    {
        var agent = new Holder(_token);
        var ready = Assert.IsType<TunnelReady>(await _table.RegisterAsync(agent, Tcp(1)));
        Assert.Equal($"tcp://127.0.0.1:{ready.Port}", ready.Url);
        using (var visitor = new TcpClient()) await visitor.ConnectAsync(IPAddress.Loopback, ready.Port!.Value, TestContext.Current.CancellationToken);
        await _table.RemoveAsync(agent);
        using var late = new TcpClient();
        await Assert.ThrowsAsync<SocketException>(async () => await late.ConnectAsync(IPAddress.Loopback, ready.Port!.Value, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task The_same_service_gets_the_same_port_after_both_ends_were_restarted()
    {
        var agent = new Holder(_token);
        var ports = new List<int?>();
        foreach (var local in (string[])["127.0.0.1:22", "127.0.0.1:5432"])
            ports.Add(Assert.IsType<TunnelReady>(await _table.RegisterAsync(agent, Tcp((ulong)ports.Count, local))).Port);
        await _table.RemoveAsync(agent);
        var range = _table.Settings.TcpPorts;
        _table = Open("lab.test", range);
        var again = new Holder(_token) { Instance = agent.Instance };
        Assert.Equal(ports[1], Assert.IsType<TunnelReady>(await _table.RegisterAsync(again, Tcp(8, "127.0.0.1:5432"))).Port);
        Assert.Equal(ports[0], Assert.IsType<TunnelReady>(await _table.RegisterAsync(again, Tcp(9, "127.0.0.1:22"))).Port);
    }

    [Fact]
    public async Task A_port_asked_for_must_be_in_the_range_and_free()
    {
        var range = _table.Settings.TcpPorts;
        var holder = new Holder(_token);
        Assert.Equal("port-out-of-range", Assert.IsType<TunnelRefused>(await _table.RegisterAsync(holder, Tcp(1) with { RemotePort = range.Last + 1 })).Code);
        Assert.Equal(range.Last, Assert.IsType<TunnelReady>(await _table.RegisterAsync(holder, Tcp(1) with { RemotePort = range.Last })).Port);
        Assert.Equal("port-taken", Assert.IsType<TunnelRefused>(await _table.RegisterAsync(new Holder(_otherToken), Tcp(1) with { RemotePort = range.Last })).Code);
        Assert.Equal("port-taken", Assert.IsType<TunnelRefused>(await _table.RegisterAsync(new Holder(_token), Tcp(1) with { RemotePort = range.Last })).Code);
        var winner = new Holder(_token);
        Assert.IsType<TunnelReady>(await _table.RegisterAsync(winner, Tcp(1) with { RemotePort = range.Last, Takeover = true }));
        Assert.Single(holder.Told);
    }

    [Fact]
    public async Task A_port_another_program_has_is_passed_over()
    {
        var range = _table.Settings.TcpPorts;
        using var other = new TcpListener(IPAddress.Loopback, range.First);
        other.Start();
        var agent = new Holder(_token);
        Assert.Equal("port-taken", Assert.IsType<TunnelRefused>(await _table.RegisterAsync(agent, Tcp(1) with { RemotePort = range.First })).Code);
        for (var number = 1ul; number < (ulong)range.Count; number++)
            Assert.NotEqual(range.First, Assert.IsType<TunnelReady>(await _table.RegisterAsync(agent, Tcp(number))).Port);
        Assert.Equal("no-port-left", Assert.IsType<TunnelRefused>(await _table.RegisterAsync(agent, Tcp(99))).Code);
    }

    [Fact]
    public async Task Without_a_domain_an_http_tunnel_gets_a_port()
    {
        _table = Open(domain: null, PortRange.Ephemeral);
        var ready = Assert.IsType<TunnelReady>(await _table.RegisterAsync(new Holder(_token), Http(1, "shop")));
        Assert.Equal($"http://127.0.0.1:{ready.Port}", ready.Url);
        Assert.Null(_table.Find("shop.lab.test"));
    }

    [Fact]
    public async Task A_bond_has_a_limit_of_tunnels()
    {
        _table = Open("lab.test", PortRange.Ephemeral);
        var agent = new Holder(_token);
        for (var number = 0ul; number < TunnelTable.LimitPerBond; number++) Assert.IsType<TunnelReady>(await _table.RegisterAsync(agent, Http(number, $"name-{number}")));
        Assert.Equal("limit", Assert.IsType<TunnelRefused>(await _table.RegisterAsync(agent, Http(1000, "one-more"))).Code);
    }

    [Fact]
    public async Task A_token_keeps_its_latest_names_and_gives_the_oldest_unused_ones_back()
    {
        for (var batch = 0; batch <= Ownership.LimitPerToken / TunnelTable.LimitPerBond; batch++)
        {
            var agent = new Holder(_token);
            for (var i = 0; i < TunnelTable.LimitPerBond; i++) Assert.IsType<TunnelReady>(await _table.RegisterAsync(agent, Http((ulong)i, $"name-{batch}-{i}")));
            await _table.RemoveAsync(agent);
        }
        Assert.Equal(Ownership.LimitPerToken, _store.Names().Count);
        Assert.IsType<TunnelReady>(await _table.RegisterAsync(new Holder(_token), Http(1, $"name-{Ownership.LimitPerToken / TunnelTable.LimitPerBond}-0")));
    }

    [Fact]
    public async Task A_visitor_waits_half_a_minute_for_a_stream_and_is_reset()
    {
        var time = new ManualTime();
        _table = Open("lab.test", PortRange.Ephemeral, time);
        var agent = new Holder(_token);
        var port = Assert.IsType<TunnelReady>(await _table.RegisterAsync(agent, Tcp(1))).Port!.Value;
        using var visitor = new TcpClient();
        await visitor.ConnectAsync(IPAddress.Loopback, port, TestContext.Current.CancellationToken);
        await agent.Asked;
        time.Advance(TimeSpan.FromSeconds(29));
        var end = visitor.Client.ReceiveAsync(new byte[1], TestContext.Current.CancellationToken).AsTask();
        Assert.False(end.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(SocketError.ConnectionReset, (await Assert.ThrowsAsync<SocketException>(() => end.WaitAsync(TimeSpan.FromSeconds(20)))).SocketErrorCode);
    }

    [Fact]
    public async Task Of_many_agents_that_want_one_name_at_once_one_gets_it()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(() => _table.RegisterAsync(new Holder(_token), Http(1, "shop")))));
        Assert.Single(answers, answer => answer is TunnelReady);
    }

    private TunnelTable Open(string? domain, PortRange range, TimeProvider? time = null)
    {
        var open = new TunnelTable(new Ownership(_store, TimeProvider.System, NullLogger.Instance), _tokens, (_, socket) =>
        {
            socket.Dispose();
            return Task.CompletedTask;
        }, new VisitorCounter(NetworkPlatform.Current, Admissions.Unlimited), new ServedConnections(NullLogger.Instance), NullLogger.Instance)
        {
            Settings = new(domain, "127.0.0.1", IPAddress.Loopback, range, 8000, new() { Time = time ?? TimeProvider.System }),
        };
        _tables.Add(open);
        return open;
    }

    private static RegisterTunnel Http(ulong number, string? name) => new(number, TunnelKind.Http, name, Local: "127.0.0.1:3000");

    private static RegisterTunnel Tcp(ulong number, string? local = null) => new(number, TunnelKind.Tcp, Local: local);

    private sealed class Holder(string token) : ITunnelHolder
    {
        private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public List<TunnelSuperseded> Told { get; } = [];

        public object Bond => "test";

        public string TokenId => token;

        public Guid Instance { get; init; } = Guid.NewGuid();

        public DateTimeOffset Since { get; } = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

        public TimeSpan? SilentFor { get; init; }

        public CancellationToken Over => CancellationToken.None;

        public RequestFeed Requests { get; } = new(_ => true, TimeProvider.System);

        public Task Asked => _asked.Task;

        /// <summary>It waits, as where the bond has no stream left.</summary>
        public ValueTask<BondStream> OpenStreamAsync(StreamHeader header, CancellationToken cancellationToken)
        {
            _asked.TrySetResult();
            return new(new TaskCompletionSource<BondStream>().Task.WaitAsync(cancellationToken));
        }

        public void TellSuperseded(TunnelSuperseded message) => Told.Add(message);
    }
}

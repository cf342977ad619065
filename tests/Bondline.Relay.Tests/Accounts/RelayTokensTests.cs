using Bondline.Protocol;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class RelayTokensTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Tokens_can_be_made_before_the_first_start_of_the_relay()
    {
        var tokens = new RelayTokens(_folder["data"]);
        Assert.True(JoinUrl.TryParse(await tokens.CreateAsync("laptop", "10.77.100.1:8443", Stop), out var join, out _));
        Assert.Equal(new HostPort("10.77.100.1", 8443), Assert.Single(join.Hosts));
        await using var relay = new RelayServer(TestRelay.Options with { DataDirectory = _folder["data"] });
        await relay.StartAsync(Stop);
        Assert.Null(relay.FirstJoinUrl); // there is one already
        Assert.Equal(join.Pins, relay.CreateToken("other").Pins);
    }

    [Fact]
    public async Task A_relay_whose_tokens_are_all_revoked_makes_none_and_says_what_would()
    {
        var tokens = new RelayTokens(_folder["data"]);
        await tokens.CreateAsync("laptop", null, Stop);
        await tokens.RevokeAsync("laptop", Stop);
        var log = new LogWatch();
        var told = log.NextAsync(LogWatch.NoTokenLeft);
        await using var relay = new RelayServer(TestRelay.Options with { DataDirectory = _folder["data"] }, log);
        await relay.StartAsync(Stop);
        Assert.Null(relay.FirstJoinUrl);
        Assert.Contains($"\"bondline relay token create NAME --data {_folder["data"]}\"", await told, StringComparison.Ordinal);
        Assert.DoesNotContain(await tokens.ListAsync(Stop), token => token.Revoked is null);
    }

    [Fact]
    public async Task A_running_relay_takes_changes_at_once()
    {
        await using var relay = new RelayServer(TestRelay.Options with { DataDirectory = _folder["data"], Domain = "lab.test" });
        await relay.StartAsync(Stop);
        var tokens = new RelayTokens(_folder["data"]);
        Assert.True(JoinUrl.TryParse(await tokens.CreateAsync("laptop", null, Stop), out var join, out _));
        Assert.Equal(new HostPort("lab.test", relay.Listening.Https.Port), Assert.Single(join.Hosts));
        Assert.Equal(["first", "laptop"], (await tokens.ListAsync(Stop)).Select(token => token.Name));
        await tokens.RevokeAsync("laptop", Stop);
        Assert.NotNull((await tokens.ListAsync(Stop)).Single(token => token.Name == "laptop").Revoked);
        Assert.Equal("token-unknown", (await Assert.ThrowsAsync<RelayException>(() => tokens.RevokeAsync("laptop", Stop))).Code);
    }

    [Fact]
    public async Task The_relays_address_is_remembered_while_it_is_not_running()
    {
        HostPort host;
        await using (var relay = new RelayServer(TestRelay.Options with { DataDirectory = _folder["data"], Domain = "lab.test" }))
            host = new("lab.test", (await relay.StartAsync(Stop)).Https.Port);
        var tokens = new RelayTokens(_folder["data"]);
        Assert.True(JoinUrl.TryParse(await tokens.CreateAsync("laptop", null, Stop), out var join, out _));
        Assert.Equal(host, Assert.Single(join.Hosts));
        Assert.True(JoinUrl.TryParse(await tokens.CreateAsync("phone", "other.test", Stop), out join, out _));
        Assert.Equal(host with { Host = "other.test" }, Assert.Single(join.Hosts)); // its port is the relay's
        Assert.Equal("usage", (await Assert.ThrowsAsync<RelayException>(() => tokens.CreateAsync("tablet", "other.test:port", Stop))).Code);
        Assert.DoesNotContain(await tokens.ListAsync(Stop), token => token.Name == "tablet");
    }

    [Fact]
    public async Task It_says_which_folder_and_whether_a_relay_took_the_change()
    {
        var tokens = new RelayTokens(_folder["data"]);
        Assert.Equal(_folder["data"], tokens.Folder);
        await tokens.CreateAsync("before", null, Stop);
        Assert.False(tokens.IsRelayRunning);
        await using var relay = new RelayServer(TestRelay.Options with { DataDirectory = _folder["data"] });
        await relay.StartAsync(Stop);
        await tokens.CreateAsync("after", null, Stop);
        Assert.True(tokens.IsRelayRunning);
    }

    [Fact]
    public async Task A_folder_that_cannot_be_used_names_the_way_out()
    {
        await File.WriteAllTextAsync(_folder["data"], "", Stop);
        var error = await Assert.ThrowsAsync<RelayException>(() => new RelayTokens(_folder["data"]).CreateAsync("laptop", null, Stop));
        Assert.Equal("data-unusable", error.Code);
        Assert.Contains("the relay's own user", error.Next, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Whoever_only_looks_makes_nothing(bool isThere)
    {
        if (isThere) Directory.CreateDirectory(_folder["data"]);
        var tokens = new RelayTokens(_folder["data"]);
        foreach (var look in (Func<Task>[])[() => tokens.ListAsync(Stop), () => tokens.RevokeAsync("laptop", Stop), () => RelayRoot.ReadAsync(_folder["data"], Stop)])
        {
            var error = await Assert.ThrowsAsync<RelayException>(look);
            Assert.Equal("data-unusable", error.Code);
            Assert.Contains(_folder["data"], error.Message, StringComparison.Ordinal);
            Assert.Contains("--data DIR", error.Next, StringComparison.Ordinal);
        }
        Assert.Equal(isThere, Directory.Exists(_folder["data"]));
        if (isThere) Assert.Empty(Directory.GetFileSystemEntries(_folder["data"]));
    }

    [Theory]
    [InlineData(true, "/opt/bondline/bondline", "relay", "--data", "/srv/relay")]
    [InlineData(true, "dotnet", "/opt/bondline/bondline.dll", "relay")]
    [InlineData(true, "bondline", "--verbose", "relay")]
    [InlineData(false, "bondline", "relay", "token", "create", "laptop")]
    [InlineData(false, "bondline", "http", "3000", "--name", "relay")]
    [InlineData(false, "vi", "bondline", "relay")]
    [InlineData(false, "bondline")]
    public void A_relay_is_known_by_its_command_line(bool isRelay, params string[] arguments) => Assert.Equal(isRelay, RunningRelays.IsRelay(arguments));

    [Fact]
    public async Task A_folder_serves_one_relay_at_a_time()
    {
        await using var first = new RelayServer(TestRelay.Options with { DataDirectory = _folder["data"] });
        await first.StartAsync(Stop);
        await using var second = new RelayServer(TestRelay.Options with { DataDirectory = _folder["data"] });
        Assert.Equal("data-unusable", (await Assert.ThrowsAsync<RelayException>(() => second.StartAsync(Stop))).Code);
        await first.StopAsync();
        await second.StartAsync(Stop);
    }
}

using Microsoft.Data.Sqlite;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class RelayStoreTests : IDisposable
{
    private static readonly DateTimeOffset Noon = DateTimeOffset.FromUnixTimeMilliseconds(1_800_000_000_000);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_was_saved_is_there_after_a_restart()
    {
        var token = new TokenRecord("id-1", "laptop", [1, 2, 3], Noon, null);
        var port = new PortRecord(7001, "id-1", Guid.NewGuid(), "tcp:127.0.0.1:22", Noon);
        using (var store = Open())
        {
            Assert.True(store.TryAddToken(token));
            store.SaveName(new("shop", "id-1", Noon));
            store.SavePort(port);
            store.SaveSetting("host", "relay.example:443");
        }
        using var again = Open();
        Assert.Equivalent(token, Assert.Single(again.Tokens()));
        Assert.Equal(new("shop", "id-1", Noon), Assert.Single(again.Names()));
        Assert.Equal(port, Assert.Single(again.Ports()));
        Assert.Equal("relay.example:443", again.Setting("host"));
        Assert.Null(again.Setting("other"));
    }

    [Fact]
    public void A_token_name_is_unique_until_it_is_revoked()
    {
        using var store = Open();
        Assert.True(store.TryAddToken(new("id-1", "laptop", [1], Noon, null)));
        Assert.False(store.TryAddToken(new("id-2", "laptop", [2], Noon, null)));
        Assert.True(store.RevokeToken("id-1", Noon));
        Assert.False(store.RevokeToken("id-1", Noon));
        Assert.True(store.TryAddToken(new("id-2", "laptop", [2], Noon, null)));
        Assert.Equal(Noon, store.Tokens().Single(token => token.Id == "id-1").Revoked);
    }

    [Fact]
    public void Revoking_a_token_gives_its_names_and_ports_back()
    {
        using var store = Open();
        foreach (var id in (string[])["id-1", "id-2"])
        {
            store.TryAddToken(new(id, id, [1], Noon, null));
            store.SaveName(new($"name-{id}", id, Noon));
            store.SavePort(new(id == "id-1" ? 7001 : 7002, id, Guid.Empty, "tcp:22", Noon));
        }
        store.RevokeToken("id-1", Noon);
        Assert.Equal("name-id-2", Assert.Single(store.Names()).Name);
        Assert.Equal(7002, Assert.Single(store.Ports()).Port);
    }

    [Fact]
    public async Task Several_processes_may_open_a_new_store_at_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() =>
        {
            using var store = Open();
            Assert.True(store.TryAddToken(new($"id-{i}", $"name-{i}", [1], Noon, null)));
        })));
        using var all = Open();
        Assert.Equal(8, all.Tokens().Count);
    }

    [Fact]
    public void A_store_of_a_newer_program_is_refused()
    {
        Open().Dispose();
        using (var connection = new SqliteConnection($"Data Source={_folder["relay.db"]};Pooling=false"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "PRAGMA user_version = 1000";
            command.ExecuteNonQuery();
        }
        var error = Assert.Throws<RelayException>(Open);
        Assert.Equal("data-unusable", error.Code);
        Assert.Contains("newer", error.Message);
    }

    [Fact]
    public void A_file_that_is_no_store_is_refused()
    {
        File.WriteAllText(_folder["relay.db"], new string('x', 4096));
        Assert.Equal("data-unusable", Assert.Throws<RelayException>(Open).Code);
    }

    [Fact]
    public void Only_the_owner_may_read_it()
    {
        using var store = Open();
        foreach (var file in Directory.GetFiles(_folder.Path)) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
    }

    private RelayStore Open() => RelayStore.Open(_folder["relay.db"]);
}

using Microsoft.Data.Sqlite;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class OwnershipTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly RelayStore _store;
    private readonly string _token;

    public OwnershipTests()
    {
        _store = RelayStore.Open(_folder["relay.db"]);
        _token = new TokenDirectory(_store, TimeProvider.System).Create("one").Id;
    }

    public void Dispose()
    {
        _store.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task What_the_store_does_not_take_is_owned_all_the_same_and_written_at_its_next_use()
    {
        var log = new LogWatch();
        var ownership = new Ownership(_store, TimeProvider.System, log);
        Execute("ALTER TABLE names RENAME TO away; ALTER TABLE ports RENAME TO away_too"); // it fails as a full disk does
        Assert.Contains("shop", await TakingAsync(() => ownership.TryTake("shop", _token, _ => false)), StringComparison.Ordinal);
        Assert.Contains("7001", await TakingAsync(() => ownership.TryTake(7001, _token, Guid.Empty, "tcp:22", _ => false)), StringComparison.Ordinal);
        Assert.Equal((_token, _token), (ownership.OwnerOf("shop"), ownership.OwnerOf(7001)));

        Execute("ALTER TABLE away RENAME TO names; ALTER TABLE away_too RENAME TO ports");
        Assert.True(ownership.TryTake("shop", _token, _ => false));
        Assert.True(ownership.TryTake(7001, _token, Guid.Empty, "tcp:22", _ => false));
        Assert.Equal("shop", Assert.Single(_store.Names()).Name);
        Assert.Equal(7001, Assert.Single(_store.Ports()).Port);

        Task<string> TakingAsync(Func<bool> take)
        {
            var told = log.NextAsync(LogWatch.NotStored);
            Assert.True(take());
            return told;
        }
    }

    private void Execute(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={_folder["relay.db"]};Pooling=false");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}

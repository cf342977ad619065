using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Bondline.Relay;

/// <summary>A token as it is kept: never its secret, only the hash.</summary>
internal sealed record TokenRecord(string Id, string Name, byte[] SecretHash, DateTimeOffset Created, DateTimeOffset? Revoked);

/// <summary>A name that belongs to a token.</summary>
internal sealed record NameRecord(string Name, string Token, DateTimeOffset Used);

/// <summary>A port that belongs to a token, and which of its agents' services had it last.</summary>
internal sealed record PortRecord(int Port, string Token, Guid Instance, string Service, DateTimeOffset Used);

/// <summary>Tokens, names and ports in one SQLite file. Every member may be called on any thread; each is one short transaction.</summary>
internal sealed class RelayStore : IDisposable
{
    // Never change a step that was released: append one. PRAGMA user_version counts the steps a file has had.
    private static readonly string[] Steps =
    [
        """
        CREATE TABLE tokens (id TEXT PRIMARY KEY, name TEXT NOT NULL, secret_hash BLOB NOT NULL, created INTEGER NOT NULL, revoked INTEGER) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked IS NULL;
        CREATE TABLE names (name TEXT PRIMARY KEY, token TEXT NOT NULL REFERENCES tokens (id), used INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE ports (port INTEGER PRIMARY KEY, token TEXT NOT NULL REFERENCES tokens (id), instance TEXT NOT NULL, service TEXT NOT NULL, used INTEGER NOT NULL) STRICT;
        CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
        """,
    ];

    private readonly Lock _gate = new();
    private readonly SqliteConnection _connection;

    private RelayStore(SqliteConnection connection) => _connection = connection;

    /// <summary>Opens or makes the store at <paramref name="path"/>; null for one in memory.</summary>
    /// <exception cref="RelayException">The file cannot be opened, is no store, or was made by a newer program.</exception>
    public static RelayStore Open(string? path)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = path ?? ":memory:",
            Pooling = false,
            ForeignKeys = true,
            DefaultTimeout = 5, // seconds another process may hold the file
        }.ToString());
        try
        {
            // SQLite gives its side files the mode of the file itself.
            if (path is not null && !File.Exists(path)) CreateEmpty(path);
            connection.Open();
            var store = new RelayStore(connection);
            store.Prepare(path);
            return store;
        }
        catch (Exception error) when (error is SqliteException or IOException or UnauthorizedAccessException)
        {
            connection.Dispose();
            throw new RelayException("data-unusable", $"the relay's store {path} cannot be used: {error.Message.TrimEnd('.')}", "Check its owner, and that the disk has room");
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    public IReadOnlyList<TokenRecord> Tokens() => Query(
        "SELECT id, name, secret_hash, created, revoked FROM tokens ORDER BY created, id",
        row => new TokenRecord(row.GetString(0), row.GetString(1), row.GetFieldValue<byte[]>(2), Time(row.GetInt64(3)), row.IsDBNull(4) ? null : Time(row.GetInt64(4))));

    public IReadOnlyList<NameRecord> Names() => Query("SELECT name, token, used FROM names", row => new NameRecord(row.GetString(0), row.GetString(1), Time(row.GetInt64(2))));

    public IReadOnlyList<PortRecord> Ports() => Query(
        "SELECT port, token, instance, service, used FROM ports",
        row => new PortRecord(row.GetInt32(0), row.GetString(1), Guid.Parse(row.GetString(2)), row.GetString(3), Time(row.GetInt64(4))));

    /// <returns>False if an unrevoked token has the name.</returns>
    public bool TryAddToken(TokenRecord token)
    {
        try
        {
            Execute(
                "INSERT INTO tokens (id, name, secret_hash, created) VALUES ($id, $name, $hash, $created)",
                ("$id", token.Id), ("$name", token.Name), ("$hash", token.SecretHash), ("$created", token.Created.ToUnixTimeMilliseconds()));
            return true;
        }
        catch (SqliteException error) when (error.SqliteErrorCode == SQLitePCL.raw.SQLITE_CONSTRAINT)
        {
            return false;
        }
    }

    /// <summary>Revokes the token for ever and gives its names and ports back.</summary>
    /// <returns>False if it was revoked before or is not there.</returns>
    public bool RevokeToken(string id, DateTimeOffset now)
    {
        lock (_gate)
        {
            using var transaction = _connection.BeginTransaction();
            var changed = Run("UPDATE tokens SET revoked = $now WHERE id = $id AND revoked IS NULL", ("$id", id), ("$now", now.ToUnixTimeMilliseconds()));
            Run("DELETE FROM names WHERE token = $id", ("$id", id));
            Run("DELETE FROM ports WHERE token = $id", ("$id", id));
            transaction.Commit();
            return changed > 0;
        }
    }

    public void SaveName(NameRecord name) => Execute(
        "INSERT INTO names (name, token, used) VALUES ($name, $token, $used) ON CONFLICT (name) DO UPDATE SET token = $token, used = $used",
        ("$name", name.Name), ("$token", name.Token), ("$used", name.Used.ToUnixTimeMilliseconds()));

    public void SavePort(PortRecord port) => Execute(
        """
        INSERT INTO ports (port, token, instance, service, used) VALUES ($port, $token, $instance, $service, $used)
        ON CONFLICT (port) DO UPDATE SET token = $token, instance = $instance, service = $service, used = $used
        """,
        ("$port", port.Port), ("$token", port.Token), ("$instance", port.Instance.ToString()), ("$service", port.Service), ("$used", port.Used.ToUnixTimeMilliseconds()));

    public void RemoveName(string name) => Execute("DELETE FROM names WHERE name = $name", ("$name", name));

    public void RemovePort(int port) => Execute("DELETE FROM ports WHERE port = $port", ("$port", port));

    /// <summary>Removes the names and ports of revoked tokens that were saved after the revocation.</summary>
    public void RemoveOfRevoked() => Execute(
        """
        DELETE FROM names WHERE token IN (SELECT id FROM tokens WHERE revoked IS NOT NULL);
        DELETE FROM ports WHERE token IN (SELECT id FROM tokens WHERE revoked IS NOT NULL);
        """);

    public string? Setting(string key) => Query("SELECT value FROM settings WHERE key = $key", row => row.GetString(0), ("$key", key)).FirstOrDefault();

    public void SaveSetting(string key, string value) => Execute(
        "INSERT INTO settings (key, value) VALUES ($key, $value) ON CONFLICT (key) DO UPDATE SET value = $value WHERE value <> $value", ("$key", key), ("$value", value));

    public void Dispose() => _connection.Dispose();

    private static void CreateEmpty(string path)
    {
        try
        {
            DataFolder.CreateOwnerOnlyFile(path).Dispose();
        }
        catch (IOException) when (File.Exists(path)) // another process was first
        {
        }
    }

    private void Prepare(string? path)
    {
        // WAL: a reader never waits for a writer. NORMAL: a power cut may lose the last change, never the file.
        Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
        using var transaction = _connection.BeginTransaction(deferred: false); // one process migrates, others wait
        var version = (int)Query("PRAGMA user_version", row => row.GetInt64(0))[0];
        if (version > Steps.Length) throw new RelayException("data-unusable", $"the relay's store {path} was made by a newer bondline", "Run that one, or name another folder with --data DIR");
        for (var step = version; step < Steps.Length; step++) Run(Steps[step]);
        if (version < Steps.Length) Run(string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version = {Steps.Length}"));
        transaction.Commit();
    }

    private static DateTimeOffset Time(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);

    private void Execute(string sql, params ReadOnlySpan<(string Name, object Value)> values)
    {
        lock (_gate) Run(sql, values);
    }

    private int Run(string sql, params ReadOnlySpan<(string Name, object Value)> values)
    {
        using var command = Prepare(sql, values);
        return command.ExecuteNonQuery();
    }

    private List<T> Query<T>(string sql, Func<SqliteDataReader, T> read, params ReadOnlySpan<(string Name, object Value)> values)
    {
        lock (_gate)
        {
            using var command = Prepare(sql, values);
            using var reader = command.ExecuteReader();
            var rows = new List<T>();
            while (reader.Read()) rows.Add(read(reader));
            return rows;
        }
    }

    private SqliteCommand Prepare(string sql, ReadOnlySpan<(string Name, object Value)> values)
    {
        var command = _connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in values) command.Parameters.AddWithValue(name, value);
        return command;
    }
}

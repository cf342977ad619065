namespace Bondline.Relay;

/// <summary>The idle connections of a tunnel: the one that was used last is used first, and who is idle for a second is closed.</summary>
internal sealed class LocalConnections : IDisposable
{
    // Short: a fresh stream costs no round trip, while the local service may close an idle connection just when a request is on its way to it.
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly List<LocalConnection> _idle = []; // the longest idle one first
    private ITimer? _sweep;
    private bool _isSweeping, _isClosed;

    public LocalConnections(TimeProvider time) => _time = time;

    /// <returns>Null if there is none.</returns>
    public LocalConnection? Take()
    {
        while (true)
        {
            LocalConnection connection;
            lock (_gate)
            {
                if (_idle.Count == 0) return null;
                connection = _idle[^1];
                _idle.RemoveAt(_idle.Count - 1);
            }
            if (!connection.IsDisturbed) return connection;
            connection.Dispose();
        }
    }

    /// <summary>Takes a connection back whose exchange is over.</summary>
    public void Return(LocalConnection connection)
    {
        connection.BecomeIdle(_time.GetTimestamp());
        lock (_gate)
        {
            if (!_isClosed)
            {
                _idle.Add(connection);
                if (!_isSweeping) SweepLater();
                return;
            }
        }
        connection.Dispose();
    }

    /// <summary>Closes those that are idle; those in use are closed when they come back.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isClosed = true;
            _sweep?.Dispose();
        }
        while (Take() is { } connection) connection.Dispose();
    }

    private void SweepLater()
    {
        _isSweeping = true;
        _sweep ??= _time.CreateTimer(static pool => ((LocalConnections)pool!).Sweep(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _sweep.Change(IdleTime, Timeout.InfiniteTimeSpan);
    }

    private void Sweep()
    {
        LocalConnection[] old;
        lock (_gate)
        {
            _isSweeping = false;
            if (_isClosed) return;
            var count = _idle.FindIndex(connection => _time.GetElapsedTime(connection.IdleSince) < IdleTime && !connection.IsDisturbed) is var first and >= 0 ? first : _idle.Count;
            old = [.. _idle[..count]];
            _idle.RemoveRange(0, count);
            if (_idle.Count > 0) SweepLater();
        }
        foreach (var connection in old) connection.Dispose();
    }
}

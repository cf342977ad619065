using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace Bondline.Relay;

/// <summary>Idle connections of a tunnel that serve one visitor's connection of HTTP/1.1 only, because somebody signs in over them; they end with it. Thread-safe.</summary>
internal sealed class PinnedConnections(TimeProvider time) : IDisposable
{
    private readonly ConcurrentDictionary<string, Pin> _byVisitor = new(StringComparer.Ordinal); // by the id of the visitor's connection, which has one request at a time
    private volatile bool _isClosed;

    /// <returns>Null if the visitor's connection has none.</returns>
    public LocalConnection? Take(HttpContext context)
    {
        if (_byVisitor.IsEmpty || !_byVisitor.TryRemove(context.Connection.Id, out var pin)) return null;
        pin.Closing.Unregister();
        if (!pin.Connection.IsDisturbed) return pin.Connection;
        pin.Connection.Dispose();
        return null;
    }

    /// <summary>Takes a connection back whose exchange is over. HTTP/2 has no requests in a row that could need it.</summary>
    public void Return(LocalConnection connection, HttpContext context)
    {
        if (HttpProtocol.IsHttp2(context.Request.Protocol) || context.Features.Get<IConnectionLifetimeFeature>() is not { } visitor)
        {
            connection.Dispose();
            return;
        }
        connection.BecomeIdle(time.GetTimestamp());
        var pin = new Pin(connection);
        var entry = KeyValuePair.Create(context.Connection.Id, pin);
        _byVisitor[entry.Key] = pin;
        pin.Closing = visitor.ConnectionClosed.UnsafeRegister(_ => Drop(entry), null);
        if (_isClosed) Drop(entry);
    }

    /// <summary>Closes those that are idle; those in use are closed when they come back.</summary>
    public void Dispose()
    {
        _isClosed = true;
        foreach (var entry in _byVisitor) Drop(entry);
    }

    private void Drop(KeyValuePair<string, Pin> entry)
    {
        if (!_byVisitor.TryRemove(entry)) return;
        entry.Value.Closing.Unregister();
        entry.Value.Connection.Dispose();
    }

    private sealed class Pin(LocalConnection connection)
    {
        public LocalConnection Connection => connection;

        /// <summary>Drops it with the visitor's connection.</summary>
        public CancellationTokenRegistration Closing { get; set; }
    }
}

using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>One end of a live bond. Every member may be called on any thread.</summary>
public abstract class BondConnection : IAsyncDisposable
{
    private protected BondConnection(BondId id) => Id = id;

    public BondId Id { get; }

    /// <summary>Completes when the bond is over; all its streams are reset by then. Never faults.</summary>
    public Task<BondEnd> Completion => throw new NotSupportedException();

    /// <summary>Opens a stream and writes <paramref name="header"/> to it; waits while the peer's limit of streams is reached.</summary>
    /// <exception cref="BondStreamException">The bond is over (<see cref="StreamError.BondLost"/>).</exception>
    public ValueTask<BondStream> OpenStreamAsync(StreamHeader header, CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <summary>The next stream the peer opened, its header read and checked; null when the bond is over.</summary>
    public ValueTask<BondStream?> AcceptStreamAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    public BondSnapshot Snapshot() => throw new NotSupportedException();

    /// <summary>Ends the bond for good: the peer is told, all streams are reset, both ends forget it.</summary>
    public ValueTask CloseAsync(ProtocolError error, string reason) => throw new NotSupportedException();

    /// <summary>As <see cref="CloseAsync"/> without an error.</summary>
    public ValueTask DisposeAsync() => CloseAsync(ProtocolError.None, "");
}

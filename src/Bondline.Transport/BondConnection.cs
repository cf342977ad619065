using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>One end of a live bond. Every member may be called on any thread.</summary>
public abstract class BondConnection : IAsyncDisposable
{
    private protected BondConnection(BondDriver driver) => Driver = driver;

    public BondId Id => Driver.Id;

    /// <summary>Completes when the bond is over; all its streams are lost by then. Never faults.</summary>
    public Task<BondEnd> Completion => Driver.Completion;

    internal BondDriver Driver { get; }

    /// <summary>Opens a stream and writes <paramref name="header"/> to it; waits while the peer's limit of streams is reached.</summary>
    /// <exception cref="BondStreamException">The bond is over (<see cref="StreamError.BondLost"/>).</exception>
    public ValueTask<BondStream> OpenStreamAsync(StreamHeader header, CancellationToken cancellationToken = default) => Driver.OpenStreamAsync(header, cancellationToken);

    /// <summary>The next stream the peer opened, its header read and checked; null when the bond is over.</summary>
    public ValueTask<BondStream?> AcceptStreamAsync(CancellationToken cancellationToken = default) => Driver.AcceptStreamAsync(cancellationToken);

    public BondSnapshot Snapshot() => Driver.Snapshot();

    /// <summary>Ends the bond for good: the peer is told, all streams are lost, both ends forget it. Returns when the sockets are closed, after a second at most or so.</summary>
    public async ValueTask CloseAsync(ProtocolError error, string reason)
    {
        Driver.Fail(error, reason);
        await Driver.Closed;
    }

    /// <summary>As <see cref="CloseAsync"/> without an error.</summary>
    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return CloseAsync(ProtocolError.None, "");
    }
}

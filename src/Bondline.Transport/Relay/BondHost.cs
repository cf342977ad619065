using System.Net.Sockets;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>The relay's bonds: takes accepted connections, authenticates them and keeps the bonds they belong to. Every member may be called on any thread.</summary>
public sealed class BondHost : IAsyncDisposable
{
    public BondHost(BondHostOptions options) => ArgumentNullException.ThrowIfNull(options);

    /// <summary>Run once per new bond, before its first stream can be accepted by anyone else. The token is cancelled when the bond is over; an exception ends the bond. Set before the first connection.</summary>
    public Func<RelayBond, CancellationToken, Task>? OnBond { get; set; }

    /// <summary>The live bonds, those without subflows included: a snapshot.</summary>
    public IReadOnlyCollection<RelayBond> Bonds => [];

    /// <summary>SHA-256 of the identity's public key (SPKI): what a join URL's pin says.</summary>
    public KeyPin Pin => throw new NotSupportedException();

    /// <summary>TLS, handshake and subflow of one accepted connection, to its end.</summary>
    /// <param name="accepted">Owned by this call: closed when it returns. Nothing was read from it (peeking is fine).</param>
    /// <param name="cancellationToken">Ends the subflow, not the bond.</param>
    /// <remarks>Never throws for what peers and networks do.</remarks>
    public Task HandleConnectionAsync(Socket accepted, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>Ends every bond <paramref name="which"/> says yes to; their agents are told with <paramref name="error"/> and <paramref name="reason"/>.</summary>
    public void CloseBonds(Func<RelayBond, bool> which, ProtocolError error, string reason) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

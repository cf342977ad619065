using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>What an <see cref="AgentLink"/> needs to keep a bond to its relay.</summary>
public sealed record AgentLinkOptions
{
    /// <summary>The relay's addresses, its pins and our token.</summary>
    public required JoinUrl Join { get; init; }

    /// <summary>This agent process's identity over restarts: a new bond of the same instance replaces the old one.</summary>
    public required Guid Instance { get; init; }

    /// <summary>Interfaces the user named, with their policies.</summary>
    /// <value>Default empty: chosen automatically.</value>
    public IReadOnlyList<PathRule> Paths { get; init; } = [];

    /// <summary>Use the interfaces of <see cref="Paths"/> and no other; false if they only change policies.</summary>
    public bool PathsAreExclusive { get; init; } = true;

    /// <summary>What the bond is to be carried by.</summary>
    /// <value>Default <see cref="CarrierMode.Bond"/>.</value>
    public CarrierMode Carrier { get; init; } = CarrierMode.Bond;

    /// <summary>The proxies that lead to the relay.</summary>
    /// <value>Default none.</value>
    public ProxySettings Proxies { get; init; } = ProxySettings.None;

    /// <summary>How the paths are used together at first.</summary>
    public BondMode Mode { get; init; }

    /// <summary>Limits of the bond.</summary>
    public BondOptions Bond { get; init; } = BondOptions.Default;

    /// <summary>Bytes in one direction after which a subflow is replaced by a new connection on its path: TLS keys are not renewed within one (docs/protocol.md, "Worn subflows").</summary>
    /// <value>Default 2^38, 275 GB.</value>
    public long WornAfterBytes { get; init; } = 1L << 38;

    /// <summary>The operating system.</summary>
    public INetworkPlatform Platform { get; init; } = NetworkPlatform.Current;

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    public ITransportLog Log { get; init; } = SilentTransportLog.Instance;

    /// <summary>Where its bonds are written down. The caller ends it after the link.</summary>
    /// <value>Default null: they are not.</value>
    public IBondRecord? Record { get; init; }
}

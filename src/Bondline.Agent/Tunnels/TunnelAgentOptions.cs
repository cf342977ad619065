using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Agent;

/// <summary>What a <see cref="TunnelAgent"/> runs with.</summary>
public sealed record TunnelAgentOptions
{
    public required JoinUrl Join { get; init; }

    /// <summary>This process's identity over restarts, from <see cref="AgentSettings.LockInstance"/>.</summary>
    public required Guid Instance { get; init; }

    /// <summary>At least one; all share one bond.</summary>
    public required IReadOnlyList<TunnelRequest> Tunnels { get; init; }

    /// <summary>Interfaces the user named.</summary>
    /// <value>Default empty: chosen automatically.</value>
    public IReadOnlyList<PathRule> Paths { get; init; } = [];

    /// <summary>Use the interfaces of <see cref="Paths"/> and no other.</summary>
    public bool PathsAreExclusive { get; init; } = true;

    /// <summary>Budgets of metered interfaces.</summary>
    public IReadOnlyList<PathBudget> Budgets { get; init; } = [];

    /// <summary>Where what was used of <see cref="Budgets"/> is kept.</summary>
    /// <value>Default null: it is counted for this run only.</value>
    public AgentSettings? Settings { get; init; }

    /// <summary>How the interfaces are used together at first.</summary>
    public BondMode Mode { get; init; }

    /// <summary>What the bond is to be carried by.</summary>
    /// <value>Default <see cref="CarrierMode.Bond"/>.</value>
    public CarrierMode Carrier { get; init; } = CarrierMode.Bond;

    /// <summary>The proxies that lead to the relay.</summary>
    /// <value>Default none.</value>
    public ProxySettings Proxies { get; init; } = ProxySettings.None;

    /// <summary>Take names and ports from other agents of the same token.</summary>
    public bool IsTakeover { get; init; }

    /// <summary>Ask the relay to tell of requests, for <see cref="IAgentObserver.RequestServed"/>.</summary>
    public bool WatchesRequests { get; init; }

    /// <summary>How long streams may go on after the agent was asked to end.</summary>
    /// <value>Default 2 s; zero ends them at once.</value>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Without a bond for this long after the start, the user is told that the relay cannot be reached.</summary>
    /// <value>Default 5 s.</value>
    public TimeSpan UnreachableNotice { get; init; } = TimeSpan.FromSeconds(5);

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    public ITransportLog Log { get; init; } = SilentTransportLog.Instance;

    /// <summary>Where its bonds are written down. The caller ends it after the agent.</summary>
    /// <value>Default null: they are not.</value>
    public IBondRecord? Record { get; init; }
}

/// <summary>One tunnel to ask the relay for.</summary>
/// <param name="Target">Where it leads.</param>
/// <param name="Name">The name of an HTTP tunnel; null leaves it to the relay.</param>
/// <param name="RemotePort">The relay's port of a TCP tunnel; null leaves it to the relay.</param>
/// <param name="HostHeader">The Host that the service of an HTTP tunnel sees; null for the one the visitor asked for.</param>
/// <param name="IsInsecure">Takes any certificate from a service behind TLS.</param>
public sealed record TunnelRequest(LocalTarget Target, string? Name = null, int? RemotePort = null, string? HostHeader = null, bool IsInsecure = false)
{
    /// <summary>Nobody chose <see cref="Name"/>: where it belongs to another token, the relay may give a similar one.</summary>
    public bool MayRename { get; init; }
}

using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>The agent's end of a bond. Its <see cref="AgentLink"/> opened it and keeps it joined over every path.</summary>
public sealed class AgentBond : BondConnection
{
    private readonly TaskCompletionSource _nextAllowed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal AgentBond(BondDriver driver, WelcomeResult welcome, byte[] relayKeyHash) : base(driver) => (Welcome, RelayKeyHash) = (welcome, relayKeyHash);

    /// <summary>The relay's id, stable over its restarts.</summary>
    public uint RelayId => Welcome.RelayId;

    internal WelcomeResult Welcome { get; }

    /// <summary>Of the relay that it was opened at: no other one knows it.</summary>
    internal byte[] RelayKeyHash { get; }

    /// <summary>Completes when this bond is over and the link has decided to open another.</summary>
    internal Task NextAllowed => _nextAllowed.Task;

    internal void AllowNext() => _nextAllowed.TrySetResult();
}

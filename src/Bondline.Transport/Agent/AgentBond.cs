using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>The agent's end of a bond. Its <see cref="AgentLink"/> opened it and keeps it joined over every path.</summary>
public sealed class AgentBond : BondConnection
{
    internal AgentBond(BondDriver driver, WelcomeResult welcome) : base(driver) => Welcome = welcome;

    /// <summary>The relay's id, stable over its restarts.</summary>
    public uint RelayId => Welcome.RelayId;

    internal WelcomeResult Welcome { get; }
}

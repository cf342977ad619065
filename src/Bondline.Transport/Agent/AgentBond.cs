using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>The agent's end of a bond. Its <see cref="AgentLink"/> opened it and keeps it joined over every path.</summary>
public sealed class AgentBond : BondConnection
{
    internal AgentBond(BondId id) : base(id) { }

    /// <summary>The relay's id, stable over its restarts.</summary>
    public uint RelayId => throw new NotSupportedException();
}

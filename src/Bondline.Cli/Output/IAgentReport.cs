using Bondline.Agent;

namespace Bondline.Cli;

/// <summary>What an agent's user reads.</summary>
internal interface IAgentReport : IAgentObserver
{
    /// <summary>Called every second with <c>--stats</c>.</summary>
    void Statistics(AgentStatistics statistics);
}

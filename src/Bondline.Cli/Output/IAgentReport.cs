using Bondline.Agent;

namespace Bondline.Cli;

/// <summary>What an agent's user reads.</summary>
internal interface IAgentReport : IAgentObserver
{
    /// <summary>Something worth knowing, a sentence without its full stop; on any thread.</summary>
    void Note(string sentence);

    /// <summary>Called every second with <c>--stats</c>.</summary>
    void Statistics(AgentStatistics statistics);
}

using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Agent;

/// <summary>What a <see cref="TunnelAgent"/> has to tell its user. Called on any thread; every method returns quickly and throws nothing.</summary>
public interface IAgentObserver
{
    /// <summary>The relay takes visitors for <paramref name="target"/> at <paramref name="url"/>. Told again after a new bond only if the URL is another one.</summary>
    void TunnelReady(LocalTarget target, string url);

    /// <summary>A network of this machine changed its state.</summary>
    void PathChanged(PathReport path);

    /// <summary>It is known what carries the bond, or that or the reason for it changed.</summary>
    void CarrierChanged(CarrierReport carrier) { }

    /// <summary>Something the user should know; the agent goes on.</summary>
    void Problem(AgentProblem problem);

    /// <summary>A local service took a connection when it was tried at the start.</summary>
    void LocalServiceAnswers(LocalTarget target) { }

    /// <summary>A local service that did not answer, as a <see cref="Problem"/> said, does again.</summary>
    void LocalServiceBack(LocalTarget target) { }

    /// <summary>A visitor's request is over. Told with <see cref="TunnelAgentOptions.WatchesRequests"/> only; every text in it is a visitor's.</summary>
    void RequestServed(LocalTarget target, RequestServed request) { }

    /// <summary>So many more requests were served that the relay did not tell of one by one.</summary>
    void RequestsUntold(int count) { }
}

/// <summary>Something that went wrong.</summary>
/// <param name="Code">The error's code, as in docs/errors.</param>
/// <param name="Message">What failed, with whom; without a full stop.</param>
/// <param name="Next">What to do next; without a full stop, or null.</param>
public sealed record AgentProblem(string Code, string Message, string? Next = null)
{
    /// <summary>The local service it is about, if it is about one.</summary>
    public LocalTarget? Target { get; init; }
}

/// <summary>The agent ended because of <see cref="Problem"/>; running it again the same way will not help.</summary>
public sealed class TunnelAgentException(AgentProblem problem) : Exception(problem.Message)
{
    public AgentProblem Problem { get; } = problem;
}

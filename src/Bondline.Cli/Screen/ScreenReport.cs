using Bondline.Agent;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Cli.Screen;

/// <summary>What the agent tells, for the screen; once that is gone, problems are plain lines again.</summary>
internal sealed class ScreenReport(ScreenModel model, string relay, TextWriter error) : IAgentReport, ITransportLog
{
    private volatile bool _isOver;

    /// <summary>The screen is gone.</summary>
    public void End() => _isOver = true;

    public void TunnelReady(LocalTarget target, string url)
    {
        model.TunnelReady(target, url);
        model.Check(relay, NetworkPlatform.Current.CongestionControlHint);
    }

    public void PathChanged(PathReport path) => model.PathChanged(path);

    public void Note(string sentence) => model.Note(EventKind.Note, sentence);

    public void CarrierChanged(CarrierReport carrier) => model.CarrierChanged(carrier);

    public void Problem(AgentProblem problem)
    {
        if (problem is { Code: "local-unreachable", Target: { } away }) model.LocalServiceAway(away);
        model.Note(EventKind.Warning, ErrorReport.Sentence(problem.Message, problem.Next));
        if (_isOver) error.WriteLine($"warning: {ErrorReport.Line(problem.Code, problem.Message, problem.Next)}");
    }

    public void LocalServiceAnswers(LocalTarget target) => model.Note(EventKind.Good, $"{target} answers");

    public void LocalServiceBack(LocalTarget target) => model.LocalServiceBack(target);

    public void RequestServed(LocalTarget target, RequestServed request) => model.RequestServed(target, request);

    public void RequestsUntold(int count) => model.RequestsUntold(count);

    /// <summary>The one thing of the transport that costs visitors something.</summary>
    public void BondEnded(BondId bond, BondEnd end)
    {
        if (end.ByPeer && !_isOver) model.Note(EventKind.Bad, $"the relay ended the bond{(end.Reason.Length > 0 ? $" ({end.Reason.TrimEnd('.')})" : "")}: connections through it are cut; connecting anew");
    }

    public void Statistics(AgentStatistics statistics) => model.Sample(statistics);
}

using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Bondline.Agent;
using Bondline.Cli.Multipath;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Cli;

/// <summary><c>--json</c>: one object a line.</summary>
internal sealed class JsonReport(TextWriter output) : IAgentReport
{
    private readonly PathChanges _changes = new();
    private volatile string _carrier = Carriers.Name(Carrier.Bond);

    public void TunnelReady(LocalTarget target, string url) => Write(new ReadyLine(url, target.ToString(), _carrier), EventJson.Lines.ReadyLine);

    public void CarrierChanged(CarrierReport carrier)
    {
        _carrier = Carriers.Name(carrier.Carrier);
        Write(new CarrierLine(_carrier, carrier.Reason), EventJson.Lines.CarrierLine);
    }

    public void PathChanged(PathReport path)
    {
        if (_changes.IsNews(path))
            Write(new PathLine(path.Path, PathChanges.Name(path.State), path.Reason, path.Rtt is { } rtt ? Milliseconds(rtt) : null, path.Detail, PathChanges.Name(path.Policy)), EventJson.Lines.PathLine);
    }

    public void Note(string sentence) => Write(new NoteLine(sentence), MultipathJson.Lines.NoteLine);

    public void Problem(AgentProblem problem) => Write(new ErrorLine(problem.Code, ErrorReport.Sentence(problem.Message, problem.Next)), EventJson.Lines.ErrorLine);

    public void Statistics(AgentStatistics statistics) => Write(
        new StatsLine(
            "stats",
            statistics.Bytes.BytesSent,
            statistics.Bytes.BytesReceived,
            statistics.Bytes.FramingBytesSent,
            statistics.Bytes.BytesReinjected,
            statistics.Bytes.BytesDuplicated,
            statistics.Bytes.DuplicateBytesReceived,
            statistics.Streams,
            [.. statistics.Subflows.Select(subflow => Path(subflow, statistics.Budgets))]),
        EventJson.Lines.StatsLine);

    private static StatsPath Path(SubflowSnapshot subflow, IReadOnlyList<BudgetUse> budgets)
    {
        var use = budgets.Where(use => use.Budget.Path == subflow.Path).Cast<BudgetUse?>().FirstOrDefault();
        return new(
            subflow.Path,
            subflow.State.ToString().ToLowerInvariant(),
            Milliseconds(subflow.SmoothedRtt),
            Math.Round(subflow.RateBytesPerSecond * 8 / 1e6, 2),
            subflow.BytesSent,
            subflow.BytesReceived,
            subflow.BytesReinjected,
            PathChanges.Name(subflow.Policy),
            use?.UsedBytes,
            use?.Budget.Bytes);
    }

    private void Write<T>(T line, JsonTypeInfo<T> type) => output.WriteLine(JsonSerializer.Serialize(line, type));

    private static double Milliseconds(TimeSpan span) => Math.Round(span.TotalMilliseconds, 1);
}

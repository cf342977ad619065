using System.Globalization;
using Bondline.Agent;
using Bondline.Cli.Screen;
using Bondline.Transport;

namespace Bondline.Cli;

/// <summary>Plain lines: URLs and statistics on standard output, everything else on standard error.</summary>
internal sealed class PlainReport(TextWriter output, TextWriter error, bool isQuiet) : IAgentReport
{
    private readonly PathChanges _changes = new();

    public void TunnelReady(LocalTarget target, string url) => output.WriteLine(Clean($"{url} -> {target}"));

    public void PathChanged(PathReport path)
    {
        if (isQuiet || !_changes.IsNews(path)) return;
        var rtt = path.Rtt is { } value ? Format($" {value.TotalMilliseconds:0.0} ms") : "";
        var why = path.Detail ?? path.Reason;
        error.WriteLine(Clean($"path {path.Path}: {PathChanges.Name(path.State)}{(PathChanges.Name(path.Policy) is { } policy ? $" {policy}" : "")}{rtt}{(why is null ? "" : $" ({why})")}"));
    }

    /// <summary>The bond goes without saying where there is nothing else.</summary>
    public void CarrierChanged(CarrierReport carrier)
    {
        if (carrier.HasChoice && !isQuiet) error.WriteLine($"carrier: {Carriers.Name(carrier.Carrier)} ({carrier.Reason})");
    }

    public void Note(string sentence)
    {
        if (!isQuiet) error.WriteLine(Clean(sentence));
    }

    public void Problem(AgentProblem problem) => error.WriteLine($"warning: {ErrorReport.Line(problem.Code, problem.Message, problem.Next)}");

    public void Statistics(AgentStatistics statistics)
    {
        var bytes = statistics.Bytes;
        var line = Format($"up {bytes.BytesSent / 1e6:0.0} MB, down {bytes.BytesReceived / 1e6:0.0} MB, {statistics.Streams} streams")
            + Format($", reinjected {bytes.BytesReinjected / 1e6:0.0} MB, duplicated {bytes.BytesDuplicated / 1e6:0.0} MB");
        foreach (var subflow in statistics.Subflows)
            line += Format($" | {subflow.Path} {subflow.State.ToString().ToLowerInvariant()} {subflow.SmoothedRtt.TotalMilliseconds:0.0} ms {subflow.RateBytesPerSecond * 8 / 1e6:0.0} Mbit/s");
        foreach (var use in statistics.Budgets) line += Format($" | {use.Budget.Path} {use.UsedBytes / 1e6:0.0} of {use.Budget.Bytes / 1e6:0.##} MB");
        output.WriteLine(line);
    }

    /// <summary>Of what it says, some comes from the relay, from networks or from the local service.</summary>
    private static string Clean(string line) => TerminalText.Clean(line, isUnicode: true);

    private static string Format(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}

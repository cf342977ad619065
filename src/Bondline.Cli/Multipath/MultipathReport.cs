using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Bondline.Cli.Screen;
using Bondline.Linux;

namespace Bondline.Cli.Multipath;

/// <summary>Tells what the commands do, in words or as JSON lines.</summary>
/// <param name="host">Where to.</param>
/// <param name="isJson">One object a line, on standard output.</param>
/// <param name="isQuiet">Results and errors only.</param>
/// <param name="isDryRun">Nothing is changed.</param>
internal sealed class MultipathReport(CommandHost host, bool isJson, bool isQuiet, bool isDryRun = false) : IMultipathReport
{
    public void Changing(MultipathChange change)
    {
        if (isJson)
        {
            Write(new ChangeLine(change, isDryRun), MultipathJson.Lines.ChangeLine);
            return;
        }

        host.Output.WriteLine($"{Capital(change.Sentence)}\n    {Clean(change.Command)}\n    undo: {Clean(change.UndoCommand)}");
    }

    public void Remark(MultipathChange change, string remark) => Note(remark);

    public void Undone(MultipathChange change, UndoResult result)
    {
        if (isJson)
        {
            Write(new UndoLine(change, result), MultipathJson.Lines.UndoLine);
            return;
        }

        var outcome = result.Outcome switch
        {
            UndoOutcome.Undone => result.Detail is null ? "" : $"    ({Clean(result.Detail)})",
            UndoOutcome.Gone => $"    (nothing to do: {result.Detail ?? "it was not there any more"})",
            _ => $"    LEFT AS IT IS: {result.Detail}",
        };
        host.Output.WriteLine($"{Clean(change.UndoCommand)}{outcome}");
    }

    /// <summary>Which interfaces are used, why others are not, and what else there is to know.</summary>
    public void Plan(MultipathPlan plan)
    {
        if (isJson)
        {
            foreach (var verdict in plan.Interfaces) Write(new InterfaceLine(verdict), MultipathJson.Lines.InterfaceLine);
        }
        else if (!isQuiet)
        {
            foreach (var verdict in plan.Interfaces)
                if (verdict.LeftOut is { } why)
                    host.Error.WriteLine($"{Clean(verdict.Name)} is left out: {Clean(why.Detail)}{(why.Command is null ? "" : $" ({Clean(why.Command)})")}");
        }

        foreach (var note in plan.Notes) Note(note);
    }

    public void Note(string message)
    {
        if (isJson) Write(new NoteLine(message), MultipathJson.Lines.NoteLine);
        else if (!isQuiet) host.Error.WriteLine($"{Capital(message)}.");
    }

    public void Write<T>(T line, JsonTypeInfo<T> type) => host.Output.WriteLine(JsonSerializer.Serialize(line, type));

    // Names of interfaces and what other programs say come from outside.
    public static string Clean(string text) => TerminalText.Clean(text, isUnicode: true);

    public static string Capital(string text) => text.Length > 0 && char.IsAsciiLetterLower(text[0]) ? char.ToUpperInvariant(text[0]) + Clean(text[1..]) : Clean(text);
}

/// <summary>The same for <c>watch</c>, which as a service writes to the journal: all on standard error.</summary>
/// <param name="host">Where to.</param>
/// <param name="isJson">One object a line, on standard output.</param>
/// <param name="isQuiet">Results and errors only.</param>
/// <param name="manager">The address of the service manager; null: there is none.</param>
internal sealed class MultipathWatchReport(CommandHost host, bool isJson, bool isQuiet, string? manager) : IMultipathWatchReport
{
    private readonly MultipathReport _report = new(host, isJson, isQuiet);

    public void Following(MultipathPlan plan, IEnumerable<Advice> advice)
    {
        if (!isJson && !isQuiet)
        {
            var used = plan.Used.Select(verdict => verdict.Name).ToList();
            host.Error.WriteLine($"Following {(used.Count == 0 ? "the networks; none can be used now" : string.Join(", ", used.Select(MultipathReport.Clean)))}.");
        }

        _report.Plan(plan);
        foreach (var each in advice) _report.Note(each.Command is null ? each.Text : $"{each.Text}: {each.Command}");
    }

    public void Ready() => ServiceManager.Tell(manager, ServiceManager.Ready);

    public void Changing(MultipathChange change)
    {
        if (isJson) _report.Changing(change);
        else if (!isQuiet) host.Error.WriteLine(MultipathReport.Clean(change.Command));
    }

    public void Remark(MultipathChange change, string remark) => _report.Note(remark);

    public void Added(string interfaceName, EndpointPlace place)
    {
        if (isJson) _report.Write(new EndpointLine("added", interfaceName, place.Address.ToString(), null), MultipathJson.Lines.EndpointLine);
        else if (!isQuiet) host.Error.WriteLine($"{MultipathReport.Clean(interfaceName)}: endpoint {place.Address} added");
    }

    public void Deleted(string interfaceName, EndpointPlace place, LeftOut why)
    {
        if (isJson) _report.Write(new EndpointLine("deleted", interfaceName, place.Address.ToString(), why), MultipathJson.Lines.EndpointLine);
        else if (!isQuiet) host.Error.WriteLine($"{MultipathReport.Clean(interfaceName)}: {MultipathReport.Clean(why.Detail)}; endpoint {place.Address} deleted");
    }

    public void Failed(CommandException why) => ErrorReport.Write(host, isJson, why.Code, why.Message, why.Next);
}

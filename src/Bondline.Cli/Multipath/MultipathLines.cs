using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Bondline.Cli.Multipath;

/// <summary>A change that is made, or with <c>isDryRun</c> would be.</summary>
internal sealed record ChangeLine(string Event, string Kind, string What, string Command, string Undo, bool? IsDryRun)
{
    public ChangeLine(MultipathChange change, bool isDryRun) : this("change", change.Kind, change.Sentence, change.Command, change.UndoCommand, isDryRun ? true : null) { }
}

/// <summary>What undoing a change came to: <c>undone</c>, <c>gone</c> (it was not there any more) or <c>left</c> (somebody changed it since).</summary>
internal sealed record UndoLine(string Event, string Kind, string What, string Command, string Outcome, string? Detail)
{
    public UndoLine(MultipathChange change, UndoResult result) : this("undo", change.Kind, change.Sentence, change.UndoCommand, result.Outcome.ToString().ToLowerInvariant(), result.Detail) { }
}

/// <summary>What becomes of an interface; without a reason it is used.</summary>
internal sealed record InterfaceLine(string Event, string Interface, bool IsUsed, string? Reason, string? Detail, string? Command)
{
    public InterfaceLine(InterfaceVerdict verdict) : this("interface", verdict.Name, verdict.LeftOut is null, verdict.LeftOut?.Reason, verdict.LeftOut?.Detail, verdict.LeftOut?.Command) { }
}

internal sealed record NoteLine(string Event, string Message)
{
    public NoteLine(string message) : this("note", message) { }
}

/// <summary>An endpoint was added or deleted while the networks are followed.</summary>
internal sealed record EndpointLine(string Event, string Action, string Interface, string Address, string? Reason, string? Detail)
{
    public EndpointLine(string action, string name, string address, LeftOut? why) : this("endpoint", action, name, address, why?.Reason, why?.Detail) { }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ChangeLine))]
[JsonSerializable(typeof(UndoLine))]
[JsonSerializable(typeof(InterfaceLine))]
[JsonSerializable(typeof(NoteLine))]
[JsonSerializable(typeof(EndpointLine))]
internal sealed partial class MultipathJson : JsonSerializerContext
{
    // As in EventJson: the lines never go into a page.
    public static MultipathJson Lines => field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}

using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Bondline.Cli;

/// <summary>The lines of <c>--json</c>. Names and order of the members are a contract: scripts depend on them.</summary>
internal sealed record ReadyLine(string Event, string Url, string Local, string Carrier)
{
    public ReadyLine(string url, string local, string carrier) : this("ready", url, local, carrier) { }
}

/// <summary>A path's state changed; <c>reason</c> is a word for programs, <c>detail</c> a sentence for people.</summary>
/// <remarks>Without a <c>policy</c> it is normal, or the path is not used.</remarks>
internal sealed record PathLine(string Event, string Path, string State, string? Reason, double? RttMs, string? Detail, string? Policy)
{
    public PathLine(string path, string state, string? reason, double? rttMs, string? detail, string? policy) : this("path", path, state, reason, rttMs, detail, policy) { }
}

/// <summary>What carries the bond, <c>bond</c> or <c>mptcp</c>, and why.</summary>
internal sealed record CarrierLine(string Event, string Carrier, string Reason)
{
    public CarrierLine(string carrier, string reason) : this("carrier", carrier, reason) { }
}

internal sealed record ErrorLine(string Event, string Code, string Message)
{
    public ErrorLine(string code, string message) : this("error", code, message) { }
}

/// <summary>A stats line; every counter is since the start, over all bonds.</summary>
/// <param name="Event">Always <c>stats</c>.</param>
/// <param name="UpBytes">Stream bytes from local services towards visitors.</param>
/// <param name="DownBytes">Stream bytes from visitors.</param>
/// <param name="FramingBytes">Frame headers and control frames sent.</param>
/// <param name="ReinjectedBytes">Sent again on another subflow.</param>
/// <param name="DuplicatedBytes">Sent on more than one subflow on purpose: small frames, in mode redundant all.</param>
/// <param name="DuplicatesReceivedBytes">Stream bytes that came again.</param>
/// <param name="Streams">Visitors' connections open now.</param>
/// <param name="Paths">One per subflow.</param>
internal sealed record StatsLine(
    string Event,
    long UpBytes,
    long DownBytes,
    long FramingBytes,
    long ReinjectedBytes,
    long DuplicatedBytes,
    long DuplicatesReceivedBytes,
    int Streams,
    IReadOnlyList<StatsPath> Paths);

/// <summary>One subflow in a stats line; bytes are those inside TLS since it joined.</summary>
/// <remarks>Without a <c>policy</c> it is normal. With a budget, what is used of it counts all agents and headers too.</remarks>
internal sealed record StatsPath(string Path, string State, double RttMs, double RateMbps, long UpBytes, long DownBytes, long ReinjectedBytes, string? Policy, long? BudgetUsedBytes, long? BudgetBytes);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ReadyLine))]
[JsonSerializable(typeof(PathLine))]
[JsonSerializable(typeof(CarrierLine))]
[JsonSerializable(typeof(ErrorLine))]
[JsonSerializable(typeof(StatsLine))]
internal sealed partial class EventJson : JsonSerializerContext
{
    // Quotes and accents stay readable: the lines go to a terminal or a parser, never into a page.
    public static EventJson Lines => field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}

using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Bondline.Cli;

/// <summary>The lines of <c>bondline mptcp ... --json</c>. Names and order of the members are a contract: scripts depend on them.</summary>
internal sealed record EndpointLine(string Event, int Id, string Address, int? Port, string? Interface, IReadOnlyList<string> Flags)
{
    public EndpointLine(int id, string address, int? port, string? name, IReadOnlyList<string> flags) : this("endpoint", id, address, port, name, flags) { }
}

internal sealed record LimitsLine(string Event, int Subflows, int AddAddrAccepted)
{
    public LimitsLine(int subflows, int addAddrAccepted) : this("limits", subflows, addAddrAccepted) { }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(EndpointLine))]
[JsonSerializable(typeof(LimitsLine))]
internal sealed partial class MptcpJson : JsonSerializerContext
{
    public static MptcpJson Lines => field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}

using System.Text.Json.Serialization;

namespace Bondline.Lab;

internal enum LinkCommand
{
    Set,
    Silence,
    Heal,
    CarrierDown,
    CarrierUp,
    Reset,
    Counters,
}

/// <summary>One line to the emulator's standard input.</summary>
internal sealed record LinkRequest(LinkCommand Command, LinkDirection Direction = LinkDirection.Both, LinkSettings? Settings = null);

/// <summary>One line from its standard output: first one when the devices exist, then one per request, in order.</summary>
internal sealed record LinkReply(string? Error = null, int Count = 0, LinkCounters Counters = default);

[JsonSourceGenerationOptions(UseStringEnumConverter = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(LinkRequest))]
[JsonSerializable(typeof(LinkReply))]
internal sealed partial class LinkControlJson : JsonSerializerContext;

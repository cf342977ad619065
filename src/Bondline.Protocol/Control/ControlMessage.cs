using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Bondline.Protocol;

public enum TunnelKind
{
    Tcp,
    Http,
}

/// <summary>What a tunnel's local service speaks.</summary>
public enum HttpVersions
{
    /// <summary>HTTP/1.1 alone.</summary>
    Http1,

    /// <summary>HTTP/2 alone, without being asked (prior knowledge).</summary>
    Http2,

    /// <summary>Either; a stream's kind says which.</summary>
    Both,
}

/// <summary>A message on the control stream of a bond: one JSON object a line, told apart by "type". A peer ignores properties it does not know.</summary>
/// <remarks>docs/protocol.md, section "Control messages".</remarks>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type", IgnoreUnrecognizedTypeDiscriminators = true)]
[JsonDerivedType(typeof(RegisterTunnel), "register")]
[JsonDerivedType(typeof(UnregisterTunnel), "unregister")]
[JsonDerivedType(typeof(TunnelReady), "ready")]
[JsonDerivedType(typeof(TunnelRefused), "refused")]
[JsonDerivedType(typeof(TunnelSuperseded), "superseded")]
[JsonDerivedType(typeof(WatchRequests), "watchRequests")]
[JsonDerivedType(typeof(RequestServed), "requestServed")]
[JsonDerivedType(typeof(RequestsUntold), "requestsUntold")]
public record ControlMessage;

/// <summary>Agent to relay: take visitors for this tunnel.</summary>
/// <param name="Tunnel">The agent's number of it, the same as long as the agent runs.</param>
/// <param name="Kind">What visitors speak.</param>
/// <param name="Name">HTTP: the name wanted.</param>
/// <param name="RemotePort">TCP: the port wanted; null: the one it had, or any.</param>
/// <param name="Takeover">Take it from another process of the same token.</param>
/// <param name="Local">The local target, as shown to people; never dialled by the relay.</param>
public sealed record RegisterTunnel(ulong Tunnel, TunnelKind Kind, string? Name = null, int? RemotePort = null, bool Takeover = false, string? Local = null) : ControlMessage
{
    /// <summary>HTTP: what the local service speaks; null is HTTP/1.1.</summary>
    public HttpVersions? Http { get; init; }

    /// <summary>HTTP: the Host it is to see; null for the visitor's.</summary>
    public string? HostHeader { get; init; }

    /// <summary>HTTP: nobody chose <see cref="Name"/>; if it belongs to another token, a similar one will do.</summary>
    public bool? MayRename { get; init; }
}

/// <summary>Agent to relay: take no more visitors.</summary>
public sealed record UnregisterTunnel(ulong Tunnel) : ControlMessage;

/// <summary>Relay to agent: visitors can come.</summary>
public sealed record TunnelReady(ulong Tunnel, string Url, string? Name = null, int? Port = null) : ControlMessage;

/// <summary>Relay to agent: not possible; codes are name-taken, port-taken, name-invalid, port-out-of-range, no-port-left, limit.</summary>
public sealed record TunnelRefused(ulong Tunnel, string Code, string Message) : ControlMessage;

/// <summary>Relay to agent: another process has it now; do not ask again.</summary>
public sealed record TunnelSuperseded(ulong Tunnel, string By, string Message) : ControlMessage;

/// <summary>Agent to relay: from now on tell which requests were served; somebody looks at them.</summary>
public sealed record WatchRequests : ControlMessage;

/// <summary>Relay to agent: a visitor's request is over. What visitors wrote is in it, cut short and otherwise as it came.</summary>
/// <param name="Tunnel">Whose request it was.</param>
/// <param name="Method">As the visitor wrote it.</param>
/// <param name="Target">Path and query, as the visitor wrote them.</param>
/// <param name="Status">What the visitor got.</param>
/// <param name="DurationMs">From the request's head to the answer's end.</param>
/// <param name="Bytes">The answer's length where its head told it.</param>
public sealed record RequestServed(ulong Tunnel, string Method, string Target, int Status, long DurationMs, long? Bytes = null) : ControlMessage;

/// <summary>Relay to agent: so many more requests were served since the last <see cref="RequestServed"/>, too many to tell of each.</summary>
public sealed record RequestsUntold(int Count) : ControlMessage;

/// <summary>Writes and reads control messages, a line each.</summary>
public static class ControlCodec
{
    /// <summary>Of a line, its end included.</summary>
    public const int MaxLineLength = 16 * 1024;

    /// <returns>The bytes written.</returns>
    public static int Write(ControlMessage message, IBufferWriter<byte> output)
    {
        var line = JsonSerializer.SerializeToUtf8Bytes(message, ControlJson.Default.ControlMessage);
        if (line.Length >= MaxLineLength) throw new ProtocolException(ProtocolError.FrameTooLarge, $"A control message of {line.Length} bytes; at most {MaxLineLength} are allowed.");
        output.Write(line);
        output.Write("\n"u8);
        return line.Length + 1;
    }

    /// <summary>Takes one line from the front of <paramref name="input"/>.</summary>
    /// <returns>False while the line is incomplete. True with null: a message of a type this version does not know.</returns>
    /// <exception cref="ProtocolException">The line is too long or no message.</exception>
    public static bool TryRead(ref ReadOnlySequence<byte> input, out ControlMessage? message)
    {
        message = null;
        var end = input.PositionOf((byte)'\n');
        if (end is null)
        {
            if (input.Length >= MaxLineLength) throw new ProtocolException(ProtocolError.FrameTooLarge, "A control message is too long.");
            return false;
        }
        var line = input.Slice(0, end.Value);
        if (line.Length >= MaxLineLength) throw new ProtocolException(ProtocolError.FrameTooLarge, "A control message is too long.");
        input = input.Slice(input.GetPosition(1, end.Value));
        try
        {
            var reader = new Utf8JsonReader(line);
            message = JsonSerializer.Deserialize(ref reader, ControlJson.Default.ControlMessage);
            if (reader.Read()) throw new JsonException(); // a second value
        }
        catch (JsonException error)
        {
            // Not its message: that quotes the peer.
            throw new ProtocolException(ProtocolError.FrameMalformed, $"A control message cannot be read at byte {error.BytePositionInLine ?? line.Length}.");
        }
        if (message is RegisterTunnel { Kind: not (TunnelKind.Tcp or TunnelKind.Http) })
            throw new ProtocolException(ProtocolError.FrameMalformed, "A control message names a kind of tunnel that does not exist.");
        if (message is RegisterTunnel { Http: not (null or HttpVersions.Http1 or HttpVersions.Http2 or HttpVersions.Both) })
            throw new ProtocolException(ProtocolError.FrameMalformed, "A control message names a version of HTTP that does not exist.");
        if (message is RegisterTunnel { HostHeader: { } host } && !HostValue.IsValid(host))
            throw new ProtocolException(ProtocolError.FrameMalformed, "A control message names a Host that cannot be one.");
        if (message?.GetType() == typeof(ControlMessage)) message = null; // of a type that came later
        return true;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, AllowOutOfOrderMetadataProperties = true,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(ControlMessage))]
internal sealed partial class ControlJson : JsonSerializerContext;

using System.Net;
using System.Text.Json.Serialization;
using Bondline.Linux;

namespace Bondline.Cli.Multipath;

/// <summary>An endpoint: connections open a further subflow from this address, out of this interface.</summary>
/// <param name="Address">Of the interface.</param>
/// <param name="Interface">Its name.</param>
/// <param name="InterfaceIndex">Its number; with another one it is another interface.</param>
/// <param name="Flags">As the kernel takes them.</param>
internal sealed record EndpointChange(IPAddress Address, string Interface, int InterfaceIndex, MultipathEndpointFlags Flags = MultipathEndpointFlags.Subflow) : MultipathChange
{
    [JsonIgnore]
    public EndpointPlace Place => new(Address, InterfaceIndex);

    /// <summary>That is the one this change makes, whatever flags somebody gave it since.</summary>
    public bool IsAt(MultipathEndpoint endpoint) => endpoint.Address.Equals(Address) && endpoint.Port == 0 && endpoint.InterfaceIndex == InterfaceIndex;

    public override string? Make(IMultipathSystem system)
    {
        system.AddEndpoint(new(0, Address, 0, Flags, InterfaceIndex));
        return null;
    }

    public override UndoResult Undo(IMultipathSystem system)
    {
        var found = system.Endpoints().FirstOrDefault(endpoint => endpoint.Address.Equals(Address) && endpoint.Port == 0 && !endpoint.Flags.HasFlag(MultipathEndpointFlags.Implicit));
        if (found is null) return new(UndoOutcome.Gone);
        if (found.InterfaceIndex != InterfaceIndex || found.Flags != Flags) return new(UndoOutcome.Left, "somebody changed it meanwhile");
        system.DeleteEndpoint(found);
        return new(UndoOutcome.Undone);
    }

    public override bool IsMissing(MultipathFacts facts, IMultipathSystem system) => facts.Endpoints?.Any(IsAt) == false;

    protected override ChangeWords Describe() => new(
        "endpoint",
        $"let connections use {Interface}, from {Address}",
        $"ip mptcp endpoint add {Address} dev {Interface} {Flags.ToString().Replace(", ", " ", StringComparison.Ordinal).ToLowerInvariant()}",
        $"ip mptcp endpoint delete id ID (the one with {Address})");
}

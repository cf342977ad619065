using System.Text;
using Bondline.Transport;

namespace Bondline.Fuzz;

/// <summary>What a network answers in the relay's place. A host it names goes to the terminal.</summary>
internal static class PortalTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        var portal = PortalProbe.Judge(Encoding.Latin1.GetString(input), "relay.example");
        if (portal is null or "") return;
        FuzzTarget.Require(HostPort.TryParse(portal.Contains(':') ? $"[{portal}]" : portal, 80, out _), "who is named is a host");
        FuzzTarget.Require(!portal.EndsWith("relay.example", StringComparison.OrdinalIgnoreCase) || portal[^14] != '.', "the relay's own site is no portal");
    }
}

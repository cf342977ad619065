using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Agent;

/// <summary>What the relay's refusals mean for the user.</summary>
internal static class RefusalProblem
{
    private const string NewLogin = "Ask its owner for a new join URL and run \"bondline login JOIN-URL\"";

    public static AgentProblem From(BondRefusedException refused, string relay) => refused switch
    {
        { IsPinMismatch: true } => new("pin-mismatch", $"{relay} is not who the join URL means: {refused.Message}; the token was not sent", "Ask its owner whether it was set up anew"),
        { Error: ProtocolError.TokenRefused } => new("auth-refused", $"{relay} does not know the token", NewLogin),
        { Error: ProtocolError.TokenRevoked } => new("auth-expired", $"{relay} refused the token: it was revoked", NewLogin),
        { Error: ProtocolError.VersionUnsupported } => new("version-unsupported", $"{relay} speaks another version of the protocol", "Update the older of the two"),
        { Error: ProtocolError.Superseded } => new("superseded", $"another agent took over at {relay}; this one has ended"),
        { Error: ProtocolError.TooManyBonds } => new("limit", $"{relay} has no room for this agent: {refused.Message}"),
        _ => new("relay-refused", $"{relay} refused this agent: {refused.Message}"),
    };

    public static AgentProblem From(TunnelRefused refused, AgentTunnel tunnel, string relay)
    {
        var wish = tunnel.Request switch
        {
            { Name: { } name } => $"the name \"{name}\"",
            { RemotePort: { } port } => $"port {port}",
            _ => $"a tunnel to {tunnel.Target}",
        };
        var next = refused.Code switch
        {
            "name-taken" => "Take another --name, or --takeover if the holder is yours",
            "port-taken" => "Take another --remote-port, or --takeover if the holder is yours",
            "name-invalid" => "Take another --name",
            "port-out-of-range" => "Take another --remote-port or leave it out",
            "auth-expired" => NewLogin,
            _ => null,
        };
        return new(refused.Code, $"{relay} refused {wish}: {Sentence(refused.Message)}", next);
    }

    public static AgentProblem From(TunnelSuperseded superseded, AgentTunnel tunnel, string relay) =>
        new("superseded", $"{tunnel.Url ?? tunnel.Target.ToString()} was taken over at {relay} by {superseded.By}: {Sentence(superseded.Message)}");

    private static string Sentence(string text) => text.TrimEnd('.', ' ');
}

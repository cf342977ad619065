using System.Text;
using Bondline.Agent;
using Bondline.Cli;
using Bondline.Relay;

namespace Bondline.Fuzz;

/// <summary>Words that people and agents write: targets, <c>--paths</c>, ports, names, Host values, the words of <c>mptcp endpoint</c>.</summary>
internal static class ArgumentTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        var text = Encoding.UTF8.GetString(input);
        ReadPaths(text);
        ReadEndpoint(text);
        if (PortRange.TryParse(text, out var range)) FuzzTarget.Require(PortRange.TryParse(range.ToString(), out var again) && again == range, "a range comes back the same");
        if (HostPort.TryParse(text, 443, out var host)) FuzzTarget.Require(HostPort.TryParse(host.ToString(), 1, out var again) && again == host, "a host comes back the same");
        if (HostValue.IsValid(text)) FuzzTarget.Require(text.All(char.IsAscii) && !text.Any(char.IsControl), "a Host can stand in a header");
        if (TunnelName.Problem(text) is null) FuzzTarget.Require(HostValue.IsValid($"{text}.relay.example"), "a tunnel's name can stand before a domain");
        foreach (var kind in (ReadOnlySpan<TunnelKind>)[TunnelKind.Tcp, TunnelKind.Http])
        {
            if (LocalTarget.TryParse(text, kind, out var target) != TargetSyntax.Valid) continue;
            FuzzTarget.Require(target!.Kind == kind && target.Key.Length > 0, "a target is of the kind asked for");
            if (target.Path is null) FuzzTarget.Require(HostValue.IsValid(target.OwnHost), "a target's own name can stand in a header");
        }
    }

    private static void ReadEndpoint(string text)
    {
        try
        {
            var words = EndpointWords.Parse(text.Split(' '));
            FuzzTarget.Require(words is { Id: null or (>= 0 and <= 255), Port: null or (>= 1 and <= 65535) } && (words.Set & words.Clear) == 0, "an endpoint's numbers fit");
            FuzzTarget.Require(words.Address is not { IsIPv4MappedToIPv6: true }, "an address is written in one way");
        }
        catch (CommandException)
        {
        }
    }

    private static void ReadPaths(string text)
    {
        try
        {
            var paths = PathRules.Parse(text);
            FuzzTarget.Require(paths.Rules.Select(rule => rule.Interface).Distinct().Count() == paths.Rules.Count, "an interface has one rule");
            FuzzTarget.Require(paths.Budgets.All(budget => budget.Bytes >= 0), "a budget is no debt");
        }
        catch (CommandException)
        {
        }
    }
}

using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bondline.Relay;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline relay token create|list|revoke</c>.</summary>
internal static class RelayTokenCommand
{
    public static Command Create(CommandHost host, Option<string?> data) => new("token", "Create, list and revoke the tokens agents join with.")
    {
        CreateCommand(host, data),
        ListCommand(host, data),
        RevokeCommand(host, data),
    };

    private static Command CreateCommand(CommandHost host, Option<string?> data)
    {
        var name = Name("What to call it, such as \"laptop\".");
        var address = new Option<string?>("--host") { Description = "Where agents reach the relay; by default its domain or address.", HelpName = "HOST[:PORT]" };
        var command = new Command("create", "Make a token and print its join URL, which is shown only once.") { name, address };
        command.SetAction((line, stop) => RelayCommand.GuardAsync(async () =>
        {
            var tokens = new RelayTokens(line.GetValue(data));
            var url = await tokens.CreateAsync(line.GetRequiredValue(name), line.GetValue(address), stop);
            host.Output.WriteLine(line.GetValue(CommonOptions.Json) ? JsonSerializer.Serialize(new TokenCreatedLine("token", line.GetRequiredValue(name), url), RelayJson.Lines.TokenCreatedLine) : url);
            if (line.GetValue(CommonOptions.Quiet)) return;
            host.Error.WriteLine(tokens.IsRelayRunning
                ? $"Token {line.GetRequiredValue(name)} is valid now, at the relay that uses {tokens.Folder}."
                : $"Token {line.GetRequiredValue(name)} is in {tokens.Folder}, where no relay is running: it is valid once one is started with this data folder.");
        }));
        return command;
    }

    private static Command ListCommand(CommandHost host, Option<string?> data)
    {
        var command = new Command("list", "Show all tokens, without their secrets.");
        command.SetAction((line, stop) => RelayCommand.GuardAsync(async () =>
        {
            var tokens = await new RelayTokens(line.GetValue(data)).ListAsync(stop);
            var width = tokens.Select(token => token.Name.Length).DefaultIfEmpty(0).Max();
            foreach (var token in tokens)
                host.Output.WriteLine(line.GetValue(CommonOptions.Json)
                    ? JsonSerializer.Serialize(new TokenLine("token", token.Name, token.Id, token.Created, token.Revoked), RelayJson.Lines.TokenLine)
                    : $"{token.Name.PadRight(width)}  {token.Id}  created {Day(token.Created)}{(token.Revoked is { } revoked ? $"  revoked {Day(revoked)}" : "")}");
        }));
        return command;
    }

    private static Command RevokeCommand(CommandHost host, Option<string?> data)
    {
        var name = Name("The token's name.");
        var command = new Command("revoke", "End a token for ever: its agents are cut off at once, its names and ports are free.") { name };
        command.SetAction((line, stop) => RelayCommand.GuardAsync(async () =>
        {
            await new RelayTokens(line.GetValue(data)).RevokeAsync(line.GetRequiredValue(name), stop);
            if (!line.GetValue(CommonOptions.Quiet)) host.Error.WriteLine($"Token {line.GetRequiredValue(name)} is revoked.");
        }));
        return command;
    }

    private static Argument<string> Name(string description) => new("name") { Description = description, HelpName = "NAME" };

    private static string Day(DateTimeOffset time) => time.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);
}

internal sealed record TokenCreatedLine(string Event, string Name, string JoinUrl);

internal sealed record TokenLine(string Event, string Name, string Id, DateTimeOffset Created, DateTimeOffset? Revoked);

/// <param name="Event">Always <c>listening</c>.</param>
/// <param name="Domain">Names are under it; left out without one.</param>
/// <param name="Https">For agents and HTTPS visitors.</param>
/// <param name="Http">For HTTP visitors.</param>
/// <param name="TcpPorts">The range for TCP tunnels.</param>
/// <param name="Mptcp">All of these take Multipath TCP too.</param>
internal sealed record ListeningLine(string Event, string? Domain, string Https, string Http, string TcpPorts, bool Mptcp);

/// <summary>A relay's stats line; every counter is since the start, over all bonds.</summary>
/// <param name="Event">Always <c>stats</c>.</param>
/// <param name="UpBytes">Stream bytes from agents towards visitors.</param>
/// <param name="DownBytes">Stream bytes towards agents.</param>
/// <param name="FramingBytes">Frame headers and control frames sent.</param>
/// <param name="ReinjectedBytes">Sent again on another subflow.</param>
/// <param name="DuplicatedBytes">Small frames sent on two subflows on purpose.</param>
/// <param name="DuplicatesReceivedBytes">Stream bytes that came again.</param>
/// <param name="Streams">Open now, one of each agent's for control.</param>
/// <param name="Agents">Bonds open now.</param>
/// <param name="MultipathAgents">Of these, those that have a subflow by Multipath TCP.</param>
/// <param name="Visitors">Connections to tunnels since the start.</param>
/// <param name="MultipathVisitors">Of these, those that came by Multipath TCP.</param>
/// <param name="SpreadVisitors">Of these, those that had more than one subflow.</param>
/// <param name="MostVisitorSubflows">The most one of them had; 0 if none came.</param>
/// <param name="AverageVisitorSubflows">Of the most each had; 0 if none came.</param>
internal sealed record RelayStatsLine(
    string Event,
    long UpBytes,
    long DownBytes,
    long FramingBytes,
    long ReinjectedBytes,
    long DuplicatedBytes,
    long DuplicatesReceivedBytes,
    int Streams,
    int Agents,
    int MultipathAgents,
    long Visitors,
    long MultipathVisitors,
    long SpreadVisitors,
    int MostVisitorSubflows,
    double AverageVisitorSubflows);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TokenCreatedLine))]
[JsonSerializable(typeof(TokenLine))]
[JsonSerializable(typeof(ListeningLine))]
[JsonSerializable(typeof(RelayStatsLine))]
[JsonSerializable(typeof(RootLine))]
internal sealed partial class RelayJson : JsonSerializerContext
{
    // As in EventJson: the lines never go into a page, and a join URL is to be read as it is.
    public static RelayJson Lines => field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}

using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bondline.Cli.Screen;
using Bondline.Protocol;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline replay FILE</c>: makes the bonds of a record again and tells what they decided, and why.</summary>
internal static partial class ReplayCommand
{
    public static Command Create(CommandHost host)
    {
        var file = new Argument<string>("file") { Description = "What --record wrote; - for standard input.", HelpName = "FILE" };
        var bond = new Option<int?>("--bond") { Description = "Tell of this bond of the record only.", HelpName = "N" };
        var from = new Option<double?>("--from") { Description = "Tell of what happened from then on, after the bond began.", HelpName = "SECONDS" };
        var to = new Option<double?>("--to") { Description = "Tell of what happened until then.", HelpName = "SECONDS" };
        var writes = new Option<bool>("--writes") { Description = "Tell why each frame took its network, not only what was out of the ordinary." };
        var command = new Command("replay", "Run a bond record through the engine again, and explain what it did.") { file, bond, from, to, writes };
        command.SetAction((line, _) =>
        {
            host.Stop.Listen();
            var report = new Report(host.Output, line.GetValue(CommonOptions.Json), line.GetValue(bond), line.GetValue(from), line.GetValue(to));
            return RunAsync(host, line.GetRequiredValue(file), line.GetValue(writes), report);
        });
        return command;
    }

    private static async Task<int> RunAsync(CommandHost host, string file, bool tellsWrites, Report report)
    {
        var replay = new BondReplay(report.Tell, tellsWrites);
        try
        {
            await using var input = file == "-" ? Console.OpenStandardInput() : new FileStream(file, new FileStreamOptions { BufferSize = 0, Options = FileOptions.SequentialScan });
            var isWhole = await ReadLinesAsync(input, replay, host.Stop.Drain);
            report.End(replay, isWhole);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or BondRecordException)
        {
            throw new CommandException("record-unusable", $"{(file == "-" ? "standard input" : file)} cannot be replayed: {TerminalText.Clean(error.Message, isUnicode: true).TrimEnd('.')}", "Give it a file that --record wrote");
        }
        return report.Difference is { } difference
            ? throw new CommandException("record-differs", $"this program decides otherwise than the one that recorded: {difference}", "Replay it with the version that its first line names")
            : (int)ExitCode.Success;
    }

    /// <returns>False if the last line has no end: the process that wrote it was ended meanwhile.</returns>
    private static async Task<bool> ReadLinesAsync(Stream input, BondReplay replay, CancellationToken stop)
    {
        var buffer = new byte[1 << 20];
        var kept = 0;
        while (true)
        {
            if (kept == buffer.Length)
            {
                if (kept > BondReplay.MaxLineLength) throw new BondRecordException("it has a line longer than any of a record");
                Array.Resize(ref buffer, buffer.Length * 2);
            }
            var length = await input.ReadAsync(buffer.AsMemory(kept), stop);
            if (length == 0) return kept == 0;
            var whole = buffer.AsSpan(kept, length).LastIndexOf((byte)'\n') + kept + 1;
            kept += length;
            if (whole <= kept - length) continue;
            AddLines(buffer.AsSpan(0, whole), replay);
            buffer.AsSpan(whole, kept - whole).CopyTo(buffer);
            kept -= whole;
        }
    }

    private static void AddLines(ReadOnlySpan<byte> lines, BondReplay replay)
    {
        while (!lines.IsEmpty)
        {
            var end = lines.IndexOf((byte)'\n');
            replay.Add(lines[..end]);
            lines = lines[(end + 1)..];
        }
    }

    /// <summary>Prints decisions and results.</summary>
    private sealed class Report(TextWriter output, bool isJson, int? bond, double? from, double? to)
    {
        private readonly Dictionary<int, Instant> _began = [];

        public string? Difference { get; private set; }

        public void Tell(ReplayedDecision decision)
        {
            if (!_began.TryGetValue(decision.Bond, out var began)) _began[decision.Bond] = began = decision.At;
            var seconds = decision.At.Since(began).TotalSeconds;
            if ((bond ?? decision.Bond) != decision.Bond || seconds < from || seconds > to) return;
            output.WriteLine(isJson
                ? JsonSerializer.Serialize(new DecisionLine("decision", decision.Bond, Math.Round(seconds, 6), decision.Text), ReplayJson.Default.DecisionLine)
                : string.Create(CultureInfo.InvariantCulture, $"{decision.Bond,3} {seconds,12:0.000000} s  {TerminalText.Clean(decision.Text, isUnicode: true)}"));
        }

        public void End(BondReplay replay, bool isWhole)
        {
            var results = replay.End();
            if (replay.Origin is not { } origin) throw new BondRecordException("it is empty");
            foreach (var result in results)
            {
                Difference ??= result.Difference is null ? null : $"bond {result.Bond}, {result.Difference}";
                if ((bond ?? result.Bond) == result.Bond) Tell(result);
            }
            if (isJson) return;
            if (!isWhole) output.WriteLine("The last line is cut short: the process ended while it was written.");
            output.WriteLine($"Recorded by {TerminalText.Clean(origin, isUnicode: true)}{(replay.HasPayload ? ", with what the streams carried" : "")}.");
        }

        private void Tell(ReplayResult result)
        {
            if (isJson)
            {
                output.WriteLine(JsonSerializer.Serialize(new ResultLine("result", result.Bond, result.Role == BondRole.Agent ? "agent" : "relay", result.Calls, Math.Round(result.Length.TotalSeconds, 6), result.Difference, result.Subflows), ReplayJson.Default.ResultLine));
                return;
            }
            var outcome = result.Difference is null ? "every output as recorded" : "STOPPED where the engine decided otherwise";
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Bond {result.Bond}, at the {(result.Role == BondRole.Agent ? "agent" : "relay")}: {result.Length.TotalSeconds:0.0} s, {result.Calls:N0} calls, {outcome}"));
            foreach (var subflow in result.Subflows)
            {
                output.WriteLine(TerminalText.Clean(
                    $"  {subflow.Name}: {ScreenLayout.Size(subflow.NewBytes)} first here, {ScreenLayout.Size(subflow.AgainBytes)} again for others, {ScreenLayout.Size(subflow.CopiedBytes)} as copies; took nothing of what waited {subflow.TimesFull} times for being full, {subflow.TimesLeft} for others being quicker, {subflow.TimesSpared} in reserve, {subflow.TimesUnwell} unwell",
                    isUnicode: true));
            }
        }
    }

    /// <summary>A line of <c>--json</c>.</summary>
    private sealed record DecisionLine(string Event, int Bond, double Seconds, string Text);

    /// <summary>A line of <c>--json</c>; without a <c>difference</c> every output was as recorded.</summary>
    private sealed record ResultLine(string Event, int Bond, string Role, long Calls, double Seconds, string? Difference, IReadOnlyList<ReplayedSubflow> Subflows);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
    [JsonSerializable(typeof(DecisionLine))]
    [JsonSerializable(typeof(ResultLine))]
    private sealed partial class ReplayJson : JsonSerializerContext;
}

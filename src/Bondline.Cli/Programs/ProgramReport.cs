using System.ComponentModel;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bondline.Linux;

namespace Bondline.Cli;

/// <summary>What <c>bondline run</c> says at the end: a few lines, or one object.</summary>
[SupportedOSPlatform("linux")]
internal sealed class ProgramReport(bool isJson)
{
    /// <summary>All of it, without a line's end behind it.</summary>
    /// <param name="program">Its name.</param>
    /// <param name="exitCode">What it ended with.</param>
    /// <param name="answers">How its sockets were made; null if nobody knows.</param>
    /// <param name="counted">What its network namespace counted meanwhile; null if the kernel does not say.</param>
    /// <param name="obstacle">Why they were not made by this process, a clause; null if they were.</param>
    public string Write(string program, int exitCode, AnswerCounts? answers, MultipathCounters? counted, string? obstacle = null)
    {
        var use = counted is null ? null : MultipathUse.Of(counted);
        var unused = answers is { Multipath: > 0 } && use is { Made: > 0, JoinsAsked: 0 } ? UsableInterfaces() : [];
        IReadOnlyList<string> hints = unused.Count > 1 ? [$"{string.Join(", ", unused.SkipLast(1))} and {unused[^1]} lead out of this machine, and one of them was used: \"sudo bondline mptcp enable\" sets the others up"] : [];
        if (isJson)
        {
            return JsonSerializer.Serialize(
                new ProgramLine(
                    "run", program, exitCode, obstacle, answers?.Multipath, answers?.Plain, answers is { Plain: > 0 } some ? Reasons(some) : null,
                    use?.Made, use?.FellBack, use?.Joins, use?.Taken, use?.TakenFellBack, use?.TakenJoins, hints.Count > 0 ? hints : null),
                ProgramJson.Lines.ProgramLine);
        }
        IEnumerable<string> details = use is not null && answers is { Multipath: > 0 } ? Lines(use) : [];
        return string.Join("\n  ", [$"bondline run: {Sockets(program, answers)}", .. details, .. hints.Select(hint => hint + ".")]);
    }

    private static string Sockets(string program, AnswerCounts? answers) => answers switch
    {
        null => $"how the sockets of {program} were made is not known: the process that made them was killed.",
        { Multipath: 0, Plain: 0 } => $"{program} made no TCP sockets.",
        { Plain: 0 } all => $"{program} made {Count(all.Multipath, "TCP socket")}, {(all.Multipath == 1 ? "an MPTCP socket" : "all MPTCP sockets")}.",
        { Multipath: var multipath, Plain: var plain } some =>
            $"{program} made {Count(multipath + plain, "TCP socket")}, {Number(multipath)} of them MPTCP sockets; plain: {string.Join(", ", Reasons(some))}.",
    };

    private static string[] Reasons(AnswerCounts answers)
    {
        (long Count, string Why)[] all =
        [
            (answers.Refused, "the kernel gave no MPTCP socket"),
            (answers.Elsewhere, "in a network namespace that is not ours to enter"),
            (answers.OtherUser, "as another user"),
            (answers.OtherGroup, "in another control group"),
            (answers.OtherLabel, "under another security label"),
            (answers.Hidden, "by a process that hides itself"),
            (answers.NotTaken, "with as many open files as it may have"),
        ];
        return [.. all.Where(reason => reason.Count > 0).Select(reason => $"{Number(reason.Count)} {reason.Why}")];
    }

    private static IEnumerable<string> Lines(MultipathUse use)
    {
        const string Where = "While it ran, in this network namespace:";
        if (use.Made + use.FellBack + use.Taken + use.TakenFellBack == 0) yield return $"{Where} no MPTCP connections.";
        if (use.Made + use.FellBack > 0)
            yield return $"{Where} {Count(use.Made, "MPTCP connection")} made, with {Count(use.Joins, "further subflow")}; {Number(use.FellBack)} fell back to plain TCP.";
        if (use.Taken + use.TakenFellBack > 0)
            yield return $"{Where} {Count(use.Taken, "MPTCP connection")} taken, with {Count(use.TakenJoins, "further subflow")}; {Number(use.TakenFellBack)} fell back to plain TCP.";
    }

    /// <summary>The interfaces over which further subflows could go.</summary>
    private static IReadOnlyList<string> UsableInterfaces()
    {
        try
        {
            using var late = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            using var monitor = new InterfaceMonitor();
            return [.. monitor.NextAsync(late.Token).AsTask().Result.Where(IsUsable).Select(state => state.Link.Name)];
        }
        catch (Exception error) when (error is Win32Exception or SocketException or AggregateException)
        {
            return []; // the hint is not worth an error
        }

        static bool IsUsable(NetworkInterfaceState state) =>
            state.Link is { IsUp: true, HasCarrier: true, IsLoopback: false } && state.Addresses.Any(address => address.IsUsable)
            && state.Routes.Any(route => route is { PrefixLength: 0, Type: RouteType.Unicast });
    }

    private static string Count(long number, string noun) => $"{Number(number)} {noun}{(number == 1 ? "" : "s")}";

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}

/// <summary>The object of <c>bondline run --json</c>; what is missing is not known, or has nothing to say.</summary>
/// <param name="Event">Always <c>run</c>.</param>
/// <param name="Program">The program's name.</param>
/// <param name="ExitCode">128 and the signal's number if one ended it.</param>
/// <param name="Obstacle">Why this process did not make the program's sockets, so that they are plain TCP or another process's business, for people.</param>
/// <param name="MultipathSockets">TCP sockets of the program, with all that came of it, that were MPTCP sockets.</param>
/// <param name="PlainSockets">Those that were not.</param>
/// <param name="PlainReasons">Why, for people.</param>
/// <param name="Connections">MPTCP connections made in this network namespace meanwhile, by any program.</param>
/// <param name="FellBack">Those that are plain TCP though MPTCP was asked for.</param>
/// <param name="Subflows">Further subflows of the connections made.</param>
/// <param name="ConnectionsTaken">MPTCP connections that peers made to this network namespace.</param>
/// <param name="TakenFellBack">Those that are plain TCP though the peer asked for MPTCP.</param>
/// <param name="SubflowsTaken">Further subflows of the connections taken.</param>
/// <param name="Hints">What would make it better, for people.</param>
internal sealed record ProgramLine(
    string Event, string Program, int ExitCode, string? Obstacle, long? MultipathSockets, long? PlainSockets, IReadOnlyList<string>? PlainReasons,
    long? Connections, long? FellBack, long? Subflows, long? ConnectionsTaken, long? TakenFellBack, long? SubflowsTaken, IReadOnlyList<string>? Hints);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ProgramLine))]
internal sealed partial class ProgramJson : JsonSerializerContext
{
    // As in EventJson: for a terminal or a parser, never a page.
    public static ProgramJson Lines => field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}

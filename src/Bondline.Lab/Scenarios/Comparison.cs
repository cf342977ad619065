using System.Globalization;

namespace Bondline.Lab;

/// <summary>Something that ours and the others are compared by. A result that is no number is worse than every number: infinity, it stalled to the end; NaN, which is worse still, it broke.</summary>
/// <param name="Name">For a command line.</param>
/// <param name="Title">For people, with the unit.</param>
/// <param name="IsMoreBetter">A rate, rather than a time.</param>
/// <param name="MeasureAsync">Measures it in a new lab, for that long.</param>
public sealed record ComparedMeasurement(string Name, string Title, bool IsMoreBetter, Func<ILabPeer, TimeSpan, Task<double>> MeasureAsync)
{
    /// <summary>The median, and how many of them broke or stalled.</summary>
    public string Summarize(IReadOnlyCollection<double> values)
    {
        var sorted = values.OrderBy(value => double.IsNaN(value) ? 2 : double.IsInfinity(value) ? 1 : 0).ThenBy(value => IsMoreBetter ? -value : value).ToArray();
        var median = Show((sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2);
        var failed = sorted.Count(value => !double.IsFinite(value));
        return failed == 0 ? median : $"{median} ({failed} of {sorted.Length} broke or stalled)";
    }

    public static string Show(double value) =>
        double.IsNaN(value) ? "broke" : double.IsInfinity(value) ? "stalled to the end" : value.ToString("0.0", CultureInfo.InvariantCulture);
}

/// <summary>One measurement of everybody; the values are in the order of <paramref name="Peers"/>.</summary>
public sealed record ComparedRound(ComparedMeasurement Measurement, IReadOnlyList<string> Peers, IReadOnlyList<double> Values)
{
    /// <summary>Whether ours has a number, and none of the others a better one; of a rate, <paramref name="share"/> of the best is enough.</summary>
    public bool IsOursBest(double share = 1) =>
        double.IsFinite(Values[0]) && Values.Skip(1).Where(double.IsFinite).All(other => Measurement.IsMoreBetter ? Values[0] >= share * other : Values[0] < other);

    public override string ToString() => string.Join(", ", Peers.Zip(Values, (peer, value) => $"{peer} {ComparedMeasurement.Show(value)}"));
}

/// <summary>Ours beside what people use today, by turns in the same run.</summary>
public static class Comparison
{
    private const double PingsPerSecond = 50;

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan AllSilent = TimeSpan.FromMinutes(1), Patience = TimeSpan.FromMinutes(3);

    /// <summary>Ours, and what people use today.</summary>
    public static IReadOnlyList<string> Peers { get; } = ["bondline", "mptcp", "ssh", "ssh-mptcp"];

    /// <summary>What <see cref="StartAsync"/> knows.</summary>
    public static IReadOnlyList<string> AllPeers { get; } = [.. Peers, "bondline-mptcp", "mptcp-watch"];

    /// <summary>Which of <see cref="Measurements"/> everybody is compared by, unless others are asked for.</summary>
    public static IReadOnlyList<string> Usual { get; } = ["bulk-up", "bulk-down", "ping", "silence"];

    public static IReadOnlyList<ComparedMeasurement> Measurements { get; } =
    [
        new("bulk-up", "bulk up, Mbit/s", IsMoreBetter: true, async (lab, length) => Rate(await Scenario.BulkAsync(lab, Flow.Up, WarmUp, length))),
        new("bulk-down", "bulk down, Mbit/s", IsMoreBetter: true, async (lab, length) => Rate(await Scenario.BulkAsync(lab, Flow.Down, WarmUp, length))),
        new("ping", "ping-pong beside bulk up, p99, ms", IsMoreBetter: false, async (lab, length) => RoundTrip(await Scenario.PingBesideBulkAsync(lab, Flow.Up, WarmUp, length), length)),
        new("silence", "eth0 silent, bulk up, longest gap, ms", IsMoreBetter: false, async (lab, length) => Gap(await Scenario.BulkFaultAsync(lab, Flow.Up, Fault.SilentBoth, "eth0", length), length)),
        new("records", "eth0 silent, a record every 10 ms up, longest silence, ms", IsMoreBetter: false, async (lab, length) => (await Scenario.RecordsAsync(lab, Flow.Up, Fault.SilentBoth, "eth0", length)).LongestSilenceMs),
        new("carrier", "eth0 loses its carrier, bulk up, longest gap, ms", IsMoreBetter: false, async (lab, length) => Gap(await Scenario.BulkFaultAsync(lab, Flow.Up, Fault.Carrier, "eth0", length), length)),
        new("heal", "eth0 has its carrier again, bulk up, in use after, ms", IsMoreBetter: false, async (lab, length) => Healed(await Scenario.BulkFaultAsync(lab, Flow.Up, Fault.Carrier, "eth0", length))),
        new("all-silent", "all links silent for a minute, bulk up, goes on after one is back, ms", IsMoreBetter: false, async (lab, _) => Resumed(await Scenario.AllSilentAsync(lab, Flow.Up, "usb0", AllSilent, Patience))),
    ];

    /// <summary>Starts a lab for one of <see cref="AllPeers"/>.</summary>
    public static async Task<ILabPeer> StartAsync(string peer, LabOptions options) => peer switch
    {
        "bondline" => await BondedLab.StartAsync(options),
        "bondline-mptcp" => await BondedLab.StartAsync(options, carrier: "mptcp"),
        "mptcp" => await MultipathLab.StartAsync(options),
        "mptcp-watch" => await MultipathLab.StartAsync(options, isWatched: true),
        "ssh" => await SshLab.StartAsync(options, isMultipath: false),
        "ssh-mptcp" => await SshLab.StartAsync(options, isMultipath: true),
        _ => throw new LabException($"\"{peer}\" cannot be measured; {string.Join(", ", AllPeers)} can."),
    };

    /// <summary>Measures everybody once, each in a lab of its own, so that nothing is left of the one before.</summary>
    /// <param name="measurement">One of <see cref="Measurements"/>.</param>
    /// <param name="peers">Some of <see cref="AllPeers"/>, ours first.</param>
    /// <param name="options">Of each lab.</param>
    /// <param name="length">How long each lasts, and the silence.</param>
    /// <param name="note">Is told each result, and why a connection broke.</param>
    public static async Task<ComparedRound> RunAsync(ComparedMeasurement measurement, IReadOnlyList<string> peers, LabOptions options, TimeSpan length, Action<string> note)
    {
        var values = new List<double>();
        foreach (var peer in peers)
        {
            await using var lab = await StartAsync(peer, options);
            try
            {
                values.Add(await measurement.MeasureAsync(lab, length));
                note($"{measurement.Title}, {peer}: {ComparedMeasurement.Show(values[^1])}");
            }
            catch (LabException e)
            {
                values.Add(double.NaN); // a connection that breaks is a result too
                note($"{measurement.Title}, {peer}: broke: {e.Message}");
            }
        }
        return new(measurement, peers, values);
    }

    /// <summary>A connection that carries next to nothing any more has ended, whoever still holds its sockets.</summary>
    internal static double Rate(RateResult result) => result.MegabitsPerSecond < 0.05 ? double.NaN : result.MegabitsPerSecond;

    internal static double RoundTrip(PingResult result, TimeSpan length) =>
        result.RoundTrip.Count < length.TotalSeconds * PingsPerSecond / 2 ? double.PositiveInfinity : result.RoundTrip.P99 / 1000.0;

    internal static double Healed(BulkFaultResult result) => result switch
    {
        { MegabitsHealed: < 0.05 } => double.NaN,
        { HealedAfterMs: < 0 } => double.PositiveInfinity,
        _ => result.HealedAfterMs,
    };

    internal static double Resumed(TimeSpan after) => after < TimeSpan.Zero ? double.PositiveInfinity : after.TotalMilliseconds;

    internal static double Gap(BulkFaultResult result, TimeSpan length) => result switch
    {
        { MegabitsHealed: < 0.05 } => double.NaN, // nothing comes though the link is back
        _ when result.LongestGapMs >= length.TotalMilliseconds - 100 => double.PositiveInfinity,
        _ => result.LongestGapMs,
    };
}

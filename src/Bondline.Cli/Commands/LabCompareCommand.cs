using System.CommandLine;
using System.Globalization;
using Bondline.Lab;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline lab compare</c>: ours and what people use today, by turns in the same run; the medians as a Markdown table.</summary>
internal static class LabCompareCommand
{
    private static readonly string[] Peers = ["bondline", "mptcp", "ssh", "ssh-mptcp"];
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(3);

    private static readonly Measurement[] Measurements =
    [
        new("bulk-up", "bulk up, Mbit/s", async (lab, length) => (await Scenario.BulkAsync(lab, Flow.Up, WarmUp, length)).MegabitsPerSecond, IsMoreBetter: true),
        new("bulk-down", "bulk down, Mbit/s", async (lab, length) => (await Scenario.BulkAsync(lab, Flow.Down, WarmUp, length)).MegabitsPerSecond, IsMoreBetter: true),
        new("ping", "ping-pong beside bulk up, p99, ms", async (lab, length) => (await Scenario.PingBesideBulkAsync(lab, Flow.Up, WarmUp, length)) is { RoundTrip.Count: > 0 } ping ? ping.RoundTrip.P99 / 1000.0 : double.PositiveInfinity),
        new("silence", "eth0 silent, bulk up, longest gap, ms", async (lab, length) => Gap(await Scenario.BulkFaultAsync(lab, Flow.Up, Fault.SilentBoth, "eth0", length), length)),
    ];

    public static Command Create(CommandHost host, Func<CommandHost, Func<Task>, Task<int>> report)
    {
        var what = new Argument<string[]>("what") { Description = $"Only these of {string.Join(", ", Measurements.Select(each => each.Name))}.", Arity = ArgumentArity.ZeroOrMore };
        var control = new Option<string?>("--congestion-control") { Description = "TCP congestion control in the lab." };
        var repeat = new Option<int>("--repeat") { Description = "How often; the table has the medians.", DefaultValueFactory = _ => 5 };
        var seconds = new Option<double>("--seconds") { Description = "How long each measurement lasts, and the silence.", DefaultValueFactory = _ => 5 };
        var command = new Command("compare", "Measure bondline, kernel MPTCP, ssh -R and ssh -R under mptcpize by turns.") { what, control, repeat, seconds };
        command.SetAction((line, _) => report(host, async () =>
        {
            var names = line.GetValue(what) is { Length: > 0 } chosen ? chosen : [.. Measurements.Select(each => each.Name)];
            if (names.FirstOrDefault(name => !Measurements.Any(each => each.Name == name)) is { } unknown)
                throw new LabException($"\"{unknown}\" cannot be compared; {string.Join(", ", Measurements.Select(each => each.Name))} can.");
            var (rounds, length) = (line.GetValue(repeat), TimeSpan.FromSeconds(line.GetValue(seconds)));
            if (rounds < 1 || length < TimeSpan.FromSeconds(2)) throw new LabException("It takes one round and two seconds at least.");
            var measurements = Measurements.Where(each => names.Contains(each.Name)).ToArray();
            var results = measurements.ToDictionary(each => each, _ => Peers.ToDictionary(peer => peer, _ => new List<double>()));
            for (var round = 1; round <= rounds; round++)
                foreach (var measurement in measurements)
                    foreach (var peer in Peers)
                    {
                        var value = await MeasureAsync(host, measurement, peer, new() { CongestionControl = line.GetValue(control) }, length);
                        results[measurement][peer].Add(value);
                        await host.Error.WriteLineAsync($"{round}: {measurement.Title}, {peer}: {Show(value)}");
                    }
            await host.Output.WriteLineAsync($"| medians of {rounds} | {string.Join(" | ", Peers)} |\n| --- |{string.Concat(Peers.Select(_ => " --- |"))}");
            foreach (var measurement in measurements)
                await host.Output.WriteLineAsync($"| {measurement.Title} | {string.Join(" | ", Peers.Select(peer => Summarize(results[measurement][peer], measurement.IsMoreBetter)))} |");
        }));
        return command;
    }

    // Each in a lab of its own, so that nothing is left of the peer before. A connection that breaks is a result too.
    private static async Task<double> MeasureAsync(CommandHost host, Measurement measurement, string peer, LabOptions options, TimeSpan length)
    {
        await using var lab = await LabMeasureCommand.StartAsync(peer, options);
        try
        {
            return await measurement.MeasureAsync(lab, length);
        }
        catch (LabException e)
        {
            await host.Error.WriteLineAsync($"{measurement.Title}, {peer}: {e.Message}");
            return double.NaN;
        }
    }

    private static double Gap(BulkFaultResult result, TimeSpan length) => result switch
    {
        _ when result.LongestGapMs >= length.TotalMilliseconds - 100 => double.PositiveInfinity,
        { MegabitsHealed: 0 } => double.NaN, // nothing came any more, so the connection had ended
        _ => result.LongestGapMs,
    };

    /// <summary>The median, and how many have no number: these count as worse than all others.</summary>
    private static string Summarize(List<double> values, bool isMoreBetter)
    {
        var sorted = values.OrderBy(value => double.IsFinite(value) ? (isMoreBetter ? -value : value) : double.PositiveInfinity).ToArray();
        var (low, high) = (sorted[(sorted.Length - 1) / 2], sorted[sorted.Length / 2]);
        var failed = values.Count(value => !double.IsFinite(value));
        if (failed == 0 || !double.IsFinite(high)) return Show(double.IsFinite(high) ? (low + high) / 2 : high);
        return $"{Show((low + high) / 2)} ({failed} of {values.Count} broke or stalled)";
    }

    private static string Show(double value) =>
        double.IsNaN(value) ? "broke" : double.IsInfinity(value) ? "stalled to the end" : value.ToString("0.0", CultureInfo.InvariantCulture);

    private sealed record Measurement(string Name, string Title, Func<ILabPeer, TimeSpan, Task<double>> MeasureAsync, bool IsMoreBetter = false);
}

using System.CommandLine;
using System.Globalization;
using Bondline.Lab;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline lab measure</c>: one measurement of docs/benchmarks.md, printed as a line; for tuning and for repeating a number.</summary>
internal static class LabMeasureCommand
{
    public static Command Create(CommandHost host, Func<CommandHost, Func<Task>, Task<int>> report)
    {
        var what = new Argument<string>("what") { Description = "plain, bulk, records, fault or ping." };
        var links = new Option<string[]>("--link") { Description = "NAME:MBITS:RTT-MS[:QUEUE-MS[:MTU]]; repeat it for more links." };
        var control = new Option<string?>("--congestion-control") { Description = "TCP congestion control in the lab." };
        var down = new Option<bool>("--down") { Description = "From the visitor to the laptop." };
        var fault = new Option<Fault>("--fault") { Description = "What happens to the link." };
        var link = new Option<string>("--on") { Description = "The link it happens to.", DefaultValueFactory = _ => "eth0" };
        var seconds = new Option<double>("--seconds") { Description = "How long to measure, or how long the fault lasts.", DefaultValueFactory = _ => 5 };
        var loss = new Option<double>("--loss") { Description = "Percent of packets lost on every link, each way." };
        var with = new Option<string>("--with") { Description = "bondline, bondline-mptcp (carried by kernel MPTCP), mptcp (no tunnel: plain programs under bondline run), mptcp-watch (the same beside bondline mptcp watch), ssh (ssh -R) or ssh-mptcp (the same under mptcpize).", DefaultValueFactory = _ => "bondline" };
        var repeat = new Option<int>("--repeat") { Description = "How often.", DefaultValueFactory = _ => 1 };
        var command = new Command("measure", "Measure one thing in a new lab.") { what, links, control, down, fault, link, seconds, loss, with, repeat };
        command.SetAction((line, _) => report(host, async () =>
        {
            var options = new LabOptions { CongestionControl = line.GetValue(control) };
            if (line.GetValue(links) is { Length: > 0 } chosen) options = options with { Links = [.. chosen.Select(LabConsole.ParseLink)] };
            var share = line.GetValue(loss) / 100;
            if (share > 0) options = options with { Links = [.. options.Links.Select(each => each with { Up = each.Up with { Loss = share }, Down = each.Down with { Loss = share } })] };
            var flow = line.GetValue(down) ? Flow.Down : Flow.Up;
            var duration = TimeSpan.FromSeconds(line.GetValue(seconds));
            await using var lab = await Comparison.StartAsync(line.GetValue(with)!, options);
            using var ticker = new ControlTicker();
            for (var i = 0; i < line.GetValue(repeat); i++)
            {
                ticker.Restart();
                var result = line.GetValue(what) switch
                {
                    "plain" => Describe(await Scenario.PlainAsync(lab.Network, flow, TimeSpan.FromSeconds(3), duration, lab.Network.Links.Select(each => each.Name))),
                    "bulk" => $"{await Scenario.BulkAsync(lab, flow, TimeSpan.FromSeconds(5), duration)}",
                    "records" => $"{await Scenario.RecordsAsync(lab, flow, line.GetValue(fault), line.GetValue(link)!, duration)}",
                    "fault" => $"{await Scenario.BulkFaultAsync(lab, flow, line.GetValue(fault), line.GetValue(link)!, duration)}",
                    "ping" => $"{await Scenario.PingBesideBulkAsync(lab, flow, TimeSpan.FromSeconds(5), duration)}",
                    var other => throw new LabException($"\"{other}\" cannot be measured; plain, bulk, records, fault and ping can."),
                };
                await host.Output.WriteLineAsync($"{line.GetValue(what)} {flow}: {result}; control late at most {ticker.MostLate.TotalMilliseconds:0.0} ms");
            }
        }));
        return command;
    }

    private static string Describe(IReadOnlyList<double> rates) =>
        $"{rates.Sum().ToString("0.00", CultureInfo.InvariantCulture)} Mbit/s = {string.Join(" + ", rates.Select(rate => rate.ToString("0.00", CultureInfo.InvariantCulture)))}";
}

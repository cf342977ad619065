using System.CommandLine;
using Bondline.Lab;

namespace Bondline.Cli.Commands;

/// <summary><c>bondline lab compare</c>: ours and what people use today, by turns in the same run; the medians as a Markdown table.</summary>
internal static class LabCompareCommand
{
    public static Command Create(CommandHost host, Func<CommandHost, Func<Task>, Task<int>> report)
    {
        var known = string.Join(", ", Comparison.Measurements.Select(each => each.Name));
        var what = new Argument<string[]>("what") { Description = $"Which of {known}; by default {string.Join(", ", Comparison.Usual)}.", Arity = ArgumentArity.ZeroOrMore };
        var control = new Option<string?>("--congestion-control") { Description = "TCP congestion control in the lab." };
        var repeat = new Option<int>("--repeat") { Description = "How often; the table has the medians.", DefaultValueFactory = _ => 5 };
        var seconds = new Option<double>("--seconds") { Description = "How long each measurement lasts, and the silence.", DefaultValueFactory = _ => 5 };
        var with = new Option<string>("--with") { Description = $"Whom, of {string.Join(", ", Comparison.AllPeers)}; separated by commas.", DefaultValueFactory = _ => string.Join(',', Comparison.Peers) };
        var command = new Command("compare", "Measure bondline, kernel MPTCP, ssh -R and ssh -R under mptcpize by turns.") { what, control, repeat, seconds, with };
        command.SetAction((line, _) => report(host, async () =>
        {
            IReadOnlyList<string> names = line.GetValue(what) is { Length: > 0 } given ? given : Comparison.Usual;
            if (names.FirstOrDefault(name => Comparison.Measurements.All(each => each.Name != name)) is { } unknown)
                throw new LabException($"\"{unknown}\" cannot be compared; {known} can.");
            var peers = line.GetValue(with)!.Split(',');
            if (peers.FirstOrDefault(peer => !Comparison.AllPeers.Contains(peer)) is { } stranger) throw new LabException($"\"{stranger}\" cannot be measured; {string.Join(", ", Comparison.AllPeers)} can.");
            var (rounds, length) = (line.GetValue(repeat), TimeSpan.FromSeconds(line.GetValue(seconds)));
            if (rounds < 1 || length < TimeSpan.FromSeconds(2)) throw new LabException("It takes one round and two seconds at least.");
            var results = Comparison.Measurements.Where(each => names.Contains(each.Name)).ToDictionary(each => each, _ => new List<ComparedRound>());
            for (var round = 1; round <= rounds; round++)
                foreach (var (measurement, done) in results)
                    done.Add(await Comparison.RunAsync(measurement, peers, new() { CongestionControl = line.GetValue(control) }, length, result => host.Error.WriteLine($"{round}: {result}")));
            await host.Output.WriteLineAsync($"| medians of {rounds} | {string.Join(" | ", peers)} |\n| --- |{string.Concat(peers.Select(_ => " --- |"))}");
            foreach (var (measurement, done) in results)
                await host.Output.WriteLineAsync($"| {measurement.Title} | {string.Join(" | ", peers.Select((_, peer) => measurement.Summarize([.. done.Select(round => round.Values[peer])])))} |");
        }));
        return command;
    }
}

using System.Collections.Concurrent;
using System.Text;
using System.Text.RegularExpressions;
using Bondline.Testing;
using Xunit;

namespace Bondline.Protocol.Tests.Recording;

/// <summary>What was recorded happens again, and is explained.</summary>
public sealed partial class ReplayTests(ITestOutputHelper output)
{
    [Fact]
    public void Bonds_of_any_seed_happen_again_from_their_record()
    {
        var last = Environment.GetEnvironmentVariable("BONDLINE_TEST") switch { "fast" => 10, "long" => 2000, _ => 60 };
        var failures = new ConcurrentQueue<string>();
        Parallel.For(1L, last + 1, new ParallelOptions { MaxDegreeOfParallelism = 2 }, seed =>
        {
            var record = new MemoryRecord(hasPayload: seed % 5 == 0);
            var recorded = new RandomScenario((ulong)seed, record);
            recorded.Run();
            var plain = new RandomScenario((ulong)seed);
            plain.Run();
            if (recorded.Network.Trace != plain.Network.Trace) failures.Enqueue($"seed {seed}: being recorded changed the run");
            var (results, decisions) = record.Replay(tellsWrites: seed % 7 == 0);
            if (results.Count != 2) failures.Enqueue($"seed {seed}: {results.Count} bonds");
            foreach (var result in results)
                if (result.Difference is { } difference) failures.Enqueue($"seed {seed}, bond {result.Bond}: {difference}");
            var sent = recorded.Network.Agent.Bond.Statistics.BytesSent;
            if (results.Count == 2 && results.Single(result => result.Role == BondRole.Agent).Subflows.Sum(subflow => subflow.NewBytes) != sent) failures.Enqueue($"seed {seed}: the subflows do not sum up to {sent} bytes");
            if (decisions.Count == 0) failures.Enqueue($"seed {seed}: nothing was told");
        });
        Assert.True(failures.IsEmpty, $"{failures.Count} faults: {string.Join("; ", failures.Take(5))}");
    }

    [Fact]
    public void A_silent_path_is_explained()
    {
        SimulatedPath fast = new("eth0", 50, 20), slow = new("wlan0", 50, 20);
        var record = new MemoryRecord();
        var network = new SimulatedNetwork(1, [fast, slow], record: record);
        network.Open(BondRole.Agent, new() { Length = 20_000_000 });
        network.At(TimeSpan.FromSeconds(1), () => network.Silence(slow));
        network.At(TimeSpan.FromSeconds(3), () => network.Heal(slow));
        network.RunUntilIdle(TimeSpan.FromSeconds(60));
        network.RunFor(TimeSpan.FromSeconds(5));

        var (results, decisions) = record.Replay();
        foreach (var decision in decisions) output.WriteLine($"{decision.Bond} {decision.At} {decision.Text}");

        Assert.All(results, result => Assert.Null(result.Difference));
        var agent = decisions.Where(decision => decision.Bond == 1).Select(decision => decision.Text).ToList();
        var suspect = agent.FindIndex(text => Suspect().IsMatch(text));
        Assert.True(suspect >= 0, "nobody says that a subflow became suspect, and why");
        Assert.Contains("subflow 0 answered", agent[suspect]);
        var owed = agent.FindIndex(suspect, text => text.EndsWith("wait to be sent again", StringComparison.Ordinal));
        Assert.True(owed > suspect, "nobody says what has to be sent again");
        Assert.Contains(agent[owed..], text => Again().IsMatch(text));
        Assert.Contains(agent, text => text.StartsWith("subflow 1 is dead: no answer for ", StringComparison.Ordinal));
        Assert.Contains(agent, text => text.StartsWith("subflow 1 answers again after ", StringComparison.Ordinal));
        var subflows = results.Single(result => result.Bond == 1).Subflows;
        Assert.Equal(20_000_000, subflows.Sum(subflow => subflow.NewBytes));
        Assert.True(subflows[0].AgainBytes > 0);
    }

    [Fact]
    public void Each_write_can_be_explained()
    {
        SimulatedPath fast = new("eth0", 50, 20), slow = new("wlan0", 5, 200);
        var record = new MemoryRecord();
        var network = new SimulatedNetwork(1, [fast, slow], record: record);
        network.Open(BondRole.Agent, new() { Length = 3_000_000 });
        network.RunUntilIdle(TimeSpan.FromSeconds(60));

        var (_, decisions) = record.Replay(tellsWrites: true);

        var sends = decisions.Where(decision => Sends().IsMatch(decision.Text)).ToList();
        Assert.True(sends.Count > 100, $"{sends.Count} writes explained");
        Assert.Contains(sends, decision => decision.Text.StartsWith("subflow 0 sends stream 0 from 0,", StringComparison.Ordinal));
        Assert.Contains(decisions, decision => decision.Text.StartsWith("subflow 1 takes nothing of what waits: another delivers sooner", StringComparison.Ordinal));
    }

    [Fact]
    public void What_streams_carry_is_recorded_only_when_asked_for()
    {
        const string secret = "hunter2-hunter2-hunter2-hunter2";
        foreach (var hasPayload in (bool[])[false, true])
        {
            var record = new MemoryRecord(hasPayload);
            var now = new Instant(1_000_000);
            RecordedBond agent = new(BondRole.Agent, BondOptions.Default, 1, record, now), relay = new(BondRole.Relay, BondOptions.Default, 1, record, now);
            Subflow there = agent.AddSubflow(new(0), SubflowPolicy.Normal, default, now), here = relay.AddSubflow(new(0), SubflowPolicy.Normal, default, now);
            agent.Write(agent.TryOpenStream(now)!, Encoding.UTF8.GetBytes(secret), now);
            var wire = new byte[Frame.MaxLength];
            relay.HandleReceived(here, wire.AsSpan(0, agent.PollTransmit(there, now, wire)), now);
            StreamEndpoint? opened = null;
            while (relay.TryPollEvent(out var seen)) opened ??= seen.Stream;
            var read = new byte[100];
            Assert.Equal(secret, Encoding.UTF8.GetString(read.AsSpan(0, relay.Read(opened!, read, now))));

            var isThere = record.Text.Contains(Convert.ToHexStringLower(Encoding.UTF8.GetBytes(secret)), StringComparison.Ordinal);
            Assert.Equal(hasPayload, isThere);
            Assert.DoesNotContain(secret, record.Text, StringComparison.Ordinal);
            Assert.All(record.Replay().Results, result => Assert.Null(result.Difference));
        }
    }

    [Theory]
    [InlineData("\"result\":[1-9][0-9]*,\"check\"", "\"result\":1,\"check\"")] // another length
    [InlineData("\"check\":[0-9]+", "\"check\":1")] // other bytes
    [InlineData("\"seed\":7", "\"seed\":8")] // another start
    public void A_difference_is_found_and_named(string original, string changed)
    {
        var record = new MemoryRecord();
        var network = new SimulatedNetwork(7, [new SimulatedPath("eth0", 50, 20)], record: record);
        network.Open(BondRole.Agent, new() { Length = 100_000 });
        network.RunUntilIdle(TimeSpan.FromSeconds(60));
        var lines = record.Lines.ToList();
        var line = lines.FindIndex(text => Regex.IsMatch(text, $"\"bond\":1,.*{original}"));
        lines[line] = Regex.Replace(lines[line], original, changed);

        var replay = new BondReplay(_ => { }, tellsWrites: false);
        foreach (var text in lines) replay.Add(Encoding.UTF8.GetBytes(text));

        var result = replay.End().Single(result => result.Bond == 1);
        Assert.Matches("line [0-9]+: \"transmit\" of subflow 0 gave ", result.Difference);
        if (!original.Contains("seed", StringComparison.Ordinal)) Assert.StartsWith($"line {line + 1}: ", result.Difference);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[1]")]
    [InlineData("{\"at\":1,\"bond\":1}")]
    [InlineData("{\"at\":-1,\"bond\":1,\"call\":\"timeout\"}")]
    [InlineData("{\"at\":9223372036854775807,\"bond\":1,\"call\":\"timeout\"}")]
    [InlineData("{\"at\":1000000000000300000,\"bond\":1,\"call\":\"timeout\"}")]
    [InlineData("{\"at\":1,\"bond\":9,\"call\":\"timeout\"}")]
    [InlineData("{\"at\":1,\"bond\":1,\"call\":\"explode\"}")]
    [InlineData("{\"at\":1,\"bond\":1,\"call\":3}")]
    [InlineData("{\"at\":1,\"bond\":1,\"call\":\"begin\",\"role\":\"agent\",\"seed\":1}")]
    [InlineData("{\"at\":1,\"bond\":1,\"call\":\"receive\",\"subflow\":0,\"bytes\":\"~999999999\"}")]
    [InlineData("{\"at\":1,\"bond\":1,\"call\":\"receive\",\"subflow\":0,\"bytes\":\"~-1\"}")]
    [InlineData("{\"at\":1,\"bond\":1,\"call\":\"receive\",\"subflow\":0,\"bytes\":\"0z\"}")]
    [InlineData("{\"at\":1,\"bond\":1,\"call\":\"receive\",\"subflow\":77,\"bytes\":\"\"}")]
    [InlineData("{\"at\":1,\"bond\":1,\"call\":\"transmit\",\"subflow\":0,\"size\":5,\"result\":0}")]
    [InlineData("{\"at\":1,\"bond\":1,\"call\":\"write\",\"stream\":0,\"size\":5,\"result\":5}")]
    [InlineData("{\"at\":1,\"bond\":1,\"call\":\"add-subflow\",\"subflow\":5,\"policy\":\"normal\",\"span\":-1}")]
    public void What_is_no_line_of_a_record_is_refused(string line)
    {
        var record = new MemoryRecord();
        _ = new SimulatedNetwork(1, [new SimulatedPath("eth0", 50, 20)], record: record);
        var replay = new BondReplay(_ => { }, tellsWrites: false);
        foreach (var text in record.Lines) replay.Add(Encoding.UTF8.GetBytes(text));

        var refusal = Assert.Throws<BondRecordException>(() => replay.Add(Encoding.UTF8.GetBytes(line)));

        Assert.StartsWith($"line {record.Lines.Count() + 1} is no line of a bond record: ", refusal.Message);
    }

    [Fact]
    public void A_record_of_another_form_is_refused()
    {
        var replay = new BondReplay(_ => { }, tellsWrites: false);
        var refusal = Assert.Throws<BondRecordException>(() => replay.Add("{\"bondRecord\":2,\"program\":\"bondline 9\",\"began\":\"\",\"hasPayload\":false}"u8));
        Assert.Contains("version 2", refusal.Message);
    }

    [Fact]
    public void A_peer_that_breaks_the_protocol_breaks_it_again()
    {
        var record = new MemoryRecord();
        var bond = new RecordedBond(BondRole.Relay, BondOptions.Default, 1, record, new(1_000_000));
        var subflow = bond.AddSubflow(new(0), SubflowPolicy.Normal, TimeSpan.FromMilliseconds(10), new(1_000_000));
        var error = Assert.Throws<ProtocolException>(() => bond.HandleReceived(subflow, [0x10, 0xBF, 0xFF, 0xFF, 0xFF, 1, 2, 3], new(1_000_100)));
        bond.Close(error.Error, error.Message, new(1_000_100));
        bond.PollTransmit(subflow, new(1_000_100), new byte[Frame.MaxLength]);
        bond.RemoveSubflow(subflow, new(1_000_200));

        var (results, decisions) = record.Replay();

        Assert.Null(Assert.Single(results).Difference);
        Assert.Contains(decisions, decision => decision.Text.StartsWith("the peer broke the protocol: ", StringComparison.Ordinal));
        Assert.Contains(decisions, decision => decision.Text.StartsWith("this end closes the bond: FrameTooLarge", StringComparison.Ordinal));
    }

    [GeneratedRegex("^subflow 1 is suspect: no answer for [0-9.]+ ms, and [0-9.]+ ms is patience enough")]
    private static partial Regex Suspect();

    [GeneratedRegex("^subflow 0 sends [0-9.]+ [kM]B that subflow 1 had not delivered$")]
    private static partial Regex Again();

    [GeneratedRegex("^subflow [01] sends stream 0 from [0-9,]+, [0-9.]+ kB: subflow 0 there in ")]
    private static partial Regex Sends();
}

using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace Bondline.Lab;

/// <summary>Which way the bytes of a measurement go.</summary>
public enum Flow
{
    /// <summary>From the laptop to a visitor behind the relay.</summary>
    Up,

    /// <summary>From a visitor to the laptop.</summary>
    Down,
}

/// <summary>What is done to a link while bytes flow.</summary>
public enum Fault
{
    SilentBoth,
    SilentUp,
    SilentDown,
    Carrier,
    Address,
    Reset,
}

/// <summary>One stream measured without a fault.</summary>
public sealed record RateResult(double MegabitsPerSecond, double LongestGapMs, IReadOnlyList<double> LinkMegabits, SentBytes? Sent)
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{MegabitsPerSecond:0.00} Mbit/s, longest gap {LongestGapMs:0.0} ms, links {string.Join(" + ", LinkMegabits.Select(rate => rate.ToString("0.0", CultureInfo.InvariantCulture)))}{Scenario.After(Sent)}");
}

/// <summary>Records of 1 KiB every 10 ms over a fault.</summary>
public sealed record RecordResult(double LongestSilenceMs, double MostBeyondNormalMs, double NormalMs, double NormalP99Ms, int Records)
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"longest silence {LongestSilenceMs:0.0} ms, latest record {MostBeyondNormalMs:0.0} ms beyond the normal {NormalMs:0.0} ms (p99 {NormalP99Ms:0.0} ms before the fault), {Records} records");
}

/// <summary>Bulk over a fault: the longest time without a byte during it and in the two seconds after it, the rate of one second that begins half a second after the fault, the share of the healed link, and when it carried half of what it can again.</summary>
public sealed record BulkFaultResult(double LongestGapMs, double MegabitsBefore, double MegabitsDuring, double LongestGapHealedMs, double HealedLinkMegabits, double HealedAfterMs, double MegabitsHealed, SentBytes? Sent)
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"longest gap {LongestGapMs:0.0} ms, {MegabitsBefore:0.0} Mbit/s before, {MegabitsDuring:0.0} from 0.5 s on, longest gap {LongestGapHealedMs:0.0} ms after it, the healed link in use after {HealedAfterMs:0} ms and {HealedLinkMegabits:0.0} from 1 s on, {MegabitsHealed:0.0} in all{Scenario.After(Sent)}");
}

/// <summary>Pings beside bulk.</summary>
public sealed record PingResult(Distribution RoundTrip, double BulkMegabits, SentBytes? Sent)
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"median {RoundTrip.Median / 1000.0:0.0} ms, p99 {RoundTrip.P99 / 1000.0:0.0} ms, most {RoundTrip.Most / 1000.0:0.0} ms of {RoundTrip.Count} pings, beside {BulkMegabits:0.0} Mbit/s{Scenario.After(Sent)}");
}

/// <summary>The measurements the promises are about; each starts its own traffic through an <see cref="ILabPeer"/> and ends it. Tests assert on them, benchmarks print them.</summary>
public static class Scenario
{
    private static readonly IPEndPoint AnyLocal = new(IPAddress.Loopback, 0), AnyAtRelay = new(LabNetwork.Address, 0);

    /// <summary>Plain TCP connections, one bound to each link, all at once: what the links give without a bond.</summary>
    public static async Task<IReadOnlyList<double>> PlainAsync(LabNetwork network, Flow flow, TimeSpan warmUp, TimeSpan duration, params IEnumerable<string> links)
    {
        var receivers = new List<LabTraffic>();
        var senders = new List<LabTraffic>();
        try
        {
            foreach (var link in links)
            {
                var listener = await LabTraffic.StartAsync(network.Program, network.Relay, new(flow == Flow.Up ? TrafficRole.ReceiveBulk : TrafficRole.SendBulk) { Listen = new(LabNetwork.Address, 0), IsHashed = false });
                var connector = await LabTraffic.StartAsync(network.Program, network.Laptop, new(flow == Flow.Up ? TrafficRole.SendBulk : TrafficRole.ReceiveBulk) { Connect = new(LabNetwork.Address, listener.Port), Device = link, IsHashed = false });
                receivers.Add(flow == Flow.Up ? listener : connector);
                senders.Add(flow == Flow.Up ? connector : listener);
            }
            await Task.Delay(warmUp);
            foreach (var receiver in receivers) await receiver.ReportAsync();
            await Task.Delay(duration);
            var rates = new List<double>();
            foreach (var receiver in receivers) rates.Add((await receiver.ReportAsync()).Bulk!.MegabitsPerSecond);
            return rates;
        }
        finally
        {
            foreach (var traffic in receivers.Concat(senders)) await traffic.DisposeAsync();
        }
    }

    /// <summary>One TCP connection through a tunnel.</summary>
    /// <exception cref="LabException">It ended before the time was over.</exception>
    public static async Task<RateResult> BulkAsync(ILabPeer lab, Flow flow, TimeSpan warmUp, TimeSpan duration)
    {
        await using var traffic = await Pair.StartAsync(lab, flow, TrafficRole.SendBulk, TrafficRole.ReceiveBulk);
        await Task.Delay(warmUp);
        var sentBefore = await lab.SentAsync(flow);
        await traffic.Receiver.ReportAsync();
        var before = await lab.Network.CountersAsync();
        await Task.Delay(duration);
        var report = (await traffic.Receiver.ReportAsync()).Bulk!;
        var after = await lab.Network.CountersAsync();
        if (report.Microseconds < 0.9 * duration.TotalMicroseconds) throw new LabException($"The connection ended after {report.Microseconds / 1000} of {duration.TotalMilliseconds:0} ms.");
        return new(report.MegabitsPerSecond, report.LongestGap.Length / 1000.0, [.. before.Zip(after, (b, a) => LinkMegabits(b, a, flow, duration))], await SentSinceAsync(lab, flow, sentBefore));
    }

    /// <summary>Records while a fault of <paramref name="length"/> happens to a link.</summary>
    public static async Task<RecordResult> RecordsAsync(ILabPeer lab, Flow flow, Fault fault, string link, TimeSpan length)
    {
        await using var traffic = await Pair.StartAsync(lab, flow, TrafficRole.SendRecords, TrafficRole.ReceiveRecords);
        return (await RecordsAsync(lab, [traffic.Receiver], fault, link, length))[0];
    }

    /// <summary>The same both ways at once, up and down: the fault is one and the same.</summary>
    public static async Task<IReadOnlyList<RecordResult>> RecordsBothWaysAsync(ILabTunnel lab, Fault fault, string link, TimeSpan length)
    {
        await using var up = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.SendRecords) { IsHashed = false, Listen = AnyLocal });
        await using var down = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.ReceiveRecords) { IsHashed = false, Listen = AnyLocal });
        await lab.OpenAsync([up.Port, down.Port]);
        await using var fromLaptop = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.ReceiveRecords) { IsHashed = false, Connect = lab.Visit(up.Port) });
        await using var toLaptop = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.SendRecords) { IsHashed = false, Connect = lab.Visit(down.Port) });
        return await RecordsAsync(lab, [fromLaptop, down], fault, link, length);
    }

    private static async Task<IReadOnlyList<RecordResult>> RecordsAsync(ILabPeer lab, IReadOnlyList<LabTraffic> receivers, Fault fault, string link, TimeSpan length)
    {
        await Task.Delay(TimeSpan.FromSeconds(3));
        var normal = await ReportAsync();
        await BeginAsync(lab.Network[link], fault);
        await Task.Delay(length);
        await EndAsync(lab.Network[link], fault);
        await Task.Delay(TimeSpan.FromSeconds(2));
        var reports = await ReportAsync();
        return [.. reports.Zip(normal, (report, before) => new RecordResult(report.LongestSilence.Length / 1000.0, report.MostBeyondNormal / 1000.0, report.Normal / 1000.0, before.Latency.P99 / 1000.0, report.Records))];

        async Task<RecordReport[]> ReportAsync() => [.. (await Task.WhenAll(receivers.Select(receiver => receiver.ReportAsync()))).Select(report => report.Records!)];
    }

    /// <summary>Bulk while a fault of <paramref name="length"/> happens to a link, and the link's share from one second after it is over.</summary>
    public static async Task<BulkFaultResult> BulkFaultAsync(ILabPeer lab, Flow flow, Fault fault, string link, TimeSpan length)
    {
        await using var traffic = await Pair.StartAsync(lab, flow, TrafficRole.SendBulk, TrafficRole.ReceiveBulk);
        await Task.Delay(TimeSpan.FromSeconds(4));
        var sentBefore = await lab.SentAsync(flow);
        var before = (await traffic.Receiver.ReportAsync()).Bulk!;
        var at = before.Start + before.Microseconds;
        await BeginAsync(lab.Network[link], fault);
        await Task.Delay(length);
        var during = (await traffic.Receiver.ReportAsync()).Bulk!;
        await EndAsync(lab.Network[link], fault);
        var healedAfter = HealedAfterAsync(lab.Network[link], flow);
        await Task.Delay(TimeSpan.FromSeconds(1));
        var atSecond = await lab.Network.CountersAsync();
        var healing = (await traffic.Receiver.ReportAsync()).Bulk!;
        await Task.Delay(TimeSpan.FromSeconds(1));
        var healed = (await traffic.Receiver.ReportAsync()).Bulk!;
        var after = await lab.Network.CountersAsync();
        var index = lab.Network.Links.TakeWhile(each => each.Name != link).Count();
        return new(
            during.LongestGap.Length / 1000.0,
            before.MegabitsBetween(at - 2_000_000, at),
            during.MegabitsBetween(at + 500_000, at + 1_500_000),
            Math.Max(healing.LongestGap.Length, healed.LongestGap.Length) / 1000.0,
            LinkMegabits(atSecond[index], after[index], flow, TimeSpan.FromSeconds(1)),
            (await healedAfter).TotalMilliseconds,
            healed.MegabitsPerSecond,
            await SentSinceAsync(lab, flow, sentBefore));
    }

    /// <summary>Bulk while every link is silent for <paramref name="length"/>, then one of them is back.</summary>
    /// <returns>How long after that a byte arrives, to 100 ms; infinite if none does within <paramref name="patience"/>.</returns>
    public static async Task<TimeSpan> AllSilentAsync(ILabPeer lab, Flow flow, string back, TimeSpan length, TimeSpan patience)
    {
        await using var traffic = await Pair.StartAsync(lab, flow, TrafficRole.SendBulk, TrafficRole.ReceiveBulk);
        await Task.Delay(TimeSpan.FromSeconds(3));
        foreach (var link in lab.Network.Links) await link.SilenceAsync();
        await Task.Delay(length);
        await traffic.Receiver.ReportAsync(); // what came before
        await lab.Network[back].HealAsync();
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < patience; await Task.Delay(TimeSpan.FromMilliseconds(100)))
            if ((await traffic.Receiver.ReportAsync()).Bulk!.Bytes > 0) return watch.Elapsed;

        return Timeout.InfiniteTimeSpan;
    }

    /// <summary>How long it takes from now on until a link carries half of what it can, to 50 ms.</summary>
    /// <returns>Infinite if that takes more than ten seconds.</returns>
    private static async Task<TimeSpan> HealedAfterAsync(LabLink link, Flow flow)
    {
        TimeSpan step = TimeSpan.FromMilliseconds(50), window = 2 * step, patience = TimeSpan.FromSeconds(10);
        var enough = (flow == Flow.Up ? link.Up : link.Down).RateBitsPerSecond / 8.0 * window.TotalSeconds / 2;
        var watch = Stopwatch.StartNew();
        var seen = new Queue<(TimeSpan At, long Bytes)>();
        while (watch.Elapsed < patience)
        {
            var counters = await link.CountersAsync();
            var (now, bytes) = (watch.Elapsed, flow == Flow.Up ? counters.Up.Bytes : counters.Down.Bytes);
            seen.Enqueue((now, bytes));
            while (now - seen.Peek().At > window + step) seen.Dequeue();
            if (bytes - seen.Peek().Bytes >= enough) return now;
            await Task.Delay(step);
        }

        return Timeout.InfiniteTimeSpan;
    }

    /// <summary>Pings of 64 bytes every 20 ms on one stream beside bulk on another.</summary>
    public static async Task<PingResult> PingBesideBulkAsync(ILabPeer lab, Flow flow, TimeSpan warmUp, TimeSpan duration)
    {
        await using var echo = lab is ILabTunnel
            ? await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.Echo) { Listen = AnyLocal })
            : await StartMultipathAsync(lab, lab.Network.Relay, new(TrafficRole.Echo) { Listen = AnyAtRelay });
        await using var traffic = await Pair.StartAsync(lab, flow, TrafficRole.SendBulk, TrafficRole.ReceiveBulk, echo.Port);
        await using var ping = lab is ILabTunnel tunnel
            ? await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.Ping) { Connect = tunnel.Visit(echo.Port) })
            : await StartMultipathAsync(lab, lab.Network.Laptop, new(TrafficRole.Ping) { Connect = new(LabNetwork.Address, echo.Port) });
        await Task.Delay(warmUp);
        var sentBefore = await lab.SentAsync(flow);
        await ping.ReportAsync();
        await traffic.Receiver.ReportAsync();
        await Task.Delay(duration);
        var roundTrip = (await ping.ReportAsync()).Ping!.RoundTrip;
        return new(roundTrip, (await traffic.Receiver.ReportAsync()).Bulk!.MegabitsPerSecond, await SentSinceAsync(lab, flow, sentBefore));
    }

    /// <summary>Every two seconds does something for up to 1.7 s to a link, drawn by <paramref name="random"/>, until <paramref name="stop"/> is set; it ends with all of them whole.</summary>
    /// <returns>How often.</returns>
    public static async Task<int> TroubleAsync(LabNetwork network, Random random, CancellationToken stop)
    {
        var count = 0;
        for (; !stop.IsCancellationRequested; count++)
        {
            var link = network.Links[random.Next(network.Links.Count)];
            var fault = (Fault)random.Next(Enum.GetValues<Fault>().Length);
            var lasting = TimeSpan.FromMilliseconds(random.Next(100, 1700));
            await BeginAsync(link, fault);
            await Task.Delay(lasting, CancellationToken.None);
            await EndAsync(link, fault);
            await Task.Delay(TimeSpan.FromSeconds(2) - lasting, CancellationToken.None);
        }
        return count;
    }

    /// <summary>Does something to a link.</summary>
    public static Task BeginAsync(LabLink link, Fault fault) => fault switch
    {
        Fault.SilentBoth => link.SilenceAsync(),
        Fault.SilentUp => link.SilenceAsync(LinkDirection.Up),
        Fault.SilentDown => link.SilenceAsync(LinkDirection.Down),
        Fault.Carrier => link.CarrierDownAsync(),
        Fault.Address => link.RemoveAddressAsync(),
        _ => link.ResetAsync(),
    };

    /// <summary>Undoes it.</summary>
    public static Task EndAsync(LabLink link, Fault fault) => fault switch
    {
        Fault.SilentBoth or Fault.SilentUp or Fault.SilentDown => link.HealAsync(),
        Fault.Carrier => link.CarrierUpAsync(),
        Fault.Address => link.RestoreAddressAsync(),
        _ => Task.CompletedTask,
    };

    internal static string After(SentBytes? sent) => sent is null ? "" : $", {sent}";

    private static async Task<SentBytes?> SentSinceAsync(ILabPeer lab, Flow flow, SentBytes? before) =>
        before is not null && await lab.SentAsync(flow) is { } after ? after - before : null;

    private static double LinkMegabits(LinkCounters before, LinkCounters after, Flow flow, TimeSpan duration)
    {
        var bytes = flow == Flow.Up ? after.Up.Bytes - before.Up.Bytes : after.Down.Bytes - before.Down.Bytes;
        return bytes * 8 / duration.TotalSeconds / 1e6;
    }

    private static Task<LabTraffic> StartMultipathAsync(ILabPeer lab, Linux.NetworkNamespace inside, TrafficOptions options) =>
        LabTraffic.StartAsync(lab.Network.Program, inside, options, isMultipath: true);

    /// <summary>The two ends of a stream: a service behind a tunnel and its visitor, or without a tunnel a program at the relay and one that connects to it.</summary>
    private sealed class Pair(LabTraffic laptop, LabTraffic relay, Flow flow) : IAsyncDisposable
    {
        public LabTraffic Receiver => flow == Flow.Up ? relay : laptop;

        public static async Task<Pair> StartAsync(ILabPeer lab, Flow flow, TrafficRole send, TrafficRole receive, params int[] otherPorts)
        {
            var (program, network) = (lab.Network.Program, lab.Network);
            var (onLaptop, atRelay) = (new TrafficOptions(flow == Flow.Up ? send : receive) { IsHashed = false }, new TrafficOptions(flow == Flow.Up ? receive : send) { IsHashed = false });
            if (lab is ILabTunnel tunnel)
            {
                var service = await LabTraffic.StartAsync(program, network.Laptop, onLaptop with { Listen = AnyLocal });
                await tunnel.OpenAsync([service.Port, .. otherPorts]);
                return new(service, await LabTraffic.StartAsync(program, network.Relay, atRelay with { Connect = tunnel.Visit(service.Port) }), flow);
            }
            var server = await StartMultipathAsync(lab, network.Relay, atRelay with { Listen = AnyAtRelay });
            return new(await StartMultipathAsync(lab, network.Laptop, onLaptop with { Connect = new(LabNetwork.Address, server.Port) }), server, flow);
        }

        public async ValueTask DisposeAsync()
        {
            await relay.DisposeAsync();
            await laptop.DisposeAsync();
        }
    }
}

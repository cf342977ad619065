using Bondline.Testing;

namespace Bondline.Protocol.Tests.Simulation;

/// <summary>The networks the promises are made for, and what the scenario tests measure on them.</summary>
internal static class Lab
{
    public static SimulatedPath Ethernet => new("ethernet", 50, 10) { PieceBytes = 1448 * 3 };

    public static SimulatedPath Wifi => new("wifi", 30, 30) { PieceBytes = 1448 * 3 };

    public static SimulatedPath Cellular => new("cellular", 20, 60) { PieceBytes = 1448 * 3 };

    /// <summary>50, 30 and 20 Mbit/s with round trips of 10, 30 and 60 ms.</summary>
    public static SimulatedPath[] Three => [Ethernet, Wifi, Cellular];

    /// <summary>More than any test transfers.</summary>
    public static FlowPlan Bulk { get; } = new() { Length = 1L << 40, IsEndless = true };

    /// <summary>Bytes the flow's reader gets from now on.</summary>
    public static Meter Measure(this SimulatedNetwork network, Flow flow)
    {
        var meter = new Meter(network.Elapsed);
        flow.Delivered = (now, length) => meter.Add(now - default(Instant), length);
        return meter;
    }

    /// <summary>Megabits per second of payload that a reader got while the network ran for <paramref name="time"/>.</summary>
    public static double Goodput(this SimulatedNetwork network, Flow flow, TimeSpan time)
    {
        var before = flow.BytesRead;
        network.RunFor(time);
        return (flow.BytesRead - before) * 8 / time.TotalSeconds / 1e6;
    }

    /// <summary>Samples of every subflow of an end, for looking at while tuning.</summary>
    public static void Watch(this SimulatedNetwork network, SimulatedEnd end, TimeSpan interval, TimeSpan until, Action<string> write)
    {
        for (var at = network.Elapsed; at < until; at += interval)
        {
            network.At(at, () => write($"{network.Elapsed.TotalMilliseconds,7:0} {string.Join(" | ", end.Bond.Subflows.Select(subflow => $"{subflow.State.ToString()[0]}{(subflow.IsStartup ? "s" : subflow.IsDraining ? "d" : " ")} {subflow.Rate.BytesPerSecond * 8 / 1e6,5:0.0} Mb rtt {subflow.Loop.Base.TotalMilliseconds,4:0} {subflow.MinRtt.TotalMilliseconds,4:0}/{subflow.SmoothedRtt.TotalMilliseconds,4:0} cap {subflow.CapBytes / 1000,4} out {subflow.UnackedBytes / 1000,4}"))}"));
        }
    }

    /// <summary>Writes <paramref name="length"/> bytes every <paramref name="interval"/>, from now on.</summary>
    public static void Repeat(this SimulatedNetwork network, Flow flow, int length, TimeSpan interval, TimeSpan until)
    {
        for (var at = network.Elapsed; at < until; at += interval) network.At(at, () => flow.Write(length));
    }
}

/// <summary>When bytes reached a reader.</summary>
internal sealed class Meter(TimeSpan since)
{
    private TimeSpan _last = since;

    public TimeSpan LongestGap { get; private set; }

    /// <summary>When the longest gap began.</summary>
    public TimeSpan LongestGapAt { get; private set; }

    public long Bytes { get; private set; }

    public List<(TimeSpan At, long Bytes)> Arrivals { get; } = [];

    public void Add(TimeSpan at, int length)
    {
        if (at - _last > LongestGap)
        {
            LongestGap = at - _last;
            LongestGapAt = _last;
        }
        _last = at;
        Bytes += length;
        Arrivals.Add((at, Bytes));
    }

    /// <summary>Forgets the gaps so far.</summary>
    public void Restart(TimeSpan now)
    {
        _last = now;
        LongestGap = default;
    }
}

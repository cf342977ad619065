using System.Globalization;
using System.Text.RegularExpressions;
using Bondline.Lab;

namespace Bondline.Benchmarks;

/// <summary>A load of requests for a small page, and what wrk or h2load said of it.</summary>
/// <param name="Rate">Requests a second.</param>
/// <param name="Median">Half of the requests took at most this long.</param>
/// <param name="Requests">How many were answered.</param>
internal readonly partial record struct Wrk(double Rate, TimeSpan Median, long Requests)
{
    /// <summary>HTTP/1.1 by wrk on one thread.</summary>
    /// <param name="port">On 127.0.0.1.</param>
    /// <param name="connections">Each with one request under way at a time.</param>
    /// <param name="length">Whole seconds.</param>
    /// <param name="more">Options of wrk's.</param>
    /// <exception cref="LabException">A request failed.</exception>
    public static async Task<Wrk> RunAsync(int port, int connections, TimeSpan length, params string[] more)
    {
        var run = await LabProcess.RunAsync(null, "wrk", ["-t1", $"-c{connections}", $"-d{length.TotalSeconds:0}s", "--latency", .. more, $"http://127.0.0.1:{port}/"]);
        var output = run.ThrowIfFailed("wrk").Output;
        if (output.Contains("Socket errors", StringComparison.Ordinal) || output.Contains("Non-2xx", StringComparison.Ordinal)) throw new LabException($"wrk: {output}");
        return new(Number(WrkRate().Match(output)), Time(WrkMedian().Match(output)), (long)Number(WrkCount().Match(output)));
    }

    /// <summary>HTTP/1.1 by h2load, whose clients send with less of their own cost.</summary>
    /// <param name="port">On 127.0.0.1.</param>
    /// <param name="connections">Each with one request under way at a time.</param>
    /// <param name="length">Whole seconds.</param>
    /// <exception cref="LabException">A request failed.</exception>
    public static async Task<Wrk> RunH2LoadAsync(int port, int connections, TimeSpan length)
    {
        var run = await LabProcess.RunAsync(null, "h2load", ["--h1", "-t1", $"-c{connections}", $"-D{length.TotalSeconds:0}", $"http://127.0.0.1:{port}/"]);
        var output = run.ThrowIfFailed("h2load").Output;
        if (!NoFailure().IsMatch(output)) throw new LabException($"h2load: {output}");
        return new(Number(H2LoadRate().Match(output)), Time(H2LoadMean().Match(output)), (long)Number(H2LoadCount().Match(output)));
    }

    private static double Number(Match match) => double.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture);

    private static TimeSpan Time(Match match) => Number(match) * match.Groups[2].Value switch
    {
        "us" => TimeSpan.FromMicroseconds(1),
        "ms" => TimeSpan.FromMilliseconds(1),
        _ => TimeSpan.FromSeconds(1),
    };

    [GeneratedRegex(@"Requests/sec:\s+([\d.]+)")]
    private static partial Regex WrkRate();

    [GeneratedRegex(@"50%\s+([\d.]+)(us|ms|s)")]
    private static partial Regex WrkMedian();

    [GeneratedRegex(@"(\d+) requests in ")]
    private static partial Regex WrkCount();

    [GeneratedRegex(@"(\d+) succeeded")]
    private static partial Regex H2LoadCount();

    [GeneratedRegex(@"finished in [\d.]+m?s, ([\d.]+) req/s")]
    private static partial Regex H2LoadRate();

    [GeneratedRegex(@"time for request:\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)")]
    private static partial Regex H2LoadMean();

    [GeneratedRegex(@" 0 failed, 0 errored, 0 timeout")]
    private static partial Regex NoFailure();
}

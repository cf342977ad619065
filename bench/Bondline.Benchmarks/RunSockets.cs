using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Bondline.Lab;

namespace Bondline.Benchmarks;

/// <summary>What <c>bondline run</c> costs a program: each socket it makes, and its start.</summary>
internal static partial class RunSockets
{
    private const int InternetFamily = 2, StreamType = 1, DatagramType = 2, Multipath = 262;

    public static async Task RunAsync(string program, int number)
    {
        foreach (var (kind, type, protocol) in ((string, int, int)[])[("TCP", StreamType, 0), ("MPTCP asked for by name", StreamType, Multipath), ("UDP", DatagramType, 0)])
        {
            var plain = await MedianAsync(() => MeasureAsync([], type, protocol, number));
            var under = await MedianAsync(() => MeasureAsync([program, "run", "--quiet", "--"], type, protocol, number));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"a socket for {kind}, made and closed: {plain:0.0} us; under bondline run {under:0.0} us"));
        }
        var alone = await MedianAsync(() => StartAsync(["true"]));
        var inPlace = await MedianAsync(() => StartAsync([program, "run", "--quiet", "--", "true"]));
        var reported = await MedianAsync(() => StartAsync([program, "run", "--", "true"]));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"a program that does nothing: {alone:0.0} ms; under bondline run --quiet {inPlace:0.0} ms; under bondline run {reported:0.0} ms"));
    }

    /// <summary>The program that is measured: prints the microseconds of one.</summary>
    public static void Make(string[] arguments)
    {
        var (type, protocol, number) = (Parse(arguments[0]), Parse(arguments[1]), Parse(arguments[2]));
        for (var i = 0; i < number / 10; i++) Make(type, protocol);
        var watch = Stopwatch.StartNew();
        for (var i = 0; i < number; i++) Make(type, protocol);
        Console.WriteLine((watch.Elapsed.TotalMicroseconds / number).ToString("R", CultureInfo.InvariantCulture));

        static int Parse(string number) => int.Parse(number, CultureInfo.InvariantCulture);
    }

    private static void Make(int type, int protocol)
    {
        var made = socket(InternetFamily, type, protocol);
        if (made < 0) throw new IOException($"No socket: {Marshal.GetLastPInvokeErrorMessage()}");
        _ = close(made);
    }

    private static async Task<double> MeasureAsync(string[] under, int type, int protocol, int number)
    {
        string[] line = [.. under, Environment.ProcessPath!, "make-sockets", $"{type}", $"{protocol}", $"{number}"];
        return double.Parse((await LabProcess.RunAsync(null, line[0], line[1..])).ThrowIfFailed(line[0]).Output, CultureInfo.InvariantCulture);
    }

    private static async Task<double> StartAsync(string[] line)
    {
        var watch = Stopwatch.StartNew();
        (await LabProcess.RunAsync(null, line[0], line[1..])).ThrowIfFailed(line[0]);
        return watch.Elapsed.TotalMilliseconds;
    }

    private static async Task<double> MedianAsync(Func<Task<double>> measure)
    {
        var measured = new List<double>();
        for (var i = 0; i < 9; i++) measured.Add(await measure());
        return measured.Order().ElementAt(measured.Count / 2);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc")]
    private static partial int close(int descriptor);
}

using System.Globalization;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>Repeats a timed measurement when the host was too busy to run a sleeping thread in time, twice at most, a rate once more, and writes down what was measured.</summary>
internal static class Measured
{
    private static readonly TimeSpan MostLate = TimeSpan.FromMilliseconds(5);

    /// <summary>For bounds on the median of several: a busy host may spoil some, so nothing is repeated.</summary>
    public static Task<T> OnceAsync<T>(string what, Func<Task<T>> measure) => UndisturbedAsync(what, measure, _ => true);

    /// <summary>For bounds on time.</summary>
    public static async Task<T> UndisturbedAsync<T>(string what, Func<Task<T>> measure, Func<T, bool> holds)
    {
        for (var attempt = 1; ; attempt++)
        {
            var (result, late) = await BesideControlAsync(what, measure);
            if (holds(result) || late <= MostLate || attempt == 3) return result;
        }
    }

    /// <summary>For rates over links: the better of two, of which a busy host spoiled neither if that can be had with two more.</summary>
    public static async Task<T> BestOfTwoAsync<T>(string what, Func<Task<T>> measure, Func<T, bool> holds)
    {
        for (int counted = 0, spoiled = 0; ;)
        {
            var (result, late) = await BesideControlAsync(what, measure);
            if (holds(result) || (late <= MostLate || ++spoiled > 2) && ++counted == 2) return result;
        }
    }

    /// <summary>For rates that take all the processor there is, and make any control late: the better of two.</summary>
    public static async Task<T> BestOfTwoOfAllProcessorAsync<T>(string what, Func<Task<T>> measure, Func<T, bool> holds)
    {
        for (var counted = 1; ; counted++)
        {
            var result = await measure();
            Record(what, $"{result}{(counted == 2 ? " (second of two)" : "")}");
            if (holds(result) || counted == 2) return result;
        }
    }

    /// <summary>Writes down what was measured; for what no busy host disturbs.</summary>
    public static void Record(string what, string result)
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"{what}: {result}");
        if (Environment.GetEnvironmentVariable("BONDLINE_MEASUREMENTS") is { Length: > 0 } file) File.AppendAllText(file, $"{what}: {result}\n");
    }

    private static async Task<(T Result, TimeSpan Late)> BesideControlAsync<T>(string what, Func<Task<T>> measure)
    {
        if (TestContext.Current.TestCollection?.TestCollectionClassName != typeof(OneAtATime).FullName) throw new InvalidOperationException($"A class that measures belongs to {nameof(OneAtATime)}.");
        using var ticker = new ControlTicker();
        var result = await measure();
        var late = ticker.MostLate;
        Record(what, $"{result}; the control was late by at most {Milliseconds(late)} ms{(late > MostLate ? ": a busy host" : "")}");
        return (result, late);
    }

    public static string Milliseconds(TimeSpan span) => span.TotalMilliseconds.ToString("0.0", CultureInfo.InvariantCulture);
}

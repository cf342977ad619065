namespace Bondline.Benchmarks;

/// <summary>Several of a kind, measured by turns in one run; who goes first changes from round to round.</summary>
internal static class Turns
{
    /// <summary>Prints the median of each, and all between which it lies.</summary>
    /// <param name="load">What is measured, with its unit.</param>
    /// <param name="rounds">How often each.</param>
    /// <param name="measure">By the name it is printed with.</param>
    public static async Task CompareAsync(string load, int rounds, params (string Name, Func<Task<double>> Measure)[] measure)
    {
        var results = measure.Select(_ => new List<double>()).ToArray();
        for (var round = 0; round < rounds; round++)
        {
            for (var turn = 0; turn < measure.Length; turn++)
            {
                var which = (round + turn) % measure.Length;
                results[which].Add(await measure[which].Measure());
            }
        }
        Console.WriteLine($"{load}: {string.Join(", ", measure.Zip(results, (each, all) => $"{all.Median():0} {each.Name} ({all.Min():0} to {all.Max():0})"))}, medians of {rounds}");
    }
}

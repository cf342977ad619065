using System.Globalization;

namespace Bondline.Linux;

/// <summary>What the kernel has counted of Multipath TCP in a network namespace, at one moment or between two.</summary>
/// <remarks>
/// The <c>MPTcpExt</c> lines of /proc/net/netstat, which <c>nstat</c> shows as MPTcpExtNAME; what each means: <see cref="MultipathCounter.All"/>.
/// Reading needs no rights. Thread safe.
/// </remarks>
public sealed class MultipathCounters
{
    private const string Prefix = "MPTcpExt:";

    private readonly Dictionary<string, long> _values;

    private MultipathCounters(Dictionary<string, long> values) => _values = values;

    /// <summary>Every counter this kernel has, by the kernel's name without MPTcpExt.</summary>
    public IReadOnlyDictionary<string, long> Values => _values;

    /// <summary>One counter; 0 if this kernel does not have it.</summary>
    public long this[string name] => _values.GetValueOrDefault(name);

    /// <summary>The counters of the calling thread's namespace.</summary>
    /// <returns>Null if the kernel has no MPTCP, or there is no /proc.</returns>
    public static MultipathCounters? Read()
    {
        try
        {
            return Parse(File.ReadAllText("/proc/thread-self/net/netstat"));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null; // no /proc here, or a sandbox hides it
        }
    }

    /// <summary>Reads the text of /proc/net/netstat: for each protocol a line of names, then one of numbers.</summary>
    /// <returns>Null if it has no such pair for MPTCP.</returns>
    //  MPTcpExt: MPCapableSYNRX MPCapableSYNTX ...
    //  MPTcpExt: 0 3 ...
    public static MultipathCounters? Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[]? names = null;
        foreach (var line in text.Split('\n'))
        {
            if (!line.StartsWith(Prefix, StringComparison.Ordinal)) continue;
            var words = line[Prefix.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (names is not null) return new(Pair(names, words));
            names = words;
        }

        return null;
    }

    /// <summary>What was added since <paramref name="earlier"/>; what is a level and no count (<see cref="MultipathCounter.IsLevel"/>) stays as it is.</summary>
    public MultipathCounters Since(MultipathCounters earlier)
    {
        ArgumentNullException.ThrowIfNull(earlier);
        return new(_values.ToDictionary(pair => pair.Key, pair => MultipathCounter.Find(pair.Key)?.IsLevel == true ? pair.Value : pair.Value - earlier[pair.Key]));
    }

    // A word that is no number is left out: it says nothing, and its neighbours still do.
    private static Dictionary<string, long> Pair(string[] names, string[] numbers)
    {
        var values = new Dictionary<string, long>(StringComparer.Ordinal);
        for (var i = 0; i < Math.Min(names.Length, numbers.Length); i++)
            if (ulong.TryParse(numbers[i], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                values[names[i]] = unchecked((long)number); // a level summed over processors may show as -1
        return values;
    }
}

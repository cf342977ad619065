using System.Globalization;
using System.Text;

namespace Bondline.Cli;

/// <summary>Numbers and sentences for people, as the reports on MPTCP write them.</summary>
internal static class ReportText
{
    /// <summary>Megabits a second, without the unit.</summary>
    public static string Megabits(double bytesPerSecond) => (bytesPerSecond * 8 / 1e6) switch
    {
        < 100 and var low => low.ToString("0.0", CultureInfo.InvariantCulture),
        var high => high.ToString("0", CultureInfo.InvariantCulture),
    };

    public static string Milliseconds(TimeSpan time) => time.TotalMilliseconds switch
    {
        < 1 and var low => low.ToString("0.00", CultureInfo.InvariantCulture),
        < 100 and var middle => middle.ToString("0.0", CultureInfo.InvariantCulture),
        var high => high.ToString("0", CultureInfo.InvariantCulture),
    };

    /// <summary>Breaks a sentence between words; a longer word stays whole.</summary>
    public static IEnumerable<string> Wrap(string text, int width)
    {
        var line = new StringBuilder();
        foreach (var word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line.ToString();
                line.Clear();
            }

            if (line.Length > 0) line.Append(' ');
            line.Append(word);
        }

        yield return line.ToString();
    }
}

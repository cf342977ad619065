using System.Globalization;
using System.Text;

namespace Bondline.Cli.Screen;

/// <summary>Text from anywhere made harmless for a terminal, and how many columns it takes.</summary>
internal static class TerminalText
{
    // The ranges that terminals show two columns wide: East Asian Wide and Fullwidth (Unicode TR 11), with the emoji among them.
    private static readonly (int First, int Last)[] Wide =
    [
        (0x1100, 0x115f), (0x231a, 0x231b), (0x23e9, 0x23ec), (0x23f0, 0x23f0), (0x23f3, 0x23f3), (0x25fd, 0x25fe), (0x2614, 0x2615), (0x2648, 0x2653), (0x267f, 0x267f),
        (0x2693, 0x2693), (0x26a1, 0x26a1), (0x26aa, 0x26ab), (0x26bd, 0x26be), (0x26c4, 0x26c5), (0x26ce, 0x26ce), (0x26d4, 0x26d4), (0x26ea, 0x26ea), (0x26f2, 0x26f3),
        (0x26f5, 0x26f5), (0x26fa, 0x26fa), (0x26fd, 0x26fd), (0x2705, 0x2705), (0x270a, 0x270b), (0x2728, 0x2728), (0x274c, 0x274c), (0x274e, 0x274e), (0x2753, 0x2755),
        (0x2757, 0x2757), (0x2795, 0x2797), (0x27b0, 0x27b0), (0x27bf, 0x27bf), (0x2b1b, 0x2b1c), (0x2b50, 0x2b50), (0x2b55, 0x2b55), (0x2e80, 0x303e), (0x3041, 0x4dbf),
        (0x4e00, 0xa4cf), (0xa960, 0xa97f), (0xac00, 0xd7a3), (0xf900, 0xfaff), (0xfe30, 0xfe6f), (0xff00, 0xff60), (0xffe0, 0xffe6), (0x16fe0, 0x18cff), (0x1aff0, 0x1b2ff),
        (0x1f004, 0x1f004), (0x1f0cf, 0x1f0cf), (0x1f18e, 0x1f18e), (0x1f191, 0x1f19a), (0x1f200, 0x1f64f), (0x1f680, 0x1f6ff), (0x1f7e0, 0x1f7eb), (0x1f90c, 0x1f9ff),
        (0x1fa70, 0x1faff), (0x20000, 0x3fffd),
    ];

    /// <summary>Replaces every character that is no plain printable one (controls, the ones that turn or hide text, halves of characters) by a question mark.</summary>
    public static string Clean(string text, bool isUnicode)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange(' ', '~')) return text;
        var clean = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes()) // a lone surrogate comes as U+FFFD
        {
            if (rune.Value is >= ' ' and <= '~' || (isUnicode && IsShown(rune))) clean.Append(rune);
            else clean.Append('?');
        }
        return clean.ToString();
    }

    /// <summary>Columns of text that is clean.</summary>
    public static int Width(ReadOnlySpan<char> text)
    {
        if (!text.ContainsAnyExceptInRange(' ', '~')) return text.Length;
        var width = 0;
        foreach (var rune in text.EnumerateRunes()) width += Width(rune);
        return width;
    }

    /// <summary>As much of clean text as fits into <paramref name="width"/> columns, with a mark where some is missing.</summary>
    public static string Fit(string text, int width, bool isUnicode)
    {
        if (Width(text) <= width) return text;
        if (width <= 0) return "";
        var taken = 0;
        var columns = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (columns + Width(rune) > width - 1) break;
            columns += Width(rune);
            taken += rune.Utf16SequenceLength;
        }
        return string.Concat(text.AsSpan(0, taken), isUnicode ? "…" : "~");
    }

    /// <summary>Clean text in lines of at most <paramref name="width"/> columns, broken between words where that is possible.</summary>
    public static IEnumerable<string> Wrap(string text, int width)
    {
        var line = new StringBuilder();
        var columns = 0;
        foreach (var word in text.Split(' '))
        {
            var rest = word;
            if (columns > 0 && columns + 1 + Width(word) > width)
            {
                yield return line.ToString();
                line.Clear();
                columns = 0;
            }
            if (columns > 0)
            {
                line.Append(' ');
                columns++;
            }
            foreach (var rune in rest.EnumerateRunes())
            {
                if (columns + Width(rune) > width && columns > 0)
                {
                    yield return line.ToString();
                    line.Clear();
                    columns = 0;
                }
                line.Append(rune);
                columns += Width(rune);
            }
        }
        yield return line.ToString();
    }

    private static int Width(Rune rune)
    {
        var value = rune.Value;
        if (value < 0x1100) return 1;
        var (low, high) = (0, Wide.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (value < Wide[middle].First) high = middle - 1;
            else if (value > Wide[middle].Last) low = middle + 1;
            else return 2;
        }
        return 1;
    }

    // Marks that stand on other characters are left out as well: terminals disagree on where they end.
    private static bool IsShown(Rune rune) => Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.SpacingCombiningMark)
        && rune.Value != 0xfffd;
}

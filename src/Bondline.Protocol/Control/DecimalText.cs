using System.Globalization;

namespace Bondline.Protocol;

/// <summary>Numbers as others write them: ASCII digits and nothing else.</summary>
public static class DecimalText
{
    /// <returns>False if anything but digits stands there, or the number is over <see cref="int.MaxValue"/>.</returns>
    public static bool TryRead(ReadOnlySpan<char> text, out int number)
    {
        number = 0;
        // int.TryParse alone takes zero characters behind a number, whatever its style.
        return !text.ContainsAnyExceptInRange('0', '9') && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }
}

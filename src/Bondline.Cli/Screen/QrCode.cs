using System.Text;
using QRCoder;

namespace Bondline.Cli.Screen;

/// <summary>A QR code of half blocks: two modules in each character, one above the other.</summary>
internal static class QrCode
{
    /// <summary>Longer ones would fit no terminal.</summary>
    public const int MaxLength = 512;

    private const int LibraryMargin = 4, Margin = 2; // of light modules; readers are content with two

    /// <summary>Columns and rows it takes.</summary>
    public static (int Columns, int Rows) SizeOf(string text)
    {
        var modules = Matrix(text).Count - 2 * LibraryMargin + 2 * Margin;
        return (modules, (modules + 1) / 2);
    }

    /// <returns>Null if it does not fit.</returns>
    public static IReadOnlyList<string>? Render(string text, int width, int height, TerminalCapabilities terminal)
    {
        var matrix = Matrix(text);
        var modules = matrix.Count - 2 * LibraryMargin;
        if (modules + 2 * Margin > width || (modules + 2 * Margin + 1) / 2 > height) return null;
        var indent = new string(' ', Math.Min(2, width - modules - 2 * Margin));
        var lines = new List<string>();
        for (var y = -Margin; y < modules + Margin; y += 2)
        {
            // Light is drawn, so the code is as printed on a dark terminal; with colours it is on any.
            var line = new StringBuilder(indent).Append(terminal.HasColour ? "\e[97;40m" : "");
            for (var x = -Margin; x < modules + Margin; x++)
                line.Append((IsLight(x, y), y + 1 < modules + Margin && IsLight(x, y + 1)) switch { (true, true) => '█', (true, false) => '▀', (false, true) => '▄', _ => ' ' });
            lines.Add(line.Append(terminal.HasColour ? "\e[0m" : "").ToString());
        }
        return lines;

        bool IsLight(int x, int y) => x < 0 || y < 0 || x >= modules || y >= modules || !matrix[y + LibraryMargin][x + LibraryMargin];
    }

    private static List<System.Collections.BitArray> Matrix(string text)
    {
        using var data = QRCodeGenerator.GenerateQrCode(text, QRCodeGenerator.ECCLevel.L);
        return [.. data.ModuleMatrix];
    }
}

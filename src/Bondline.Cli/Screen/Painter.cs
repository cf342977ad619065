using System.Globalization;
using System.Text;

namespace Bondline.Cli.Screen;

/// <summary>Turns frames into what has to be written: the lines that changed, in one piece.</summary>
internal sealed class Painter(TerminalCapabilities terminal)
{
    /// <summary>The other screen, no cursor, no lines that wrap.</summary>
    public const string Enter = "\e[?1049h\e[?25l\e[?7l\e[H\e[2J";

    /// <summary>Everything as <see cref="Enter"/> found it, and the keypad as shells have it.</summary>
    public const string Leave = "\e[0m\e[?7h\e[?25h\e[?1049l\e[?1l\e>";

    private IReadOnlyList<string> _shown = [];
    private (int Width, int Height) _size;

    /// <summary>The next frame is written whole.</summary>
    public void Forget() => _shown = [];

    /// <returns>What to write; empty if nothing changed.</returns>
    public string Paint(IReadOnlyList<string> lines, int width, int height)
    {
        var output = new StringBuilder();
        if ((width, height) != _size || _shown.Count == 0)
        {
            output.Append("\e[0m\e[2J");
            _shown = [];
        }
        for (var row = 0; row < lines.Count && row < height; row++)
        {
            if (row < _shown.Count ? _shown[row] == lines[row] : lines[row].Length == 0) continue;
            output.Append(CultureInfo.InvariantCulture, $"\e[{row + 1};1H").Append(lines[row]).Append("\e[K");
        }
        (_shown, _size) = (lines, (width, height));
        if (output.Length == 0) return "";
        return terminal.HasSynchronizedUpdate ? $"\e[?2026h{output}\e[?2026l" : output.ToString();
    }
}

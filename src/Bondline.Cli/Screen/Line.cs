using System.Text;

namespace Bondline.Cli.Screen;

internal enum Style
{
    Plain,
    Bold,
    Dim,
    Good,
    Warning,
    Bad,
    Accent,
}

/// <summary>One line of the screen as it is built from left to right. Whatever is added is made harmless and cut to the width: nothing else writes to the terminal.</summary>
internal sealed class Line(int width, TerminalCapabilities terminal)
{
    private const string Escape = "\e[";

    private readonly StringBuilder _text = new();

    /// <summary>Columns so far.</summary>
    public int Columns { get; private set; }

    public Line Add(string text, Style style = Style.Plain)
    {
        var fitting = TerminalText.Fit(TerminalText.Clean(text, terminal.IsUnicode), width - Columns, terminal.IsUnicode);
        if (fitting.Length == 0) return this;
        Columns += TerminalText.Width(fitting);
        if (Code(style) is { } code) _text.Append(Escape).Append(code).Append('m').Append(fitting).Append(Escape).Append("0m");
        else _text.Append(fitting);
        return this;
    }

    /// <summary>Adds <paramref name="text"/> in a column of its own, cut to it and followed by <paramref name="gap"/> blanks.</summary>
    public Line Column(string text, int columns, Style style = Style.Plain, bool isRight = false, int gap = 1)
    {
        var fitting = TerminalText.Fit(TerminalText.Clean(text, terminal.IsUnicode), columns, terminal.IsUnicode);
        var blanks = columns - TerminalText.Width(fitting);
        if (isRight) Blank(blanks);
        Add(fitting, style);
        return Blank(isRight ? gap : blanks + gap);
    }

    public Line Blank(int columns) => columns > 0 ? Add(new string(' ', columns)) : this;

    /// <summary>Adds <paramref name="text"/> at the right edge if there is room for all of it.</summary>
    public Line AtRight(string text, Style style = Style.Plain)
    {
        var clean = TerminalText.Clean(text, terminal.IsUnicode);
        var blanks = width - Columns - TerminalText.Width(clean);
        return blanks < 1 ? this : Blank(blanks).Add(clean, style);
    }

    /// <summary>With the terminal's codes for the styles.</summary>
    public override string ToString() => _text.ToString();

    private string? Code(Style style) => style switch
    {
        Style.Bold => "1",
        Style.Dim => "2",
        Style.Good when terminal.HasColour => "32",
        Style.Warning when terminal.HasColour => "33",
        Style.Bad when terminal.HasColour => "31",
        Style.Accent when terminal.HasColour => "36",
        _ => null,
    };
}

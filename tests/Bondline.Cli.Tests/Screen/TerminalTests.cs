using Bondline.Cli.Screen;
using Xunit;

namespace Bondline.Cli.Tests.Screen;

public sealed class TerminalTests
{
    private static readonly TerminalCapabilities Terminal = new(IsUnicode: true, HasColour: true, HasSynchronizedUpdate: true);

    [Theory]
    [InlineData("plain ~text", "plain ~text", "plain ~text")]
    [InlineData("a\e[31mb\a\r\n\t\u007f\u0085c", "a?[31mb??????c", "a?[31mb??????c")]
    [InlineData("é漢→", "é漢→", "???")]
    [InlineData("x\u202e\u200b\u2028\ue000\ufffdy", "x?????y", "x?????y")]
    [InlineData("e\u0301", "e?", "e?")]
    public void Text_is_made_harmless(string text, string unicode, string ascii)
    {
        Assert.Equal(unicode, TerminalText.Clean(text, isUnicode: true));
        Assert.Equal(ascii, TerminalText.Clean(text, isUnicode: false));
    }

    [Theory]
    [InlineData("abc", 3)]
    [InlineData("漢字", 4)]
    [InlineData("한글 ok", 7)]
    [InlineData("é→…●", 4)]
    [InlineData("😀", 2)]
    [InlineData("ﾊ", 1)]
    public void Wide_characters_count_twice(string text, int width) => Assert.Equal(width, TerminalText.Width(text));

    [Theory]
    [InlineData("abcdef", 6, "abcdef")]
    [InlineData("abcdef", 5, "abcd…")]
    [InlineData("漢字テスト", 5, "漢字…")]
    [InlineData("漢字テスト", 6, "漢字…")] // half a character does not exist
    [InlineData("abc", 1, "…")]
    [InlineData("abc", 0, "")]
    [InlineData("abc", -3, "")]
    public void Text_is_cut_to_its_columns(string text, int width, string fitting) => Assert.Equal(fitting, TerminalText.Fit(text, width, isUnicode: true));

    [Fact]
    public void Text_is_wrapped_between_words() =>
        Assert.Equal(["one two", "three", "12345678", "9012 x", "漢字漢字", "漢 y"], TerminalText.Wrap("one two three 123456789012 x 漢字漢字漢 y", 8));

    [Theory]
    [InlineData("xterm-256color", "de_DE.UTF-8", null, null, true, true)]
    [InlineData("xterm", "C", null, null, false, true)]
    [InlineData("vt100", "en_GB.utf8", null, null, true, false)]
    [InlineData("vt100", "C.UTF-8", null, "truecolor", true, true)]
    [InlineData("screen", "C.UTF-8", "1", "truecolor", true, false)]
    [InlineData("st-256color", null, null, null, false, true)]
    public void What_a_terminal_can_do_stands_in_its_environment(string term, string? locale, string? noColour, string? colourTerm, bool isUnicode, bool hasColour)
    {
        var found = TerminalCapabilities.Detect(name => name switch { "TERM" => term, "LANG" => locale, "NO_COLOR" => noColour, "COLORTERM" => colourTerm, _ => null });
        Assert.Equal((isUnicode, hasColour), (found!.IsUnicode, found.HasColour));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("dumb")]
    public void A_terminal_without_a_cursor_gets_no_screen(string? term) => Assert.Null(TerminalCapabilities.Detect(name => name == "TERM" ? term : null));

    [Fact]
    public void Only_lines_that_changed_are_written_and_all_after_a_resize()
    {
        var painter = new Painter(Terminal);
        Assert.Equal("\e[?2026h\e[0m\e[2J\e[1;1Hone\e[K\e[3;1Hthree\e[K\e[?2026l", painter.Paint(["one", "", "three"], 80, 3));
        Assert.Equal("", painter.Paint(["one", "", "three"], 80, 3));
        Assert.Equal("\e[?2026h\e[2;1Htwo\e[K\e[3;1H\e[K\e[?2026l", painter.Paint(["one", "two", ""], 80, 3));
        Assert.Contains("\e[2J\e[1;1Hone", painter.Paint(["one", "two", ""], 81, 3), StringComparison.Ordinal);
        painter.Forget();
        Assert.Contains("\e[2J\e[1;1Hone", painter.Paint(["one", "two", ""], 81, 3), StringComparison.Ordinal);
        Assert.DoesNotContain("2026", new Painter(Terminal with { HasSynchronizedUpdate = false }).Paint(["one"], 80, 1), StringComparison.Ordinal);
    }
}

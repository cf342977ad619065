using Xunit;

namespace Bondline.Cli.Tests;

public sealed class UnitFileTests
{
    private const string Text = """
        [Unit]
        Description=ExecStart=/bin/no
        [Service]
        # ExecStart=/bin/comment
        ; ExecStart=/bin/comment
        Type=oneshot
         ExecStart = /bin/one  two 
        ExecStart=
        ExecStart=/bin/long \
           # within it
          and \

          longer
        ExecStartPost=/bin/other
        [Install]
        ExecStart=/bin/elsewhere
        [Service]
        ExecStart=/bin/last \
        """;

    [Fact]
    public void Values_are_those_of_the_section_in_order_with_lines_joined() =>
        Assert.Equal(["/bin/one  two", "", "/bin/long and", "/bin/last"], UnitFile.Values(Text, "Service", "ExecStart"));

    [Theory]
    [InlineData("/bin/a b  c", "/bin/a|b|c")]
    [InlineData("/bin/a 'b c' \"d 'e'\" f\\ g", "/bin/a|'b c'|\"d 'e'\"|f\\ g")]
    [InlineData("/bin/a ; /bin/b c ;", "/bin/a;/bin/b|c")]
    [InlineData("/bin/a \\; ';' b;c", "/bin/a|\\;|';'|b;c")]
    [InlineData("/bin/a 'unfinished quote", "")]
    [InlineData("/bin/a \\", "")]
    [InlineData("/bin/a b\u00A0c\td", "/bin/a|b\u00A0c|d")] // other spaces than these are letters to systemd
    [InlineData("  ", "")]
    public void A_command_is_its_words_as_they_are_written(string value, string words) =>
        Assert.Equal(words, string.Join(';', UnitFile.Commands(value).Select(command => string.Join('|', command))));

    [Theory]
    [InlineData("/usr/bin/bondline", "/usr/bin/bondline")]
    [InlineData("/opt/my tools/100%", "\"/opt/my tools/100%%\"")]
    [InlineData("a\"b\\c$d", "\"a\\\"b\\\\c$$d\"")]
    public void A_word_is_quoted_only_where_it_must_be(string text, string quoted) => Assert.Equal(quoted, UnitFile.Quote(text));
}

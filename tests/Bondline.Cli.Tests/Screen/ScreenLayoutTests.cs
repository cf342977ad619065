using System.Text.RegularExpressions;
using Bondline.Cli.Screen;
using Bondline.Protocol;
using Bondline.Transport;
using Xunit;

namespace Bondline.Cli.Tests.Screen;

public sealed partial class ScreenLayoutTests
{
    private static readonly TerminalCapabilities Rich = new(IsUnicode: true, HasColour: true, HasSynchronizedUpdate: true);
    private static readonly TerminalCapabilities Poor = new(IsUnicode: false, HasColour: false, HasSynchronizedUpdate: false);
    private static readonly DateTimeOffset Noon = new(2026, 5, 4, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void It_looks_so_on_eighty_columns() => Assert.Equal(
        """
         bondline                                    2 connections, running 12 min 03 s

          http://calm-otter.lab.test:8000  ->  http://127.0.0.1:3000

          network    kind     state        RTT ms  Mbit/s up    down  share  history
          eth0       Ethernet * active       10.2       48.1     0.3   61 %  ##########
          wlan0      Wi-Fi    ? silent     since 12:00:00; no answer         ##########
          usb0       phone    * metered      60.1       <0.1       0    2 %  __________
          not used: docker0, tun0 (i: why)

          events
          12:00:00  ! wlan0 went silent, 1.2 MB moved to eth0, nothing lost





          requests  214 so far
          12:00:01  GET     200    12 ms  /index.html
          12:00:01  and 60 more, too many to show
          12:00:01  POST    502  1500 ms  /hook?x=1


          q quit   c QR code   p pause   m mode   i unused networks   ? help
        """.ReplaceLineEndings("\n"),
        string.Join('\n', ScreenLayout.Compose(View(), 80, 24, Poor).Select(line => Plain(line).TrimEnd())));

    [Theory]
    [InlineData(80, 24)]
    [InlineData(200, 60)]
    [InlineData(120, 30)]
    [InlineData(60, 20)]
    [InlineData(40, 10)]
    [InlineData(20, 5)]
    [InlineData(3, 2)]
    [InlineData(1, 1)]
    public void Every_size_gets_exactly_its_lines_and_none_is_too_long(int width, int height)
    {
        foreach (var terminal in (TerminalCapabilities[])[Rich, Poor])
        {
            foreach (var overlay in Enum.GetValues<Overlay>())
            {
                foreach (var view in (ScreenView[])[View(), View(paths: 9), View() with { Tunnels = [], Paths = [], LeftOut = [], Events = [], Served = [] }, Hostile()])
                {
                    if (view.Tunnels.Count == 0 && overlay == Overlay.QrCode) continue;
                    var lines = ScreenLayout.Compose(view with { Overlay = overlay }, width, height, terminal);
                    Assert.Equal(height, lines.Count);
                    Assert.All(lines, line => Assert.InRange(TerminalText.Width(Plain(line)), 0, width));
                }
            }
        }
    }

    [Theory]
    [InlineData(0.0, 80, "* 0 % used ")]
    [InlineData(0.439, 80, "* 43 % used ")]
    [InlineData(0.9999, 80, "* 99 % used ")]
    [InlineData(7, 80, "* 100 % used ")]
    [InlineData(0.5, 40, "* metered ")]
    public void A_budget_shows_how_much_of_it_is_used(double used, int width, string state)
    {
        var path = Path("usb0", InterfaceMedium.Phone) with { Policy = SubflowPolicy.Metered, BudgetUsed = used, Rtt = TimeSpan.FromMilliseconds(60.1) };
        Assert.Contains(ScreenLayout.Compose(View() with { Paths = [path] }, width, 24, Poor), line => Plain(line).Contains(state, StringComparison.Ordinal));
    }

    [Fact]
    public void Numbers_that_grow_move_nothing()
    {
        var small = ScreenLayout.Compose(View(), 80, 24, Poor).Select(Plain).ToList();
        var view = View();
        var large = ScreenLayout.Compose(
            view with { Paths = [.. view.Paths.Select(path => path with { Rtt = TimeSpan.FromSeconds(12.3), UpBitsPerSecond = 9.99e9, DownBitsPerSecond = 9.99e9, Share = 1, Bytes = long.MaxValue })] }, 80, 24, Poor).Select(Plain).ToList();
        var header = small.FindIndex(line => line.Contains("RTT ms", StringComparison.Ordinal));
        Assert.Equal(small[header], large[header]);
        Assert.Equal(small[header + 1].IndexOf("###", StringComparison.Ordinal), large[header + 1].IndexOf("###", StringComparison.Ordinal));
        Assert.Equal(small.Select(line => line.Length > 24 ? line[..24] : line).Skip(1), large.Select(line => line.Length > 24 ? line[..24] : line).Skip(1));
    }

    [Theory]
    [InlineData(80, 24)]
    [InlineData(200, 60)]
    public void A_number_that_changed_is_written_with_its_line_and_nothing_else(int width, int height)
    {
        var painter = new Painter(Rich);
        painter.Paint(ScreenLayout.Compose(View(), width, height, Rich), width, height);
        var view = View() with { Paths = [.. View().Paths.Select((path, i) => i == 2 ? path with { Rtt = TimeSpan.FromMilliseconds(61) } : path)] };
        var output = painter.Paint(ScreenLayout.Compose(view, width, height, Rich), width, height);
        Assert.Contains("usb0", output, StringComparison.Ordinal);
        Assert.Single(PlaceCursor().Matches(output));
        Assert.InRange(output.Length, 1, width + 80);
        Assert.DoesNotContain("\e[2J", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(80, 24)]
    [InlineData(200, 60)]
    [InlineData(40, 10)]
    public void Nothing_from_outside_reaches_the_terminal_as_a_code(int width, int height)
    {
        foreach (var overlay in Enum.GetValues<Overlay>())
        {
            foreach (var terminal in (TerminalCapabilities[])[Rich, Poor])
            {
                var text = string.Join('\n', ScreenLayout.Compose(Hostile() with { Overlay = overlay }, width, height, terminal).Select(Plain));
                Assert.DoesNotContain(text, each => each != '\n' && (char.IsControl(each) || each is '\u202e' or '\u200b' or '\u2066' or '\ufeff'));
                if (!terminal.IsUnicode) Assert.All(text, each => Assert.True(char.IsAscii(each)));
            }
        }
    }

    [Fact]
    public void Without_colour_there_is_none()
    {
        var lines = ScreenLayout.Compose(View(), 80, 24, Rich with { HasColour = false });
        Assert.DoesNotContain("\e[3", string.Concat(lines), StringComparison.Ordinal);
        Assert.Contains("\e[3", string.Concat(ScreenLayout.Compose(View(), 80, 24, Rich)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_second_of_the_history_stays_with_the_seconds_it_was_drawn_with()
    {
        double[] seconds = [.. Enumerable.Range(0, 180).Select(i => i / 6 % 2 == 0 ? 40e6 : 0)]; // columns of six seconds on eighty columns
        var (full, part) = (Drawn(120), Drawn(123));
        Assert.Equal(full[1..], part[..^1]);
        Assert.Equal('#', part[^1]);

        string Drawn(int count)
        {
            var view = View() with { Seconds = count, Paths = [Path("eth0", InterfaceMedium.Ethernet) with { History = seconds[(count - 60)..count] }] };
            return Plain(ScreenLayout.Compose(view, 80, 24, Poor).First(line => line.Contains("active", StringComparison.Ordinal)))[^10..];
        }
    }

    [Fact]
    public void What_does_not_fit_is_counted()
    {
        var text = string.Join('\n', ScreenLayout.Compose(View(paths: 30), 80, 24, Rich).Select(Plain));
        Assert.Contains("net3 ", text, StringComparison.Ordinal);
        Assert.Contains("and 2", text, StringComparison.Ordinal);
        Assert.Contains("events", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://calm-otter.lab.test:8000", 80, 24, true)]
    [InlineData("https://a-rather-long-name-for-a-tunnel.preview.tunnels.company.example:8443", 80, 24, true)]
    [InlineData("http://calm-otter.lab.test:8000", 40, 10, false)]
    public void A_qr_code_is_drawn_where_it_fits(string url, int width, int height, bool fits)
    {
        var view = View() with { Overlay = Overlay.QrCode };
        var lines = ScreenLayout.Compose(view with { Tunnels = [view.Tunnels[0] with { Url = url }] }, width, height, Rich).Select(Plain).ToList();
        Assert.Equal(fits, lines.Exists(line => line.Contains("▀▄", StringComparison.Ordinal) || line.Contains("█▀", StringComparison.Ordinal)));
        if (!fits) Assert.Contains(lines, line => line.Contains("larger window", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_characters_of_a_qr_code_are_its_modules(bool hasColour)
    {
        const string Url = "http://192.168.1.20:41234";
        using var data = QRCoder.QRCodeGenerator.GenerateQrCode(Url, QRCoder.QRCodeGenerator.ECCLevel.L);
        var drawn = QrCode.Render(Url, 79, 23, Rich with { HasColour = hasColour })!.Select(line => Plain(line).TrimStart(' ')).ToList();
        var size = data.ModuleMatrix.Count - 8; // without the library's margin of four
        Assert.Equal(QrCode.SizeOf(Url), (size + 4, drawn.Count));
        for (var y = 0; y < size; y++)
        {
            for (var x = 0; x < size; x++)
            {
                var character = drawn[(y + 2) / 2][x + 2]; // our margin of two
                var isLight = character == '█' || character == ((y + 2) % 2 == 0 ? '▀' : '▄');
                Assert.Equal(data.ModuleMatrix[y + 4][x + 4], !isLight);
            }
        }
    }

    [Fact]
    public void No_qr_code_leads_a_phone_to_itself()
    {
        var view = View() with { Overlay = Overlay.QrCode };
        var lines = ScreenLayout.Compose(view with { Tunnels = [view.Tunnels[0] with { Url = "http://calm-otter.localhost:8000" }] }, 80, 24, Rich);
        Assert.Contains(lines, line => line.Contains("nothing to scan", StringComparison.Ordinal));
    }

    private static ScreenView View(int paths = 3) => new()
    {
        Tunnels = [new("http://calm-otter.lab.test:8000", "http://127.0.0.1:3000", IsAway: false, IsHttp: true)],
        Uptime = new(0, 12, 3),
        Connections = 2,
        Requests = 214,
        HasKeys = true,
        Paths = paths == 3
            ?
            [
                Path("eth0", InterfaceMedium.Ethernet) with { Rtt = TimeSpan.FromMilliseconds(10.2), UpBitsPerSecond = 48.1e6, DownBitsPerSecond = 0.3e6, Share = 0.61 },
                Path("wlan0", InterfaceMedium.WiFi) with { State = PathState.Suspect, Trouble = "since 12:00:00; no answer" },
                Path("usb0", InterfaceMedium.Phone) with { Policy = SubflowPolicy.Metered, Rtt = TimeSpan.FromMilliseconds(60.1), UpBitsPerSecond = 900, Share = 0.02, History = [.. Enumerable.Repeat(900.0, 60)] },
            ]
            : [.. Enumerable.Range(0, paths).Select(i => Path($"net{i}", InterfaceMedium.Other))],
        LeftOut = [new("docker0", InterfaceMedium.Virtual, "a bridge; name it in --paths to use it"), new("tun0", InterfaceMedium.Vpn, "a VPN or tunnel; name it in --paths to use it")],
        Events = [new(Noon, EventKind.Warning, "wlan0 went silent, 1.2 MB moved to eth0, nothing lost")],
        Served =
        [
            new(Noon.AddSeconds(1), "http://127.0.0.1:3000", "GET", "/index.html", 200, TimeSpan.FromMilliseconds(12)),
            new(Noon.AddSeconds(1), "", "", "", 0, default, Untold: 60),
            new(Noon.AddSeconds(1), "http://127.0.0.1:3000", "POST", "/hook?x=1", 502, TimeSpan.FromSeconds(1.5)),
        ],
    };

    private static ScreenView Hostile()
    {
        const string Evil = "\e[2J\e]0;title\a\r\n\u009b31m\u202etxt\u200b\ud800漢字テスト👩‍💻\u0301\u0301\ufeff%s{0}";
        var name = string.Concat(Enumerable.Repeat(Evil, 40));
        return View() with
        {
            Tunnels = [new(name, name, IsAway: true, IsHttp: true), new(name[..400], name, IsAway: false, IsHttp: true)],
            Notice = name,
            Paths = [Path(name, InterfaceMedium.Ethernet), Path(name, InterfaceMedium.WiFi) with { State = PathState.Dead, Trouble = name }],
            LeftOut = [new(name, InterfaceMedium.Virtual, name)],
            Events = [new(Noon, EventKind.Bad, name)],
            Served = [new(Noon, name, name, name, int.MinValue, TimeSpan.MaxValue)],
        };
    }

    private static PathView Path(string name, InterfaceMedium medium) =>
        new(name, medium, PathState.Active, SubflowPolicy.Normal, null, null, 0, 0, 0, 0, [.. Enumerable.Repeat(40e6, 60)]);

    private static string Plain(string line) => Style().Replace(line, "");

    [GeneratedRegex("\e\\[[0-9;]+H")]
    private static partial Regex PlaceCursor();

    [GeneratedRegex("\e\\[[0-9;]*m")]
    private static partial Regex Style();
}

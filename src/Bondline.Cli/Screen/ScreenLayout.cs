using System.Globalization;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Cli.Screen;

/// <summary>Turns what there is to show into the lines of a terminal. Columns depend on the terminal's width only, so nothing moves because a number grew.</summary>
internal sealed class ScreenLayout(ScreenView view, int width, int height, TerminalCapabilities terminal)
{
    private const int Margin = 2, HistorySeconds = 60;

    // Below these there is no room for what only adds comfort.
    private const int RoomyHeight = 18, WideWidth = 110, FullWidth = 76, MediumWidth = 56;

    private readonly List<string> _lines = [];

    /// <summary>Exactly <paramref name="height"/> lines of at most <paramref name="width"/> columns.</summary>
    public static IReadOnlyList<string> Compose(ScreenView view, int width, int height, TerminalCapabilities terminal) => new ScreenLayout(view, width, height, terminal).Compose();

    private bool IsRoomy => height >= RoomyHeight;

    private IReadOnlyList<string> Compose()
    {
        if (view.Overlay == Overlay.QrCode)
        {
            AddQrCode();
        }
        else
        {
            AddTitle();
            AddTunnels();
            switch (view.Overlay)
            {
                case Overlay.Help:
                    AddHelp();
                    break;
                case Overlay.LeftOut:
                    AddLeftOut();
                    break;
                case Overlay.Pause:
                    AddPauses();
                    break;
                case Overlay.Mode:
                    AddModes();
                    break;
                default:
                    AddPaths();
                    AddLogs();
                    break;
            }
        }
        if (_lines.Count >= height) _lines.RemoveRange(height - 1, _lines.Count - height + 1);
        while (_lines.Count < height - 1) _lines.Add("");
        _lines.Add(Footer());
        return _lines;
    }

    private void AddTitle()
    {
        var connections = view.Connections == 1 ? "1 connection" : string.Create(CultureInfo.InvariantCulture, $"{view.Connections} connections");
        Add(New(1).Add("bondline", Style.Bold).Add(view.Mode == BondMode.Auto ? "" : $"  {BondModes.Name(view.Mode)}").AtRight($"{connections}, running {Span(view.Uptime)}", Style.Dim));
        AddBlank();
    }

    private void AddTunnels()
    {
        var most = Math.Max(1, height / 5);
        var shown = view.Tunnels.Count <= most ? view.Tunnels.Count : Math.Max(1, most - 1);
        foreach (var tunnel in view.Tunnels.Take(shown))
        {
            var line = New(Margin);
            if (tunnel.Url is { } url) line.Add(url, Style.Accent);
            else line.Add("connecting to the relay", Style.Dim);
            line.Add(terminal.IsUnicode ? "  →  " : "  ->  ", Style.Dim).Add(tunnel.Local);
            if (tunnel.IsAway) line.Add("  does not answer", Style.Warning);
            Add(line);
        }
        if (shown < view.Tunnels.Count && height > 6) Add(New(Margin).Add($"and {view.Tunnels.Count - shown} more", Style.Dim));
        if (view.Notice is { } notice && height > 8)
            foreach (var part in TerminalText.Wrap(TerminalText.Clean(notice, terminal.IsUnicode), width - 2 * Margin).Take(IsRoomy ? 3 : 2)) Add(New(Margin).Add(part, Style.Dim));
        AddBlank();
    }

    private void AddPaths()
    {
        if (view.Paths.Count > 0)
        {
            var most = Math.Max(1, height - _lines.Count - (IsRoomy ? 9 : 2));
            var shown = view.Paths.Count <= most ? view.Paths.Count : Math.Max(1, most - 1);
            if (height > 7) Add(PathHeader());
            var scale = Math.Max(1e5, view.Paths.SelectMany(path => Buckets(path.History)).DefaultIfEmpty().Max());
            foreach (var path in view.Paths.Take(shown)) Add(PathRow(path, scale));
            if (shown < view.Paths.Count) Add(New(Margin).Add($"and {view.Paths.Count - shown} more; a taller window shows them", Style.Dim));
        }
        if (view.LeftOut.Count > 0 && height > 9)
        {
            var line = New(Margin).Add("not used: ", Style.Dim);
            var names = string.Join(", ", view.LeftOut.Select(left => left.Name));
            var why = view.LeftOut.Select(left => left.Why).Distinct().ToList() is [var only] ? $" ({only})" : view.HasKeys ? " (i: why)" : "";
            Add(line.Add(names + why, Style.Dim));
        }
        AddBlank();
    }

    private int NameWidth => width >= WideWidth ? 15 : width >= FullWidth ? 10 : 8;

    private int StateWidth => width >= MediumWidth ? 12 : 10;

    /// <summary>Columns of a path's line up to its history.</summary>
    private int HistoryStart => Margin + NameWidth + 1 + 9 + StateWidth + 1 + 6 + 2 + 9 + 2 + 6 + 2 + (width >= WideWidth ? 8 + 2 : 0) + 5 + 2;

    private int HistoryWidth => width >= FullWidth ? Math.Min(HistorySeconds, width - HistoryStart - 1) : 0;

    private Line PathHeader()
    {
        var line = New(Margin).Column("network", NameWidth, Style.Dim);
        if (width >= MediumWidth) line.Column("kind", 8, Style.Dim);
        line.Column("state", StateWidth, Style.Dim).Column("RTT ms", 6, Style.Dim, isRight: true, gap: 2);
        if (width >= MediumWidth) line.Column("Mbit/s up", 9, Style.Dim, isRight: true, gap: 2).Column("down", 6, Style.Dim, isRight: true, gap: 2);
        if (width >= WideWidth) line.Column("bytes", 8, Style.Dim, isRight: true, gap: 2);
        if (width >= FullWidth) line.Column("share", 5, Style.Dim, isRight: true, gap: 2).Add(HistoryWidth >= 11 ? "last minute" : "history", Style.Dim);
        return line;
    }

    private Line PathRow(PathView path, double scale)
    {
        var line = New(Margin).Column(path.Name, NameWidth, Style.Bold);
        if (width >= MediumWidth) line.Column(Kind(path.Medium), 8);
        var (state, style) = State(path);
        line.Column(state, StateWidth, style);
        if (path.Trouble is { } trouble)
        {
            var until = width >= FullWidth ? HistoryStart - 2 : width;
            line.Column(trouble, until - line.Columns, Style.Plain, gap: 2);
        }
        else
        {
            line.Column(path.Rtt is { } rtt ? Milliseconds(rtt) : "", 6, isRight: true, gap: 2);
            if (width >= MediumWidth) line.Column(Rate(path.UpBitsPerSecond), 9, isRight: true, gap: 2).Column(Rate(path.DownBitsPerSecond), 6, isRight: true, gap: 2);
            if (width >= WideWidth) line.Column(Size(path.Bytes), 8, isRight: true, gap: 2);
            if (width >= FullWidth) line.Column(string.Create(CultureInfo.InvariantCulture, $"{path.Share * 100:0} %"), 5, isRight: true, gap: 2);
        }
        if (width >= FullWidth) line.Add(Sparkline(Buckets(path.History), scale), Style.Accent);
        return line;
    }

    private (string Text, Style Style) State(PathView path)
    {
        var (mark, ascii, text, style) = path.State switch
        {
            not PathState.Active when path.IsPaused => ("○", "-", "paused", Style.Dim),
            PathState.Active when path.BudgetUsed is { } used && width >= MediumWidth =>
                ("●", "*", string.Create(CultureInfo.InvariantCulture, $"{Math.Min(Math.Floor(used * 100), 100):0} % used"), used < 0.9 ? Style.Good : Style.Warning),
            PathState.Active => ("●", "*", Policy(path.Policy), Style.Good),
            PathState.Suspect => ("◐", "?", "silent", Style.Warning),
            PathState.Connecting => ("◌", ".", "connecting", Style.Warning),
            PathState.Dead => ("○", "x", "lost", Style.Bad),
            PathState.Closed => ("○", "x", "away", Style.Bad),
            _ => ("○", "-", "not used", Style.Dim),
        };
        return ($"{(terminal.IsUnicode ? mark : ascii)} {text}", style);
    }

    private static string Policy(SubflowPolicy policy) => policy switch
    {
        SubflowPolicy.Prefer => "preferred",
        SubflowPolicy.Backup => "backup",
        SubflowPolicy.Metered => "metered",
        SubflowPolicy.Off => "off",
        _ => "active",
    };

    private void AddLogs()
    {
        var rows = height - 1 - _lines.Count - (IsRoomy ? 1 : 0);
        var hasRequests = view.Tunnels.Any(tunnel => tunnel.IsHttp);
        var forRequests = !hasRequests || rows < 7 ? 0 : (rows - 1) / 2;
        AddEvents(rows - forRequests - (forRequests > 0 ? 1 : 0));
        if (forRequests == 0) return;
        AddBlank(isAlways: true);
        AddRequests(forRequests);
    }

    private void AddEvents(int rows)
    {
        if (rows < 1) return;
        var end = _lines.Count + rows;
        if (rows > 2) Add(New(Margin).Add("events", Style.Dim));
        var room = end - _lines.Count;
        var lines = new List<string>();
        for (var i = view.Events.Count - 1; i >= 0; i--)
        {
            var more = EventLines(view.Events[i]);
            if (lines.Count > 0 && lines.Count + more.Count > room) break; // none without its beginning
            lines.InsertRange(0, more);
        }
        _lines.AddRange(lines.Take(room));
        while (_lines.Count < end) _lines.Add("");
    }

    private List<string> EventLines(EventView shown)
    {
        const int Indent = Margin + 10 + 2;
        var (mark, style) = shown.Kind switch
        {
            EventKind.Good => (terminal.IsUnicode ? "✓" : "+", Style.Good),
            EventKind.Warning => ("!", Style.Warning),
            EventKind.Bad => (terminal.IsUnicode ? "✗" : "x", Style.Bad),
            _ => (terminal.IsUnicode ? "·" : "-", Style.Dim),
        };
        var lines = new List<string>();
        foreach (var part in TerminalText.Wrap(TerminalText.Clean(shown.Text, terminal.IsUnicode), Math.Max(10, width - Indent - 1)))
        {
            var line = New(Margin);
            if (lines.Count == 0) line.Add(Clock(shown.At), Style.Dim).Blank(2).Add(mark, style).Blank(1).Add(part);
            else line.Blank(Indent - Margin).Add(part);
            lines.Add(line.ToString());
        }
        return lines;
    }

    private void AddRequests(int rows)
    {
        Add(New(Margin).Add("requests", Style.Dim).Add(view.Requests > 0 ? string.Create(CultureInfo.InvariantCulture, $"  {view.Requests} so far") : "", Style.Dim));
        var isShort = width < MediumWidth;
        foreach (var served in view.Served.TakeLast(rows - 1))
        {
            var line = New(Margin).Column(Clock(served.At), 8, Style.Dim, gap: 2);
            if (served.Untold > 0)
            {
                Add(line.Add($"and {served.Untold} more, too many to show", Style.Dim));
                continue;
            }
            line.Column(served.Method, isShort ? 4 : 7)
                .Column(string.Create(CultureInfo.InvariantCulture, $"{served.Status}"), 3, served.Status switch { >= 500 => Style.Bad, >= 400 => Style.Warning, >= 200 and < 300 => Style.Good, _ => Style.Plain }, isRight: true);
            if (!isShort) line.Column(Duration(served.Duration), 8, isRight: true, gap: 2);
            if (view.Tunnels.Count > 1 && width >= WideWidth) line.Column(served.Local, 24, Style.Dim, gap: 2);
            Add(line.Add(served.Target));
        }
    }

    private void AddLeftOut()
    {
        Add(New(Margin).Add("networks that are not used", Style.Bold));
        foreach (var left in view.LeftOut)
        {
            var first = true;
            foreach (var part in TerminalText.Wrap(TerminalText.Clean(left.Why, terminal.IsUnicode), Math.Max(10, width - Margin - NameWidth - 11)))
            {
                var line = New(Margin).Column(first ? left.Name : "", NameWidth).Column(first ? Kind(left.Medium) : "", 8);
                Add(line.Add(part));
                first = false;
            }
        }
        if (view.LeftOut.Count == 0) Add(New(Margin).Add("Every network of this machine is used."));
    }

    private void AddPauses()
    {
        Add(New(Margin).Add("pause a network, or use it again", Style.Bold));
        for (var i = 0; i < view.Paths.Count; i++)
        {
            var path = view.Paths[i];
            var (state, style) = State(path);
            Add(New(Margin).Column(i < 9 ? string.Create(CultureInfo.InvariantCulture, $"{i + 1}") : "", 2, Style.Bold).Column(path.Name, NameWidth).Column(Kind(path.Medium), 8).Add(state, style));
        }
        if (view.Paths.Count == 0) Add(New(Margin).Add("There is no network yet."));
        AddBlank();
        Add(New(Margin).Add("What a paused network has under way goes over the others; with all of them paused, connections wait."));
    }

    private void AddModes()
    {
        Add(New(Margin).Add("how the networks are used together", Style.Bold));
        for (var i = 0; i < BondModes.All.Count; i++)
        {
            var (mode, name, what) = BondModes.All[i];
            var isChosen = mode == view.Mode;
            Add(New(Margin).Column(string.Create(CultureInfo.InvariantCulture, $"{i + 1}"), 2, Style.Bold).Column(name, 14, isChosen ? Style.Good : Style.Plain).Add(isChosen ? "now: " : "").Add(what));
        }
    }

    private void AddHelp()
    {
        foreach (var (key, what) in ScreenKeys.Help) Add(New(Margin).Column(key, 9, Style.Bold).Add(what));
        AddBlank();
        Add(New(Margin).Add("up is towards visitors, down from them. bytes and share count from the start."));
        Add(New(Margin).Add("A network that falls silent costs nothing: what was on it goes over the others."));
    }

    private void AddQrCode()
    {
        var url = view.Tunnels[view.OverlayTunnel].Url;
        var room = height - 1;
        if (url is null || ScreenKeys.IsForThisMachineOnly(url))
        {
            AddTitle();
            AddTunnels();
            Add(New(Margin).Add(url is null ? "There is no URL yet." : "Only this machine can open this URL; there is nothing to scan."));
        }
        else if (url.Length > QrCode.MaxLength)
        {
            AddTitle();
            AddTunnels();
            Add(New(Margin).Add("The URL is too long for a QR code."));
        }
        else if (!terminal.IsUnicode || QrCode.Render(url, width - 1, room, terminal) is not { } code)
        {
            AddTitle();
            AddTunnels();
            Add(New(Margin).Add(terminal.IsUnicode ? $"The QR code needs a larger window: {QrCode.SizeOf(url).Columns} columns and {QrCode.SizeOf(url).Rows + 1} rows." : "The QR code needs a terminal that shows UTF-8."));
        }
        else
        {
            if (code.Count + 2 <= room) Add(New(Margin).Add(url, Style.Accent));
            if (code.Count + 4 <= room) AddBlank(isAlways: true);
            foreach (var line in code) _lines.Add(line);
        }
    }

    private string Footer()
    {
        if (!view.HasKeys) return New(Margin).Add("Ctrl-C quits", Style.Dim).ToString();
        if (view.Overlay != Overlay.None)
        {
            var first = view.Overlay switch
            {
                Overlay.QrCode when view.Tunnels.Count > 1 => "c next URL",
                Overlay.Pause or Overlay.Mode => "a number chooses",
                _ => null,
            };
            return New(Margin).Add(first is null ? "any key goes back" : $"{first}   any other key goes back", Style.Dim).ToString();
        }
        var line = New(Margin);
        foreach (var (key, what) in ScreenKeys.Footer)
        {
            if (line.Columns + key.Length + what.Length + 4 > width) break;
            line.Add(key, Style.Bold).Add($" {what}   ", Style.Dim);
        }
        return line.ToString();
    }

    // Never the last column: a cursor that waits there would have the rest of the line erased under it.
    private Line New(int margin) => new Line(width - 1, terminal).Blank(margin);

    private void Add(Line line) => _lines.Add(line.ToString());

    private void AddBlank(bool isAlways = false)
    {
        if (isAlways || IsRoomy) _lines.Add("");
    }

    /// <summary>The last seconds drawn together to what there is room for, the newest last. Each second stays with the ones it was first drawn with.</summary>
    private List<double> Buckets(IReadOnlyList<double> history)
    {
        var buckets = new List<double>();
        if (HistoryWidth <= 0) return buckets;
        var each = (HistorySeconds + HistoryWidth - 1) / HistoryWidth;
        var length = (int)(view.Seconds % each) is var begun and > 0 ? begun : each;
        for (var end = history.Count; end > 0 && buckets.Count < HistoryWidth; (end, length) = (end - length, each))
        {
            var sum = 0.0;
            for (var i = Math.Max(0, end - length); i < end; i++) sum += history[i];
            buckets.Insert(0, sum / length);
        }
        return buckets;
    }

    private string Sparkline(IReadOnlyList<double> values, double scale)
    {
        var marks = terminal.IsUnicode ? "▁▂▃▄▅▆▇█" : "_.-=+*%#";
        return string.Concat(Enumerable.Repeat(' ', Math.Max(0, HistoryWidth - values.Count)))
            + string.Concat(values.Select(value => value <= 0 ? ' ' : marks[Math.Clamp((int)(value / scale * marks.Length), 0, marks.Length - 1)]));
    }

    private static string Kind(InterfaceMedium medium) => medium switch
    {
        InterfaceMedium.Ethernet => "Ethernet",
        InterfaceMedium.WiFi => "Wi-Fi",
        InterfaceMedium.Phone => "phone",
        InterfaceMedium.Mobile => "mobile",
        InterfaceMedium.Vpn => "VPN",
        InterfaceMedium.Virtual => "virtual",
        InterfaceMedium.Loopback => "loopback",
        _ => "other",
    };

    private static string Clock(DateTimeOffset at) => at.ToString("HH:mm:ss", CultureInfo.InvariantCulture);

    private static string Milliseconds(TimeSpan span) => span.TotalMilliseconds < 1000
        ? span.TotalMilliseconds.ToString("0.0", CultureInfo.InvariantCulture)
        : span.TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture);

    private static string Rate(double bitsPerSecond) => bitsPerSecond switch
    {
        <= 0 => "0",
        < 1e5 => "<0.1",
        < 1e9 => (bitsPerSecond / 1e6).ToString("0.0", CultureInfo.InvariantCulture),
        _ => (bitsPerSecond / 1e6).ToString("0", CultureInfo.InvariantCulture),
    };

    private static string Duration(TimeSpan span) => span.TotalSeconds switch
    {
        < 10 => span.TotalMilliseconds.ToString("0 ms", CultureInfo.InvariantCulture),
        < 600 => span.TotalSeconds.ToString("0.0 s", CultureInfo.InvariantCulture),
        _ => span.TotalMinutes.ToString("0 min", CultureInfo.InvariantCulture),
    };

    /// <summary>Bytes for people: 12 B, 3.4 kB, 1.2 MB.</summary>
    public static string Size(long bytes) => bytes switch
    {
        < 1000 => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0} kB"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.0} MB"),
        < 1_000_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.00} GB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e12:0.00} TB"),
    };

    /// <summary>A time that passes, to the second below an hour.</summary>
    public static string Span(TimeSpan span) => span switch
    {
        { TotalMinutes: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{(int)span.TotalSeconds} s"),
        { TotalHours: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{span.Minutes} min {span.Seconds:00} s"),
        { TotalDays: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{span.Hours} h {span.Minutes:00} min"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{(int)span.TotalDays} d {span.Hours} h"),
    };
}

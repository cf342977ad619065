using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>The live screen as a person meets it: in a terminal, while networks fail.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "normal")]
public sealed class ScreenTests : IAsyncDisposable
{
    private static readonly string Program = Environment.GetEnvironmentVariable("BONDLINE_PROGRAM") ?? Path.Combine(AppContext.BaseDirectory, "bondline");

    private const string QrCodeCorner = "██ ▄▄▄▄▄ █"; // a finder pattern's upper edge

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-screen-");
    private TmuxTerminal? _terminal;

    [Fact]
    public async Task A_failing_network_is_told_in_plain_words_at_every_size()
    {
        await using var lab = await BondedLab.StartAsync(new() { Links = [LinkOptions.Symmetric("eth0", 40, 10), LinkOptions.Symmetric("usb0", 20, 40)] });
        using var service = lab.Network.Laptop.Run(() => Listen());
        using var over = new CancellationTokenSource();
        var serving = ServeAsync(service, over.Token);
        var terminal = _terminal = await TmuxTerminal.StartAsync(80, 24);
        var settings = string.Join(' ', lab.AgentEnvironment.Select(variable => $"{variable.Key}='{variable.Value}'"));
        await terminal.TypeAsync($"stty -a >{_folder}/before; clear");
        await terminal.TypeAsync($"ip netns exec {lab.Network.Laptop} env {settings} {Program} http {PortOf(service)} --name shop --paths eth0,usb0; echo ov''er");
        var before = await terminal.WaitForAsync(
            screen => screen.Contains("http://shop.lab.test:8000", StringComparison.Ordinal) && Row(screen, "eth0").Contains("active", StringComparison.Ordinal) && Row(screen, "usb0").Contains("active", StringComparison.Ordinal),
            "the URL and both networks active");
        before = await terminal.WaitForAsync(screen => screen.Contains("✓ 10.77.100.1:8443 takes visitors for this agent", StringComparison.Ordinal), "the checks of the start");
        Assert.All(before.Split('\n'), line => Assert.InRange(line.Length, 0, 80));
        Assert.Equal("1", await terminal.AskAsync("alternate_on"));
        Assert.Equal("0", await terminal.AskAsync("cursor_flag"));

        using (var visitor = Visit(lab, "/hello?from=test")) await ReadToEndAsync(visitor);
        await terminal.WaitForAsync(screen => screen.Contains("/hello?from=test", StringComparison.Ordinal) && screen.Contains("1 so far", StringComparison.Ordinal), "the request");

        using var download = Visit(lab, "/endless");
        var reading = ReadToEndAsync(download);
        await terminal.WaitForAsync(screen => Megabits(Row(screen, "eth0")) > 20 && Megabits(Row(screen, "usb0")) > 8, "both networks carrying the download");
        var recorded = Path.Combine(_folder.FullName, "recorded");
        await terminal.RecordAsync(recorded);
        var watch = Stopwatch.StartNew();
        await lab.Network["eth0"].SilenceAsync();
        var during = await terminal.WaitForAsync(
            screen => screen.Contains("! eth0 went silent, ", StringComparison.Ordinal) && screen.Contains(" moved to usb0, nothing lost", StringComparison.Ordinal) && !Row(screen, "eth0").Contains("active", StringComparison.Ordinal),
            "eth0 silent, its bytes moved");
        Assert.Contains("since ", Row(during, "eth0"), StringComparison.Ordinal);

        await terminal.ResizeAsync(200, 60);
        var wide = await terminal.WaitForAsync(screen => screen.Contains("last minute", StringComparison.Ordinal) && screen.Contains("bytes", StringComparison.Ordinal), "the wide screen");
        Assert.Equal(1, wide.Split('\n').Count(line => line.Contains("RTT ms", StringComparison.Ordinal))); // nothing of the small one is left
        Assert.Contains("since ", Row(wide, "eth0"), StringComparison.Ordinal);
        Assert.Contains(" moved to usb0, nothing lost", wide, StringComparison.Ordinal);
        await terminal.ResizeAsync(1, 1);
        await terminal.ResizeAsync(40, 10);
        await terminal.WaitForAsync(screen => screen.Contains("shop.lab.test", StringComparison.Ordinal) && screen.Split('\n').All(line => line.Length <= 40) && !screen.Contains("Mbit/s", StringComparison.Ordinal), "the small screen");
        for (var width = 41; width <= 80; width++) await terminal.ResizeAsync(width, 24); // as a hand drags it
        await lab.Network["eth0"].HealAsync();
        await terminal.WaitForAsync(screen => screen.Contains("✓ eth0 is back", StringComparison.Ordinal) && Row(screen, "eth0").Contains("active", StringComparison.Ordinal), "eth0 back");
        Assert.False(reading.IsCompleted, "the download went on");
        var written = await File.ReadAllTextAsync(recorded);
        var resizes = written.Split("\e[2J").Length - 1;
        Measured.Record("the screen while a network fails", string.Create(CultureInfo.InvariantCulture, $"{written.Length} characters written in {watch.Elapsed.TotalSeconds:0.0} s, with {resizes} resizes"));
        Assert.InRange(resizes, 2, 43); // all of it is written anew then, and not whenever something changed
        Assert.InRange(written.Length, 1, 4000 * resizes + 3000 * watch.Elapsed.TotalSeconds);

        await terminal.PressAsync("p");
        await terminal.WaitForAsync(screen => screen.Contains("2  usb0", StringComparison.Ordinal), "the networks with numbers");
        await terminal.PressAsync("2");
        await terminal.WaitForAsync(screen => screen.Contains("○ paused", StringComparison.Ordinal), "usb0 paused");
        await terminal.PressAsync("Escape");
        await terminal.WaitForAsync(
            screen => Row(screen, "usb0").Contains("○ paused", StringComparison.Ordinal) && screen.Contains("usb0 was paused", StringComparison.Ordinal) && Megabits(Row(screen, "eth0")) > 20, "usb0 paused, eth0 alone");
        foreach (var key in (string[])["p", "2", "Escape"]) await terminal.PressAsync(key);
        await terminal.WaitForAsync(screen => screen.Contains("✓ usb0 is back", StringComparison.Ordinal) && Megabits(Row(screen, "usb0")) > 8, "usb0 carrying again");
        await terminal.PressAsync("m");
        await terminal.WaitForAsync(screen => screen.Contains("now: all networks at once", StringComparison.Ordinal), "the modes");
        await terminal.PressAsync("4");
        await terminal.WaitForAsync(
            screen => screen.Contains("bondline  backup-only", StringComparison.Ordinal) && screen.Contains("mode backup-only", StringComparison.Ordinal)
                && Math.Min(Megabits(Row(screen, "eth0")), Megabits(Row(screen, "usb0"))) < 1 && Math.Max(Megabits(Row(screen, "eth0")), Megabits(Row(screen, "usb0"))) > 8
                && Row(screen, "eth0").Contains("active", StringComparison.Ordinal) && Row(screen, "usb0").Contains("active", StringComparison.Ordinal),
            "one network carrying all of it");
        Assert.False(reading.IsCompleted, "the download went on");

        await terminal.PressAsync("c");
        await terminal.WaitForAsync(screen => screen.Contains(QrCodeCorner, StringComparison.Ordinal), "the QR code");
        await terminal.PressAsync("c");
        await terminal.PressAsync("?");
        await terminal.WaitForAsync(screen => screen.Contains("draw the screen again", StringComparison.Ordinal), "the help");
        await terminal.PressAsync("Escape");
        await terminal.WaitForAsync(screen => screen.Contains("requests", StringComparison.Ordinal), "the screen again");

        await terminal.PressAsync("C-c");
        await terminal.PressAsync("C-c");
        download.Dispose();
        await Assert.ThrowsAnyAsync<Exception>(() => reading);
        await AssertGivenBackAsync();
        await over.CancelAsync();
        service.Dispose();
        await serving;
    }

    [Fact]
    public async Task A_machine_of_the_local_network_opens_the_URL_of_a_first_try()
    {
        await using var lab = await BondedLab.StartAsync(new() { Links = [LinkOptions.Symmetric("eth0", 40, 10)] });
        await IpAsync(lab.Network.Laptop, $"link add lan0 type veth peer name lan0 netns {lab.Network.Relay.Name}");
        foreach (var (inside, address) in new[] { (lab.Network.Laptop, "192.168.77.20/24"), (lab.Network.Relay, "192.168.77.30/24") })
        {
            await IpAsync(inside, $"addr add {address} dev lan0");
            await IpAsync(inside, "link set lan0 up");
        }
        using var service = lab.Network.Laptop.Run(() => Listen());
        using var over = new CancellationTokenSource();
        var serving = ServeAsync(service, over.Token);
        var terminal = _terminal = await TmuxTerminal.StartAsync(80, 24);
        await terminal.TypeAsync($"clear; ip netns exec {lab.Network.Laptop} env XDG_CONFIG_HOME={_folder} {Program} http {PortOf(service)} --lan");
        var code = await terminal.WaitForAsync(screen => screen.Contains("http://192.168.77.20:", StringComparison.Ordinal) && screen.Contains(QrCodeCorner, StringComparison.Ordinal), "the URL and its QR code");
        var url = new Uri(code.Split('\n').First(line => line.Contains("http://", StringComparison.Ordinal)).Trim());
        using var phone = lab.Network.Relay.Run(() => // a neighbour on lan0
        {
            var visitor = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            visitor.Connect(IPAddress.Parse(url.Host), url.Port);
            return visitor;
        });
        await phone.SendAsync(Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: {url.Authority}\r\nConnection: close\r\n\r\n"));
        Assert.EndsWith("hello", await ReadTextAsync(phone), StringComparison.Ordinal);
        await terminal.PressAsync("Space");
        await terminal.WaitForAsync(screen => screen.Contains("1 so far", StringComparison.Ordinal) && screen.Contains("Machines of this network", StringComparison.Ordinal), "the screen with the request");
        await over.CancelAsync();
        await serving;

        static async Task IpAsync(Linux.NetworkNamespace inside, string arguments) => (await LabProcess.RunAsync(inside, "ip", arguments.Split(' '))).ThrowIfFailed($"ip {arguments}");
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("HUP")]
    [InlineData("QUIT")]
    public async Task However_it_is_ended_the_terminal_is_as_before(string signal)
    {
        var terminal = await StartAloneAsync("");
        await terminal.TypeAsync(""); // nothing may be shown of it
        await LabProcess.RunAsync(null, "sh", ["-c", $"kill -{signal} $(cat {_folder}/pid)"]);
        await AssertGivenBackAsync();
    }

    [Fact]
    public async Task It_steps_aside_for_the_shell_and_comes_back()
    {
        var terminal = await StartAloneAsync("");
        await terminal.PressAsync("C-z");
        await AssertGivenBackAsync();
        await terminal.TypeAsync("clear; fg; echo ov''er");
        await terminal.WaitForAsync(screen => screen.Contains("quit", StringComparison.Ordinal) && screen.Contains("requests", StringComparison.Ordinal), "the screen again");
        await terminal.PressAsync("q");
        var left = await AssertGivenBackAsync();
        Assert.Contains("0 requests, ", left, StringComparison.Ordinal); // the summary
    }

    [Fact]
    public async Task After_a_kill_what_the_manual_says_gives_the_terminal_back()
    {
        var terminal = await StartAloneAsync("");
        await LabProcess.RunAsync(null, "sh", ["-c", $"kill -KILL $(cat {_folder}/pid)"]);
        await terminal.TypeAsync("tput rmcup; reset; echo re''ady");
        await terminal.WaitForAsync(screen => screen.Contains("ready\n", StringComparison.Ordinal), "an answer of the shell");
        Assert.Equal("0", await terminal.AskAsync("alternate_on"));
        Assert.Equal("1", await terminal.AskAsync("cursor_flag"));
        Assert.Equal("1", await terminal.AskAsync("wrap_flag"));
        await terminal.TypeAsync($"stty -a >{_folder}/after; echo do''ne");
        await terminal.WaitForAsync(screen => screen.Contains("done\n", StringComparison.Ordinal), "an answer of the shell");
        var mode = await File.ReadAllTextAsync(Path.Combine(_folder.FullName, "after"));
        Assert.All((string[])["icanon", "echo", "ixon"], each => Assert.Contains($" {each} ", mode, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("", " | cat", "")]
    [InlineData("", " | head -n 1", "")]
    [InlineData("TERM=dumb ", "", "")]
    [InlineData("", "", "--quiet")]
    [InlineData("", "", "--json")]
    public async Task Where_lines_are_wanted_there_is_no_screen(string environment, string pipe, string option)
    {
        var terminal = _terminal = await TmuxTerminal.StartAsync(200, 30);
        await terminal.TypeAsync($"{environment}XDG_CONFIG_HOME={_folder} script -qfc '{Program} http 1 {option}{pipe}' {_folder}/seen");
        await terminal.WaitForAsync(screen => screen.Contains(".localhost:", StringComparison.Ordinal), "the URL");
        Assert.Equal("0", await terminal.AskAsync("alternate_on"));
        await terminal.PressAsync("C-c");
        await terminal.WaitForAsync(screen => screen.TrimEnd().EndsWith('$'), "the prompt");
        Assert.DoesNotContain("\e[", await File.ReadAllTextAsync(Path.Combine(_folder.FullName, "seen")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_colour_and_utf8_it_is_plain()
    {
        var terminal = await StartAloneAsync("LC_ALL=C NO_COLOR=1 ");
        var screen = await terminal.LookWithCodesAsync();
        Assert.All(screen, each => Assert.True(char.IsAscii(each)));
        Assert.DoesNotMatch("\e\\[[39][0-7]", screen);
        Assert.Contains("->", screen, StringComparison.Ordinal);
        await terminal.PressAsync("C-c");
        await AssertGivenBackAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_terminal is not null) await _terminal.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    /// <summary>An agent with a relay in its process.</summary>
    private async Task<TmuxTerminal> StartAloneAsync(string environment)
    {
        var terminal = _terminal = await TmuxTerminal.StartAsync(80, 24);
        await terminal.TypeAsync($"stty -a >{_folder}/before; clear");
        await terminal.TypeAsync($"{environment}XDG_CONFIG_HOME={_folder} sh -c 'ulimit -c 0; echo $$ >{_folder}/pid; exec {Program} http 1'; echo ov''er");
        await terminal.WaitForAsync(screen => screen.Contains("takes visitors", StringComparison.Ordinal), "the screen");
        return terminal;
    }

    /// <summary>The shell has its terminal again, in the mode it had.</summary>
    private async Task<string> AssertGivenBackAsync()
    {
        var left = await _terminal!.WaitForAsync(screen => screen.Contains("\nover\n", StringComparison.Ordinal), "the end of the command");
        Assert.Equal("0", await _terminal.AskAsync("alternate_on"));
        Assert.Equal("1", await _terminal.AskAsync("cursor_flag"));
        await _terminal.TypeAsync($"stty -a >{_folder}/after; echo do''ne");
        await _terminal.WaitForAsync(screen => screen.Contains("\ndone", StringComparison.Ordinal), "an answer of the shell");
        Assert.Equal(await File.ReadAllTextAsync(Path.Combine(_folder.FullName, "before")), await File.ReadAllTextAsync(Path.Combine(_folder.FullName, "after")));
        return left;
    }

    private static string Row(string screen, string name) => screen.Split('\n').FirstOrDefault(line => line.StartsWith($"  {name} ", StringComparison.Ordinal)) ?? "";

    /// <summary>The rate up in a network's row.</summary>
    private static double Megabits(string row) =>
        row.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, _, _, "active", _, var up, ..] && double.TryParse(up, CultureInfo.InvariantCulture, out var rate) ? rate : 0;

    private static Socket Listen()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        return listener;
    }

    private static int PortOf(Socket socket) => ((IPEndPoint)socket.LocalEndPoint!).Port;

    private static Socket Visit(BondedLab lab, string target)
    {
        var socket = lab.Network.Relay.Run(() =>
        {
            var visitor = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            visitor.Connect(LabNetwork.Address, BondedLab.HttpPort);
            return visitor;
        });
        socket.Send(Encoding.ASCII.GetBytes($"GET {target} HTTP/1.1\r\nHost: shop.lab.test:8000\r\nConnection: close\r\n\r\n"));
        return socket;
    }

    private static async Task ReadToEndAsync(Socket socket)
    {
        var buffer = new byte[64 << 10];
        while (await socket.ReceiveAsync(buffer) > 0) { }
    }

    private static async Task<string> ReadTextAsync(Socket socket)
    {
        using var reader = new StreamReader(new NetworkStream(socket));
        return await reader.ReadToEndAsync();
    }

    /// <summary>A web service: "hello", or bytes without end.</summary>
    private static async Task ServeAsync(Socket listener, CancellationToken stop)
    {
        try
        {
            while (true) _ = AnswerAsync(await listener.AcceptAsync(stop));
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // the test is over
        }

        static async Task AnswerAsync(Socket connection)
        {
            using (connection)
            {
                try
                {
                    var buffer = new byte[64 << 10];
                    while (await connection.ReceiveAsync(buffer) is var length and > 0)
                    {
                        var isEndless = Encoding.ASCII.GetString(buffer, 0, length).StartsWith("GET /endless", StringComparison.Ordinal);
                        await connection.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {(isEndless ? 1L << 40 : 5)}\r\n\r\n{(isEndless ? "" : "hello")}"));
                        while (isEndless) await connection.SendAsync(buffer);
                    }
                }
                catch (SocketException)
                {
                    // the visitor has left
                }
            }
        }
    }
}

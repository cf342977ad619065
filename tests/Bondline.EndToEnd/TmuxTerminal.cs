using System.Globalization;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>A terminal that a test types into and looks at: a shell in tmux, on a server of its own.</summary>
internal sealed class TmuxTerminal : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20), LookEvery = TimeSpan.FromMilliseconds(50);

    private static int _started;

    private readonly string _server = string.Create(CultureInfo.InvariantCulture, $"bondline-{Environment.ProcessId}-{Interlocked.Increment(ref _started)}");

    private TmuxTerminal() { }

    /// <summary>Opens one with a shell that waits for a command.</summary>
    public static async Task<TmuxTerminal> StartAsync(int width, int height)
    {
        var terminal = new TmuxTerminal();
        await terminal.RunAsync("new-session", "-d", "-x", $"{width}", "-y", $"{height}", "env", "PS1=$ ", "LC_ALL=C.UTF-8", "sh");
        await terminal.WaitForAsync(screen => screen.Contains('$', StringComparison.Ordinal), "a shell's prompt");
        return terminal;
    }

    /// <summary>Types a line.</summary>
    public async Task TypeAsync(string line)
    {
        await RunAsync("send-keys", "-l", line);
        await PressAsync("Enter");
    }

    /// <summary>Presses a key by tmux's name for it.</summary>
    public Task PressAsync(string key) => RunAsync("send-keys", key);

    public Task ResizeAsync(int width, int height) => RunAsync("resize-window", "-x", $"{width}", "-y", $"{height}");

    /// <summary>What it shows now, a line each.</summary>
    public Task<string> LookAsync() => RunAsync("capture-pane", "-p");

    /// <summary>What it shows now, with the codes for colours.</summary>
    public Task<string> LookWithCodesAsync() => RunAsync("capture-pane", "-p", "-e");

    /// <summary>Writes whatever programs send to it from now on to <paramref name="file"/> too.</summary>
    public Task RecordAsync(string file) => RunAsync("pipe-pane", "-O", $"cat >'{file}'");

    /// <summary>A value of tmux's own about it, as <c>alternate_on</c> or <c>cursor_flag</c>.</summary>
    public async Task<string> AskAsync(string what) => (await RunAsync("display-message", "-p", $"#{{{what}}}")).Trim();

    /// <summary>Looks until it shows what is waited for.</summary>
    /// <returns>What it shows then.</returns>
    public async Task<string> WaitForAsync(Func<string, bool> holds, string what)
    {
        using var late = new CancellationTokenSource(Patience);
        using var timer = new PeriodicTimer(LookEvery);
        var screen = "";
        try
        {
            while (!holds(screen = await LookAsync())) await timer.WaitForNextTickAsync(late.Token);
            return screen;
        }
        catch (OperationCanceledException)
        {
            throw new LabException($"The terminal did not show within {Patience.TotalSeconds} s: {what}. It shows:\n{screen}");
        }
    }

    public async ValueTask DisposeAsync() => await LabProcess.RunAsync(null, "tmux", ["-L", _server, "kill-server"]);

    private async Task<string> RunAsync(params string[] arguments) =>
        (await LabProcess.RunAsync(null, "tmux", ["-L", _server, "-u", "-f", "/dev/null", .. arguments])).ThrowIfFailed($"tmux {arguments[0]}").Output;
}

using System.Diagnostics;
using System.Text;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>How long somebody waits who has just typed a command. The bounds are for the native program.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "normal")]
public sealed class StartTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-start-");

    [Fact]
    public async Task Help_comes_within_50_ms()
    {
        var median = await MedianAsync("bondline --help, median of 9, ms", 9, 50, async () =>
        {
            using var process = Start(AttackedRelay.Program, "--help");
            await UntilAsync(process, "--version");
        });
        Assert.InRange(median, 0, 50);
    }

    [Theory]
    [InlineData("in plain lines")]
    [InlineData("on the screen")]
    public async Task A_URL_comes_within_300_ms(string where)
    {
        var median = await MedianAsync($"bondline http to its URL {where}, median of 5, ms", 5, 300, async () =>
        {
            using var process = where == "on the screen" ? Start("script", "-qfc", $"exec '{AttackedRelay.Program}' http 1", "/dev/null") : Start(AttackedRelay.Program, "http", "1");
            await UntilAsync(process, ".localhost:");
        });
        Assert.InRange(median, 0, 300);
    }

    [Fact]
    public async Task With_every_port_taken_it_says_so()
    {
        var result = await LabProcess.RunAsync(null, "unshare", ["--net", "sh", "-c", $"ip link set lo up; echo 40000 40000 >/proc/sys/net/ipv4/ip_local_port_range; exec '{AttackedRelay.Program}' http 1"]);
        Assert.Equal(7, result.ExitCode);
        Assert.StartsWith("error: the system has no port left to listen on: ", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("--https-port", result.Error, StringComparison.Ordinal); // "http" has no such option
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private Process Start(string file, params string[] arguments)
    {
        var start = new ProcessStartInfo(file, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        (start.Environment["XDG_CONFIG_HOME"], start.Environment["TERM"]) = (_folder.FullName, "xterm-256color");
        start.Environment.Remove("BONDLINE_RELAY");
        return Process.Start(start)!;
    }

    /// <summary>Reads what it prints until <paramref name="text"/> has come, and ends it.</summary>
    private static async Task UntilAsync(Process process, string text)
    {
        using var late = new CancellationTokenSource(Patience);
        var (seen, buffer) = (new StringBuilder(), new byte[4096]);
        while (!seen.ToString().Contains(text, StringComparison.Ordinal))
        {
            var count = await process.StandardOutput.BaseStream.ReadAsync(buffer, late.Token);
            if (count == 0) throw new LabException($"{process.StartInfo.FileName} ended without \"{text}\":\n{seen}");
            seen.Append(Encoding.ASCII.GetString(buffer, 0, count));
        }
        process.Kill(); // of "script", too, the program hears: its terminal is gone
    }

    private static Task<double> MedianAsync(string what, int times, double most, Func<Task> run) => Measured.UndisturbedAsync(
        what,
        async () =>
        {
            var taken = new List<double>();
            for (var i = 0; i < times; i++)
            {
                var began = Stopwatch.GetTimestamp();
                await run();
                taken.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            }
            return Math.Round(taken.Order().ElementAt(times / 2), 1);
        },
        median => median <= most);
}

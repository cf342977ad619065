using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>A program and whoever started it find everything as if <c>bondline run</c> were not there.</summary>
[Trait("Mode", "normal")]
public sealed class RunTransparencyTests(RunWorld world) : IClassFixture<RunWorld>, IAsyncDisposable
{
    private TmuxTerminal? _terminal;

    [Theory]
    [InlineData("", false)]
    [InlineData("--quiet", true)]
    public async Task A_program_starts_in_the_same_state(string option, bool takesPlace)
    {
        foreach (var before in (string[])["ulimit -Sn 1000; ulimit -Sc 0", "trap '' HUP INT USR1; umask 027; exec 7</etc/passwd 9>/dev/null; cd /", "exec <&-", "exec <&- >&- 2>&-"])
        {
            string plain = world.InFolder("plain"), under = world.InFolder("under");
            File.Delete(plain);
            File.Delete(under);
            var program = $"/usr/bin/python3 {world.Sample("state.py")}";
            // printf makes an argument that is not UTF-8, and an empty one.
            await RunWorld.CheckedAsync(world.Inside, "bash", "-c", $"{before}; {program} {plain} $'\\xff\\xfe' '' --json -- 'a b'; true");
            await RunWorld.CheckedAsync(world.Inside, "bash", "-c", $"{before}; {world.Bondline} run {option} -- {program} {under} $'\\xff\\xfe' '' --json -- 'a b'; true");
            Assert.Equal(Comparable(await File.ReadAllTextAsync(plain)), Comparable(await File.ReadAllTextAsync(under)));
        }
        var ids = (await LabProcess.RunAsync(world.Inside, "bash", ["-c", $"echo $$; exec {world.Bondline} run {option} -- sh -c 'echo $$'"])).Output.Split('\n');
        Assert.Equal(takesPlace, ids[0] == ids[1]);

        // Each command has a group, a session and standard streams of its own here.
        static string Comparable(string state) => string.Join('\n', state.Split('\n').Where(line => !line.StartsWith("group ", StringComparison.Ordinal) && !line.StartsWith("session ", StringComparison.Ordinal)
            && !line.StartsWith("descriptor 0 pipe", StringComparison.Ordinal) && !line.StartsWith("descriptor 1 ", StringComparison.Ordinal) && !line.StartsWith("descriptor 2 ", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("--quiet")]
    public async Task Standard_streams_and_the_exit_code_are_the_programs(string option)
    {
        var result = await world.RunAsync(["run", .. Options(option), "--", "sh", "-c", "cat; echo to the error >&2; exit 37"], "in and out\n");
        Assert.Equal((37, "in and out\n"), (result.ExitCode, result.Output));
        Assert.StartsWith("to the error\n", result.Error, StringComparison.Ordinal);
        Assert.Equal(option.Length > 0, result.Error == "to the error\n");
    }

    [Theory]
    [InlineData("")]
    [InlineData("--quiet")]
    public async Task A_stream_that_the_program_closes_is_closed(string option)
    {
        // The first cat ends while the program still runs: its last word waits for the second one.
        var word = world.InFolder("word" + option);
        var script = $"mkfifo {word}; cat < <(exec {world.Bondline} run {option} -- sh -c 'exec >&- 7>&-; echo last >{word}' 7>&1); cat {word}";
        using var late = new CancellationTokenSource(RunWorld.Limit);
        Assert.Equal("last\n", (await LabProcess.RunAsync(world.Inside, "bash", ["-c", script], stop: late.Token)).Output);
    }

    [Theory]
    [InlineData("", "TERM")]
    [InlineData("", "SEGV")]
    [InlineData("", "KILL")]
    [InlineData("--quiet", "ABRT")]
    public async Task A_signal_that_ends_the_program_is_what_ended_it(string option, string signal)
    {
        // Python says what wait(2) said.
        var result = await LabProcess.RunAsync(world.Inside, "/usr/bin/python3", ["-c", $"import subprocess; print(-subprocess.call({Python([world.Bondline, "run", .. Options(option), "--", "sh", "-c", $"kill -s {signal} $$"])}))"]);
        Assert.Equal((await LabProcess.RunAsync(null, "sh", ["-c", $"kill -l {signal} 2>/dev/null || bash -c 'kill -l {signal}'"])).Output, result.Output);
    }

    [Theory]
    [InlineData("")]
    [InlineData("--quiet")]
    public async Task Signals_reach_the_program(string option)
    {
        await using var process = world.Start(["run", .. Options(option), "--", "bash", "-c", "for s in HUP INT QUIT USR1 USR2 TERM; do trap \"echo $s\" $s; done; echo ready; while true; do read -t 0.05 || true; done"]);
        await process.WaitForLineAsync("ready", RunWorld.Limit);
        foreach (var signal in (string[])["HUP", "USR1", "USR2", "INT", "QUIT", "TERM"])
        {
            await process.SignalAsync(signal);
            await process.WaitForLineAsync(signal, RunWorld.Limit);
        }
    }

    [Fact]
    public async Task Signals_that_were_ignored_at_the_start_reach_a_program_that_handles_them()
    {
        await using var process = LabProcess.Start(world.Inside, "bash", ["-c", $"trap '' HUP INT QUIT USR1 TERM; exec {world.Bondline} run -- /usr/bin/python3 {world.Sample("handle.py")}"]);
        await process.WaitForLineAsync("ready", RunWorld.Limit);
        foreach (var signal in (string[])["HUP", "INT", "QUIT", "USR1", "USR2", "TERM"])
        {
            await process.SignalAsync(signal);
            await process.WaitForLineAsync(signal, RunWorld.Limit);
        }
    }

    [Fact]
    public async Task In_bondlines_place_it_has_no_child_that_it_does_not_know()
    {
        var result = await world.RunAsync(["run", "--quiet", "--", "/usr/bin/python3", "-c", "import os\ntry: print(os.wait())\nexcept ChildProcessError: print('none')"]);
        Assert.Equal("none\n", result.Output);
    }

    [Theory]
    [InlineData("")]
    [InlineData("--quiet")]
    public async Task What_outlives_the_program_opens_MPTCP_sockets_still_and_then_nothing_is_left(string option)
    {
        string go = world.InFolder("go" + option), answer = world.InFolder("answer" + option);
        await RunWorld.CheckedAsync(null, "mkfifo", go);
        var result = await world.RunAsync(["run", .. Options(option), "--", "sh", "-c", $"(setsid sh -c 'read x <{go}; curl -s -o {answer} {world.Url}; echo done >{go}' >/dev/null 2>&1 </dev/null &); exit 5"]);
        Assert.Equal(5, result.ExitCode);
        Assert.Single(await AnswerersAsync());
        await RunWorld.CheckedAsync(null, "sh", "-c", $"echo >{go}; read x <{go}");
        Assert.Equal("over MPTCP\n", await File.ReadAllTextAsync(answer));
        using var late = new CancellationTokenSource(RunWorld.Limit);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while ((await AnswerersAsync()).Length > 0) await timer.WaitForNextTickAsync(late.Token);
    }

    [Fact]
    public async Task Keys_reach_the_program_and_the_shell_gets_its_terminal_back()
    {
        var terminal = _terminal = await TmuxTerminal.StartAsync(100, 30);
        await terminal.TypeAsync($"PS1='> '; stty -a >{world.InFolder("before")}; clear");
        await terminal.TypeAsync($"ip netns exec {world.Inside} {world.Bondline} run -- bash -c 'trap \"echo inter''rupted\" INT; test -t 0 && test -t 1 && echo on a termi''nal; until read line; do :; done; echo \"re''ad $line\"; sleep 100'; echo \"ended by $?\"");
        await terminal.WaitForAsync(screen => screen.Contains("on a terminal", StringComparison.Ordinal), "the program on its terminal");
        await terminal.PressAsync("C-c");
        await terminal.WaitForAsync(screen => screen.Contains("interrupted", StringComparison.Ordinal), "Ctrl-C at the program");
        await terminal.PressAsync("C-z");
        await terminal.WaitForAsync(screen => screen.Contains("Stopped", StringComparison.Ordinal) && screen.TrimEnd().EndsWith('>'), "the shell, after Ctrl-Z");
        await terminal.TypeAsync("fg");
        await terminal.TypeAsync("typed");
        await terminal.WaitForAsync(screen => screen.Contains("read typed", StringComparison.Ordinal), "the line, read by the program that was continued");
        await terminal.PressAsync("C-c"); // now sleep gets it, and bash's trap
        var over = await terminal.WaitForAsync(screen => screen.TrimEnd().EndsWith('>') && screen.Contains("bondline run: bash made no TCP sockets.", StringComparison.Ordinal), "the shell again, and the report");
        Assert.Equal(2, over.Split("interrupted\n").Length - 1); // each key once
        await terminal.TypeAsync($"stty -a >{world.InFolder("after")}; echo writ''ten");
        await terminal.WaitForAsync(screen => screen.Contains("written", StringComparison.Ordinal), "an answer of the shell");
        Assert.Equal(await File.ReadAllTextAsync(world.InFolder("before")), await File.ReadAllTextAsync(world.InFolder("after")));
    }

    [Fact]
    public async Task What_a_program_sends_in_the_foreground_of_a_terminal_is_not_taken_for_a_key()
    {
        var terminal = _terminal = await TmuxTerminal.StartAsync(100, 30);
        var script = world.InFolder("trap.sh");
        await File.WriteAllTextAsync(script, "trap 'echo quit' QUIT; trap 'echo interrupted; exit 3' INT; echo ready; while true; do sleep 0.05; done\n");
        await terminal.TypeAsync($"ip netns exec {world.Inside} /usr/bin/python3 {world.Sample("send.py")} {world.Bondline} run -- bash {script}");
        await terminal.WaitForAsync(screen => screen.Contains("interrupted 3", StringComparison.Ordinal), "what the program answered to SIGQUIT and SIGINT");
    }

    [Fact]
    public async Task A_program_that_stops_itself_is_a_stopped_job()
    {
        var terminal = _terminal = await TmuxTerminal.StartAsync(100, 30);
        await terminal.TypeAsync("PS1='> '; clear");
        await terminal.TypeAsync($"ip netns exec {world.Inside} {world.Bondline} run --json -- sh -c 'kill -STOP $$; echo conti''nued'");
        await terminal.WaitForAsync(screen => screen.Contains("Stopped", StringComparison.Ordinal), "a stopped job");
        await terminal.TypeAsync("fg");
        await terminal.WaitForAsync(screen => screen.Contains("continued", StringComparison.Ordinal) && screen.Contains("\"exitCode\":0", StringComparison.Ordinal), "its end");
    }

    public async ValueTask DisposeAsync()
    {
        if (_terminal is not null) await _terminal.DisposeAsync();
    }

    /// <summary>The processes that answer for programs of this world.</summary>
    private async Task<string[]> AnswerersAsync() =>
        [.. (await LabProcess.RunAsync(null, "ps", ["-eo", "args"])).Output.Split('\n').Where(line => line.Contains(world.InFolder("program"), StringComparison.Ordinal) && line.Contains("--answer", StringComparison.Ordinal))];

    private static string[] Options(string option) => option.Length > 0 ? [option] : [];

    private static string Python(string[] words) => $"[{string.Join(", ", words.Select(word => $"'{word}'"))}]";
}

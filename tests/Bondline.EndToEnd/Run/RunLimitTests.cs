using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>Where MPTCP cannot be had the program runs all the same, and why is said.</summary>
[Trait("Mode", "normal")]
public sealed class RunLimitTests(RunWorld world) : IClassFixture<RunWorld>
{
    [Fact]
    public async Task A_program_that_runs_as_its_files_owner_keeps_its_rights_and_plain_sockets()
    {
        var result = await world.RunAsNobodyAsync("run", "--", world.Rights);
        Assert.Equal((0, $"runs as 0 for {RunWorld.Nobody}\n"), (result.ExitCode, result.Output));
        Assert.Equal(
            $"warning: {world.Rights} runs with plain TCP: it gets rights from its file (of another user, or capabilities), which Linux would take from it here. To have both, start bondline as root: sudo bondline run -- PROGRAM\n", result.Error);

        // Root has nothing to gain or to lose.
        result = await world.RunAsync(["run", "--json", "--", world.Rights]);
        Assert.Equal("runs as 0 for 0\n", result.Output);
        Assert.DoesNotContain("warning", result.Error, StringComparison.Ordinal);

        // And may start a program that gains: an ordinary user's shell, say.
        result = await world.RunAsync(["run", "--quiet", "--", "setpriv", .. RunWorld.AsNobody, world.Rights]);
        Assert.Equal(($"runs as 0 for {RunWorld.Nobody}\n", ""), (result.Output, result.Error));
    }

    [Fact]
    public async Task With_MPTCP_switched_off_it_runs_plainly()
    {
        await RunWorld.CheckedAsync(world.Inside, "sysctl", "-q", "net.mptcp.enabled=0");
        try
        {
            var result = await world.RunAsync(["run", "--", "sh", "-c", $"curl -s {world.Url}; exit 3"]);
            Assert.Equal((3, "over TCP\n"), (result.ExitCode, result.Output));
            Assert.Equal("warning: sh runs with plain TCP: MPTCP is switched off here; \"sudo bondline mptcp enable\" switches it on\n", result.Error);

            // Whoever reads objects waits for the one at the end.
            result = await world.RunAsync(["run", "--json", "--", "sh", "-c", $"curl -s {world.Url}; exit 3"]);
            Assert.Equal((3, "over TCP\n"), (result.ExitCode, result.Output));
            var report = RunWorld.Report(result);
            Assert.Equal(("sh", 3), (report.GetProperty("program").GetString(), report.GetProperty("exitCode").GetInt32()));
            Assert.Equal("MPTCP is switched off here; \"sudo bondline mptcp enable\" switches it on", report.GetProperty("obstacle").GetString());
            Assert.False(report.TryGetProperty("multipathSockets", out _));
            Assert.EndsWith("}\n", result.Error, StringComparison.Ordinal);
        }
        finally
        {
            await RunWorld.CheckedAsync(world.Inside, "sysctl", "-q", "net.mptcp.enabled=1");
        }
    }

    [Fact]
    public async Task Switched_off_while_it_runs_new_sockets_are_plain()
    {
        var result = await world.RunAsync(["run", "--json", "--", "sh", "-c", $"curl -s {world.Url}; sysctl -q net.mptcp.enabled=0; curl -s {world.Url}; sysctl -q net.mptcp.enabled=1; curl -s {world.Url}"]);
        Assert.Equal("over MPTCP\nover TCP\nover MPTCP\n", result.Output);
        var report = RunWorld.Report(result);
        Assert.Equal((2, 1), (report.GetProperty("multipathSockets").GetInt64(), report.GetProperty("plainSockets").GetInt64()));
        Assert.Equal("1 the kernel gave no MPTCP socket", report.GetProperty("plainReasons")[0].GetString());
    }

    [Fact]
    public async Task Where_a_sandbox_forbids_seccomp_it_runs_plainly()
    {
        // systemd's way to forbid a call, with the error it has.
        const string Forbid = """
            import ctypes, os, struct, sys
            code = b"".join(struct.pack("HBBI", *i) for i in ((0x20, 0, 0, 0), (0x15, 0, 1, 317), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)))
            library = ctypes.CDLL(None)
            text = ctypes.create_string_buffer(code)
            program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(text)))
            assert library.prctl(38, 1, 0, 0, 0) == 0 and library.prctl(22, 2, program) == 0
            os.execv(sys.argv[1], sys.argv[1:])
            """;
        var result = await LabProcess.RunAsync(world.Inside, "/usr/bin/python3", ["-c", Forbid, world.Bondline, "run", "--", "curl", "-s", world.Url]);
        Assert.Equal((0, "over TCP\n"), (result.ExitCode, result.Output));
        Assert.Equal("warning: curl runs with plain TCP: a sandbox forbids seccomp(2) here\n", result.Error);
    }

    [Fact]
    public async Task Where_proc_shows_other_processes_it_runs_plainly()
    {
        var result = await LabProcess.RunAsync(world.Inside, "unshare", ["--pid", "--fork", world.Bondline, "run", "--", "curl", "-s", world.Url]);
        Assert.Equal((0, "over TCP\n"), (result.ExitCode, result.Output));
        Assert.StartsWith("warning: curl runs with plain TCP: there is no /proc here, or that of other processes", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Within_another_one_it_leaves_the_sockets_to_that()
    {
        var result = await world.RunAsync(["run", "--json", "--", world.Bondline, "run", "--", "curl", "-s", world.Url]);
        Assert.Equal("over MPTCP\n", result.Output);
        Assert.DoesNotContain("warning", result.Error, StringComparison.Ordinal);
        Assert.StartsWith("bondline run: curl is in another bondline run already, which makes its sockets.\n", result.Error, StringComparison.Ordinal);
        Assert.False(RunWorld.Report(result).TryGetProperty("obstacle", out _)); // of the outer one
        result = await world.RunAsync(["run", "--quiet", "--", world.Bondline, "run", "--json", "--", "curl", "-s", world.Url]);
        Assert.Equal("it is in another bondline run already, which makes its sockets", RunWorld.Report(result).GetProperty("obstacle").GetString());
    }

    [Fact]
    public async Task A_socket_is_in_the_network_namespace_of_the_program()
    {
        // The server there can be reached only from there.
        const string Inner = "ip link set lo up; $0 run --quiet -- /usr/bin/python3 -m http.server --bind 127.0.0.1 8099 >/dev/null 2>&1 & until curl -s -o /dev/null -w '%{http_code}\\n' http://127.0.0.1:8099/; do sleep 0.05; done; ss -Htln 'sport = :8099' | wc -l; kill %1";
        var result = await world.RunAsync(["run", "--json", "--", "unshare", "--net", "bash", "-c", Inner, world.Bondline]);
        Assert.Equal("200\n1\n", string.Concat(result.Output.Split('\n').Where(line => line is "200" or "1").Select(line => line + "\n")));
        Assert.Equal(0, RunWorld.Report(result).GetProperty("plainSockets").GetInt64());
        Assert.DoesNotContain(":8099", (await LabProcess.RunAsync(world.Inside, "ss", ["-Htln"])).Output, StringComparison.Ordinal);

        // Without the right to enter it the call is made plainly, there.
        result = await world.RunAsNobodyAsync("run", "--json", "--", "unshare", "--user", "--map-root-user", "--net", "sh", "-c", $"curl -s {world.Url} || echo not from there");
        Assert.Equal("not from there\n", result.Output);
        Assert.Contains("a network namespace that is not ours to enter", RunWorld.Report(result).GetProperty("plainReasons")[0].GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_belongs_to_the_user_the_program_has_become()
    {
        const string Owner = "import os, socket; made = socket.socket(); print(made.getsockopt(1, 38), os.fstat(made.fileno()).st_uid, os.fstat(made.fileno()).st_gid)";
        var result = await world.RunAsync(["run", "--json", "--", "setpriv", "--reuid=1234", "--regid=4321", "--clear-groups", "/usr/bin/python3", "-c", Owner]);
        Assert.Equal("262 1234 4321\n", result.Output);
        // And as ever when it has not.
        result = await world.RunAsync(["run", "--json", "--", "/usr/bin/python3", "-c", Owner]);
        Assert.Equal("262 0 0\n", result.Output);
    }

    [Fact]
    public async Task What_cannot_be_started_ends_as_in_a_shell()
    {
        await File.WriteAllTextAsync(world.InFolder("script"), "echo without a first line $1\n");
        await File.WriteAllTextAsync(world.InFolder("broken"), "#!/no/such/interpreter\n");
        await RunWorld.CheckedAsync(null, "chmod", "a+x", world.InFolder("script"), world.InFolder("broken"));
        foreach (var option in (string[][])[[], ["--quiet"]])
        {
            Assert.Equal("without a first line one\n", (await world.RunAsync(["run", .. option, "--", world.InFolder("script"), "one"])).Output);
            Assert.Equal(127, (await world.RunAsync(["run", .. option, "--", world.InFolder("broken")])).ExitCode);
            Assert.Equal(127, (await world.RunAsync(["run", .. option, "--", "no-such-program"])).ExitCode);
            Assert.Equal(126, (await world.RunAsync(["run", .. option, "--", "/etc"])).ExitCode);
            Assert.Equal(126, (await world.RunAsync(["run", .. option, "--", "/etc/passwd"])).ExitCode);
        }
    }
}

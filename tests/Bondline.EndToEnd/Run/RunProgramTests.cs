using System.Net;
using System.Net.Sockets;
using Bondline.Lab;
using Bondline.Linux;

namespace Bondline.EndToEnd;

/// <summary>Programs of every kind under <c>bondline run</c>: what each of them opened, the server and the kernel say.</summary>
[Trait("Mode", "normal")]
public sealed class RunProgramTests(RunWorld world) : IClassFixture<RunWorld>
{
    [Theory]
    [InlineData("curl")]
    [InlineData("C")]
    [InlineData("Node")]
    [InlineData("Python")]
    public Task A_client_speaks_MPTCP(string kind) => AssertMultipathAsync(kind switch
    {
        "curl" => ["curl", "--silent", world.Url],
        "C" => [world.StaticFetch, "127.0.0.1", world.Port],
        "Node" => ["node", world.Sample("fetch.mjs"), "127.0.0.1", world.Port],
        _ => ["/usr/bin/python3", world.Sample("fetch.py"), "127.0.0.1", world.Port],
    });

    [Fact]
    [Trait("Mode", "long")]
    public async Task A_Go_program_without_C_library_speaks_MPTCP()
    {
        var program = world.InFolder("fetch-go");
        (await LabProcess.RunAsync(null, "env", ["CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOPROXY=off", $"GOCACHE={world.InFolder("go")}", "go", "build", "-o", program, world.Sample("fetch.go")])).ThrowIfFailed("go build");
        Assert.Contains("not a dynamic executable", (await LabProcess.RunAsync(null, "ldd", [program])).Error, StringComparison.Ordinal);
        await AssertMultipathAsync([program, "127.0.0.1", world.Port]);
    }

    [Fact]
    public async Task Everything_a_program_starts_speaks_MPTCP()
    {
        var result = await world.RunAsync(["run", "--json", "--", "sh", "-c", $"curl -s {world.Url} & (exec {world.StaticFetch} 127.0.0.1 {world.Port}) | tail -n 1 & curl -s {world.Url}; wait"]);
        Assert.Equal("over MPTCP\nover MPTCP\nover MPTCP\n", result.Output);
        var report = RunWorld.Report(result);
        Assert.Equal((3, 0, 3), (report.GetProperty("multipathSockets").GetInt64(), report.GetProperty("plainSockets").GetInt64(), report.GetProperty("connections").GetInt64()));
    }

    [Fact]
    public async Task A_server_takes_MPTCP_and_plain_TCP()
    {
        await using var server = world.Start("run", "--json", "--", "/usr/bin/python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "0");
        var said = await server.WaitForLineAsync("Serving HTTP on", RunWorld.Limit);
        var address = new IPEndPoint(IPAddress.Loopback, int.Parse(said.Split("port ")[1].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture));
        using (var multipath = world.Inside.Run(() => MultipathSocket.TryCreate(AddressFamily.InterNetwork)!))
        {
            await multipath.ConnectAsync(address);
            Assert.True(MultipathSocket.IsMultipath(multipath));
        }
        Assert.Equal("200\n", (await LabProcess.RunAsync(world.Inside, "curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", $"http://{address}/"])).Output);
        await server.SignalAsync("INT"); // no terminal, so it comes from somebody and is passed on
        var result = await server.WaitAsync();
        var report = RunWorld.Report(result);
        Assert.Equal((1, 0), (report.GetProperty("connectionsTaken").GetInt64(), report.GetProperty("takenFellBack").GetInt64()));
    }

    [Fact]
    public async Task Ssh_and_its_server_speak_MPTCP()
    {
        foreach (var key in (string[])["host", "id"]) await RunWorld.CheckedAsync(null, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", world.InFolder(key));
        Directory.CreateDirectory("/run/sshd"); // sshd insists on it
        await File.WriteAllLinesAsync(world.InFolder("sshd.conf"),
        [
            "Port 2222", "ListenAddress 127.0.0.1", $"HostKey {world.InFolder("host")}", $"AuthorizedKeysFile {world.InFolder("id.pub")}", "StrictModes no", "PermitRootLogin yes", "UsePAM no", "PidFile none",
        ]);
        await using var server = world.Start("run", "--json", "--", "/usr/sbin/sshd", "-D", "-e", "-f", world.InFolder("sshd.conf"));
        await server.WaitForErrorAsync(error => error.Contains("listening", StringComparison.Ordinal), "that sshd listens", RunWorld.Limit);
        var result = await world.RunAsync(
            ["run", "--json", "--", "ssh", "-F", "none", "-p", "2222", "-i", world.InFolder("id"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "root@127.0.0.1",
            "cat; ss -Htn state established '( sport = :2222 )' -i; exit 42"], "through it\n");
        Assert.Equal(42, result.ExitCode);
        Assert.StartsWith("through it\n", result.Output, StringComparison.Ordinal);
        Assert.Contains("tcp-ulp-mptcp", result.Output, StringComparison.Ordinal); // the server's end, seen by another tool
        var report = RunWorld.Report(result);
        Assert.Equal((1, 0, 1), (report.GetProperty("connections").GetInt64(), report.GetProperty("fellBack").GetInt64(), report.GetProperty("multipathSockets").GetInt64()));
        await server.SignalAsync("TERM");
        var ended = await server.WaitAsync();
        Assert.Equal(1, RunWorld.Report(ended).GetProperty("connectionsTaken").GetInt64());
    }

    [Fact]
    public async Task Ten_thousand_sockets_are_counted_one_by_one()
    {
        var result = await world.RunAsync(["run", "--json", "--", "/usr/bin/python3", world.Sample("sockets.py"), "10000"]);
        Assert.Equal(0, result.ExitCode);
        var report = RunWorld.Report(result);
        Assert.Equal((10_000, 0), (report.GetProperty("multipathSockets").GetInt64(), report.GetProperty("plainSockets").GetInt64()));
    }

    [Fact]
    public async Task UDP_and_Unix_sockets_are_never_asked_about()
    {
        var result = await world.RunAsync(["run", "--json", "--", "/usr/bin/python3", world.Sample("sockets.py"), "others"]);
        Assert.Equal(0, result.ExitCode);
        var report = RunWorld.Report(result);
        Assert.Equal((0, 0), (report.GetProperty("multipathSockets").GetInt64(), report.GetProperty("plainSockets").GetInt64()));
    }

    [Fact]
    public async Task Sockets_have_what_was_asked_for_and_mistakes_are_the_kernels_to_refuse()
    {
        string[] program = ["/usr/bin/python3", world.Sample("sockets.py"), "flags"];
        var plain = await LabProcess.RunAsync(world.Inside, program[0], program[1..]);
        var result = await world.RunAsync(["run", "--json", "--", .. program]);
        Assert.Equal(plain.Output, result.Output);
        Assert.Equal(16, RunWorld.Report(result).GetProperty("multipathSockets").GetInt64());
    }

    [Fact]
    public async Task A_full_table_of_files_is_the_same_error()
    {
        string[] program = ["/usr/bin/python3", world.Sample("sockets.py"), "full"];
        var plain = await LabProcess.RunAsync(world.Inside, program[0], program[1..]);
        var result = await world.RunAsync(["run", "--json", "--", .. program]);
        Assert.StartsWith("24 ", plain.Output, StringComparison.Ordinal); // EMFILE
        Assert.Equal(plain.Output, result.Output);
        Assert.Equal(1, RunWorld.Report(result).GetProperty("plainSockets").GetInt64());
    }

    /// <summary>Plainly over TCP; under <c>bondline run</c> over MPTCP, for root and for a user without any right.</summary>
    private async Task AssertMultipathAsync(string[] program)
    {
        Assert.EndsWith("over TCP\n", (await LabProcess.RunAsync(world.Inside, program[0], program[1..])).Output, StringComparison.Ordinal);
        foreach (var result in new[] { await world.RunAsync(["run", "--json", "--", .. program]), await world.RunAsNobodyAsync(["run", "--json", "--", .. program]) })
        {
            Assert.True(result.ExitCode == 0, result.Error);
            Assert.EndsWith("over MPTCP\n", result.Output, StringComparison.Ordinal);
            var report = RunWorld.Report(result);
            Assert.Equal((1, 0, 0), (report.GetProperty("connections").GetInt64(), report.GetProperty("fellBack").GetInt64(), report.GetProperty("plainSockets").GetInt64()));
            Assert.True(report.GetProperty("multipathSockets").GetInt64() >= 1, result.Error);
        }
        // In bondline's place it is the same.
        Assert.EndsWith("over MPTCP\n", (await world.RunAsync(["run", "--quiet", "--", .. program])).Output, StringComparison.Ordinal);
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using Xunit;

namespace Bondline.Cli.Tests;

/// <summary>What only separate processes can show: instances, kills, signals.</summary>
public sealed class ProcessTests : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("bondline-processes-").FullName;
    private readonly string _address = string.Create(CultureInfo.InvariantCulture, $"127.{RandomNumberGenerator.GetInt32(1, 255)}.{RandomNumberGenerator.GetInt32(256)}.{RandomNumberGenerator.GetInt32(1, 255)}");
    private readonly TestHost _relay = new();
    private readonly List<Process> _started = [];

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _started)
        {
            if (!process.HasExited) process.Kill();
            process.Dispose();
        }
        await _relay.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Killed_and_started_again_an_agent_has_its_port_and_a_second_one_gets_another()
    {
        await StartRelayAsync();
        var port = UnusedPort();
        var first = Start("tcp", port);
        var url = await ReadyUrlAsync(first);
        var second = Start("tcp", port);
        Assert.NotEqual(url, await ReadyUrlAsync(second));

        first.Kill();
        await first.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(url, await ReadyUrlAsync(Start("tcp", port)));
    }

    [Theory]
    [InlineData("stats --watch")]
    [InlineData("stats --watch --json")]
    [InlineData("connections --watch")]
    public Task What_only_shows_things_ends_when_nobody_reads_them_any_more(string command) => EndsWithItsReaderAsync(command);

    [Fact]
    [Trait("Mode", "normal")] // root's
    public Task What_waits_for_events_ends_when_nobody_reads_them_any_more() => EndsWithItsReaderAsync("monitor --json");

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public async Task A_signal_ends_it_with_success(string signal)
    {
        await StartRelayAsync();
        var agent = Start("tcp", UnusedPort());
        await ReadyUrlAsync(agent);
        using var kill = Process.Start("kill", [$"-{signal}", agent.Id.ToString(CultureInfo.InvariantCulture)]);
        await agent.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(0, agent.ExitCode);
    }

    [Fact]
    public async Task A_result_that_cannot_be_written_is_an_error()
    {
        var start = new ProcessStartInfo("sh", ["-c", "exec \"$0\" --help >/dev/full", Program]) { RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var said = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(20));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal((1, "error: not all of it could be written to standard output: No space left on device (output-failed). More: bondline help output-failed\n"), (process.ExitCode, said));
    }

    [Fact]
    public async Task A_tunnel_goes_on_where_nothing_it_says_can_be_written()
    {
        await StartRelayAsync();
        using var service = new TcpListener(IPAddress.Loopback, 0);
        service.Start();
        var start = new ProcessStartInfo("sh", ["-c", "exec \"$0\" \"$@\" >/dev/full 2>/dev/full", Program, "tcp", $"{((IPEndPoint)service.LocalEndpoint).Port}", "--remote-port", "7055", "--verbose", "--stats"]);
        start.Environment["BONDLINE_RELAY"] = Join;
        start.Environment["XDG_CONFIG_HOME"] = _folder;
        _started.Add(Process.Start(start)!);
        using var visitor = await ConnectAsync();
        for (var connections = 0; connections < 2; connections++) // the agent looks first whether somebody listens
        {
            var served = await service.AcceptTcpClientAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(20));
            await served.GetStream().WriteAsync("hello"u8.ToArray(), TestContext.Current.CancellationToken);
        }
        await visitor.GetStream().ReadExactlyAsync(new byte[5], TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(20));
        Assert.False(_started[0].HasExited);

        async Task<TcpClient> ConnectAsync()
        {
            using var late = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            while (true)
            {
                var client = new TcpClient();
                try
                {
                    await client.ConnectAsync(_address, 7055, late.Token);
                    return client;
                }
                catch (SocketException) when (!_started[0].HasExited) // not yet
                {
                    client.Dispose();
                    await Task.Yield();
                }
            }
        }
    }

    private async Task StartRelayAsync()
    {
        _relay.Start("relay", "--json", "--listen", _address, "--https-port", "8443", "--http-port", "8000", "--tcp-ports", "7000-7099", "--data", Path.Combine(_folder, "relay"));
        Join = (await _relay.ErrorLineAsync("Join URL: "))["Join URL: ".Length..];
    }

    private static string Program => Path.Combine(AppContext.BaseDirectory, "bondline");

    private string Join { get; set; } = "";

    private Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Program, [.. arguments, "--json"]) { RedirectStandardOutput = true };
        start.Environment["BONDLINE_RELAY"] = Join;
        start.Environment["XDG_CONFIG_HOME"] = _folder;
        var process = Process.Start(start)!;
        _started.Add(process);
        return process;
    }

    private static async Task<string> ReadyUrlAsync(Process agent)
    {
        var printed = new List<string>();
        while (await agent.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(20)) is { } line)
        {
            printed.Add(line);
            using var json = JsonDocument.Parse(line);
            if (json.RootElement.GetProperty("event").GetString() == "ready") return json.RootElement.GetProperty("url").GetString()!;
        }
        throw new InvalidOperationException($"The agent ended before it was ready:\n{string.Join('\n', printed)}");
    }

    private static string UnusedPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
    }

    private async Task EndsWithItsReaderAsync(string command)
    {
        var start = new ProcessStartInfo("bash", ["-c", $"\"$0\" mptcp {command} | true; echo ${{PIPESTATUS[0]}}", Path.Combine(AppContext.BaseDirectory, "bondline")]) { RedirectStandardOutput = true };
        var process = Process.Start(start)!;
        _started.Add(process);
        Assert.Equal("0\n", await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(20)));
    }
}

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>Ctrl-C as a shell sends it, to a relay with a request under way.</summary>
[Collection(typeof(OneAtATime))]
public sealed class RelayStopTests : IAsyncDisposable
{
    private const string Heard = "Stopping: requests under way have 2 s ";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-relay-stop-");
    private readonly TcpListener _service = new(IPAddress.Loopback, 0);
    private readonly TcpClient _visitor = new();
    private LabProcess? _relay, _agent;

    [Fact]
    public async Task The_first_lets_a_request_finish()
    {
        var (relay, asked) = await StartAskedAsync();
        await relay.InterruptAsync(Heard);
        await asked.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"u8.ToArray());
        Assert.EndsWith("hello", await new StreamReader(_visitor.GetStream(), Encoding.ASCII).ReadToEndAsync().WaitAsync(Patience), StringComparison.Ordinal);
        Assert.Equal(0, (await relay.EndAsync()).ExitCode);
    }

    [Fact]
    public async Task The_second_ends_at_once()
    {
        var (relay, _) = await StartAskedAsync();
        await relay.InterruptAsync(Heard);
        var watch = Stopwatch.StartNew();
        await relay.SignalAsync("INT");
        Assert.Equal(130, (await relay.EndAsync()).ExitCode);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(1), $"{watch.Elapsed}, and the request alone would have had two seconds");
    }

    public async ValueTask DisposeAsync()
    {
        if (_agent is not null) await _agent.DisposeAsync();
        if (_relay is not null) await _relay.DisposeAsync();
        _visitor.Dispose();
        _service.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <returns>The relay, and the service's end of a request that waits for its answer.</returns>
    private async Task<(LabProcess Relay, Socket Asked)> StartAskedAsync()
    {
        _service.Start();
        var data = Path.Combine(_folder.FullName, "relay");
        _relay = LabProcess.Start(null, AttackedRelay.Program, ["relay", "--json", "--listen", "127.0.0.1", "--https-port", "0", "--http-port", "0", "--tcp-ports", "0", "--data", data]);
        await _relay.WaitForLineAsync("\"listening\"", Patience);
        var join = (await LabProcess.RunAsync(null, AttackedRelay.Program, ["relay", "token", "create", "test", "--data", data])).ThrowIfFailed("bondline relay token create").Output.Trim();
        _agent = LabProcess.Start(
            null, AttackedRelay.Program, ["http", $"{((IPEndPoint)_service.LocalEndpoint).Port}", "--json"], new Dictionary<string, string> { ["BONDLINE_RELAY"] = join, ["XDG_CONFIG_HOME"] = _folder.FullName });
        using (await _service.AcceptSocketAsync()) { } // the look before "ready"
        using var ready = JsonDocument.Parse(await _agent.WaitForLineAsync("\"ready\"", Patience));
        var url = new Uri(ready.RootElement.GetProperty("url").GetString()!);
        await _visitor.ConnectAsync(url.Host, url.Port);
        await _visitor.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: {url.Authority}\r\nConnection: close\r\n\r\n"));
        var asked = await _service.AcceptSocketAsync();
        Assert.NotEqual(0, await asked.ReceiveAsync(new byte[4096]));
        return (_relay, asked);
    }
}

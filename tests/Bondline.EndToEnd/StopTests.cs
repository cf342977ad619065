using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>Ctrl-C as a shell sends it, to an agent with its own relay whose visitor is connected.</summary>
[Collection(typeof(OneAtATime))]
public sealed class StopTests : IAsyncDisposable
{
    private const string Heard = "Stopping: 1 connection has ";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-stop-");
    private readonly TcpListener _service = new(IPAddress.Loopback, 0);
    private readonly TcpClient _visitor = new();
    private LabProcess? _agent;

    [Fact]
    public async Task The_first_lets_connections_finish()
    {
        var agent = await StartVisitedAsync();
        await agent.InterruptAsync(Heard);
        await AssertEchoAsync(2);
        var stream = _visitor.GetStream();
        _visitor.Client.Shutdown(SocketShutdown.Send);
        Assert.Equal(0, await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(Patience));
        Assert.Equal(0, (await agent.EndAsync()).ExitCode);
    }

    [Fact]
    public async Task The_second_ends_at_once()
    {
        var agent = await StartVisitedAsync();
        await agent.InterruptAsync(Heard);
        var watch = Stopwatch.StartNew();
        await agent.SignalAsync("INT");
        Assert.Equal(130, (await agent.EndAsync()).ExitCode);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(1), $"{watch.Elapsed}, and the connection alone would have had two seconds");
        var reset = await Assert.ThrowsAsync<IOException>(() => _visitor.GetStream().ReadAsync(new byte[1]).AsTask().WaitAsync(Patience));
        Assert.Equal(SocketError.ConnectionReset, Assert.IsType<SocketException>(reset.InnerException).SocketErrorCode);
    }

    public async ValueTask DisposeAsync()
    {
        if (_agent is not null) await _agent.DisposeAsync();
        _visitor.Dispose();
        _service.Dispose();
        _folder.Delete(recursive: true);
    }

    private async Task<LabProcess> StartVisitedAsync()
    {
        _service.Start();
        _ = EchoAsync();
        var port = ((IPEndPoint)_service.LocalEndpoint).Port;
        _agent = LabProcess.Start(null, AttackedRelay.Program, ["tcp", $"{port}", "--json"], new Dictionary<string, string> { ["XDG_CONFIG_HOME"] = _folder.FullName });
        using var ready = JsonDocument.Parse(await _agent.WaitForLineAsync("\"ready\"", Patience));
        var url = new Uri(ready.RootElement.GetProperty("url").GetString()!);
        await _visitor.ConnectAsync(url.Host, url.Port);
        await AssertEchoAsync(1);
        return _agent;
    }

    private async Task AssertEchoAsync(byte value)
    {
        var bytes = new[] { value };
        await _visitor.GetStream().WriteAsync(bytes);
        bytes[0] = 0;
        await _visitor.GetStream().ReadExactlyAsync(bytes).AsTask().WaitAsync(Patience);
        Assert.Equal(value, bytes[0]);
    }

    private async Task EchoAsync()
    {
        try
        {
            while (true) _ = EchoAsync(await _service.AcceptTcpClientAsync());
        }
        catch (Exception over) when (over is SocketException or ObjectDisposedException)
        {
            // the test is over
        }

        static async Task EchoAsync(TcpClient client)
        {
            using (client)
            {
                try
                {
                    await client.GetStream().CopyToAsync(client.GetStream());
                }
                catch (IOException)
                {
                    // reset
                }
            }
        }
    }
}

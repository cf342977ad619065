using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Bondline.Benchmarks;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>A web tunnel has its name back when the agent or the relay was killed; the port's turn is in <see cref="SurvivalTests"/>.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "normal")]
public sealed class NameTests : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(20), MostTime = TimeSpan.FromSeconds(2);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-names-");
    private readonly HttpListener _service = new();
    private readonly HttpClient _visitor = new();
    private readonly int _servicePort = LoopbackTunnels.FreePort(), _tlsPort = LoopbackTunnels.FreePort(), _httpPort = LoopbackTunnels.FreePort();
    private LabProcess? _relay, _agent;

    [Fact]
    public async Task A_killed_agent_has_its_name_back_in_under_two_seconds()
    {
        var url = await StartAllAsync();
        await KillAsync(_agent!);
        var watch = Stopwatch.StartNew();
        Assert.Equal(url, await StartAgentAsync());
        Assert.Equal(HttpStatusCode.OK, await VisitAsync(url));
        Assert.True(watch.Elapsed < MostTime, $"{watch.Elapsed}");
    }

    [Fact]
    public async Task A_killed_relay_serves_the_name_again_two_seconds_after_it_listens()
    {
        var url = await StartAllAsync();
        await KillAsync(_relay!);
        await StartRelayAsync();
        var watch = Stopwatch.StartNew();
        while (await VisitAsync(url) != HttpStatusCode.OK) Assert.True(watch.Elapsed < MostTime, $"{watch.Elapsed}");
        Assert.True(watch.Elapsed < MostTime, $"{watch.Elapsed}");
    }

    public async ValueTask DisposeAsync()
    {
        if (_agent is not null) await _agent.DisposeAsync();
        if (_relay is not null) await _relay.DisposeAsync();
        _service.Close();
        _visitor.Dispose();
        _folder.Delete(recursive: true);
    }

    private async Task<string> StartAllAsync()
    {
        _service.Prefixes.Add($"http://*:{_servicePort}/"); // the visitor's Host reaches it
        _service.Start();
        _ = ServeAsync();
        await StartRelayAsync();
        var join = await LabProcess.RunAsync(null, AttackedRelay.Program, ["relay", "token", "create", "names", "--data", Data, "--host", $"127.0.0.1:{_tlsPort}"]);
        await File.WriteAllTextAsync(JoinFile, join.ThrowIfFailed("bondline relay token create").Output.Trim());
        var url = await StartAgentAsync();
        Assert.Equal(HttpStatusCode.OK, await VisitAsync(url));
        return url;
    }

    private async Task StartRelayAsync()
    {
        _relay = LabProcess.Start(null, AttackedRelay.Program,
            ["relay", "--listen", "127.0.0.1", "--domain", "tunnels.test", "--https-port", $"{_tlsPort}", "--http-port", $"{_httpPort}", "--data", Data, "--json"]);
        await _relay.WaitForLineAsync("\"listening\"", StartLimit);
    }

    private async Task<string> StartAgentAsync()
    {
        _agent = LabProcess.Start(null, AttackedRelay.Program, ["http", $"{_servicePort}", "--relay", $"@{JoinFile}", "--json"], new Dictionary<string, string> { ["XDG_CONFIG_HOME"] = _folder.FullName });
        using var ready = JsonDocument.Parse(await _agent.WaitForLineAsync("\"ready\"", StartLimit));
        return ready.RootElement.GetProperty("url").GetString()!;
    }

    /// <summary>As DNS would lead there.</summary>
    private async Task<HttpStatusCode?> VisitAsync(string url)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{_httpPort}/") { Headers = { Host = new Uri(url).Authority } };
        try
        {
            using var answer = await _visitor.SendAsync(request);
            return answer.StatusCode;
        }
        catch (HttpRequestException)
        {
            return null; // the relay is not there
        }
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                var context = await _service.GetContextAsync();
                context.Response.Close("hello"u8.ToArray(), willBlock: false);
            }
        }
        catch (Exception over) when (over is HttpListenerException or ObjectDisposedException)
        {
            // the test is over
        }
    }

    private static async Task KillAsync(LabProcess process)
    {
        await process.SignalAsync("KILL");
        await process.DisposeAsync();
    }

    private string Data => Path.Combine(_folder.FullName, "relay");

    private string JoinFile => Path.Combine(_folder.FullName, "join");
}

using System.Diagnostics;
using System.Globalization;
using System.Text;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Relay.Tests;

/// <summary>HTTPS as visitors who installed the relay's root have it: curl, with nothing trusted but that.</summary>
public sealed class HttpsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("lab.test", "--http1.1", "1.1")]
    [InlineData("lab.test", "--http2", "2")]
    [InlineData("localhost", "--http2", "2")]
    public async Task The_root_that_relay_ca_prints_is_all_curl_needs(string domain, string option, string version)
    {
        await using var relay = await StartAsync(domain);
        await using var agent = new TestAgent(relay.CreateToken("test", "127.0.0.1"), ServeAsync, [new(1, TunnelKind.Http, "shop", Local: "3000")]);
        await agent.NextAsync<TunnelReady>();
        await File.WriteAllTextAsync(_folder["root.crt"], (await RelayRoot.ReadAsync(_folder.Path, Stop)).Pem, Stop);
        Assert.Equal($"hello {version} 200 0", await CurlAsync(relay, $"shop.{domain}", option, "--cacert", _folder["root.crt"]));
        Assert.EndsWith($" {version} 404 0", await CurlAsync(relay, domain, option, "--cacert", _folder["root.crt"]), StringComparison.Ordinal);
        Assert.EndsWith($" {version} 404 0", await CurlAsync(relay, "127.0.0.1", option, "--cacert", _folder["root.crt"]), StringComparison.Ordinal);
        Assert.EndsWith(" 0 000 60", await CurlAsync(relay, $"shop.{domain}", option), StringComparison.Ordinal); // the root matters
        Assert.EndsWith(" 0 000 60", await CurlAsync(relay, "bank.example", option, "--cacert", _folder["root.crt"]), StringComparison.Ordinal); // and so does the name
    }

    [Fact]
    public async Task The_root_and_the_agents_pin_stay_over_a_restart()
    {
        JoinUrl join;
        string pem;
        await using (var first = await StartAsync("lab.test"))
        {
            join = first.FirstJoinUrl!;
            pem = (await RelayRoot.ReadAsync(_folder.Path, Stop)).Pem;
        }
        await using var second = await StartAsync("lab.test");
        Assert.Equal(pem, (await RelayRoot.ReadAsync(_folder.Path, Stop)).Pem);
        await using var agent = new TestAgent(join with { Hosts = [new("127.0.0.1", second.Listening.Https.Port)] }, ServeAsync, [new(1, TunnelKind.Http, "shop", Local: "3000")]);
        await agent.NextAsync<TunnelReady>();
    }

    private async Task<RelayServer> StartAsync(string domain)
    {
        var relay = new RelayServer(TestRelay.Options with { Domain = domain, DataDirectory = _folder.Path });
        await relay.StartAsync(Stop);
        return relay;
    }

    private static async Task ServeAsync(Bondline.Transport.BondStream stream)
    {
        while ((await VisitedEdge.ReadHeadAsync(stream)).Length > 0) await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"u8.ToArray());
    }

    /// <summary>The body, the HTTP version, the status and curl's exit code.</summary>
    private static async Task<string> CurlAsync(RelayServer relay, string host, params string[] options)
    {
        var port = relay.Listening.Https.Port.ToString(CultureInfo.InvariantCulture);
        var start = new ProcessStartInfo("curl", ["-q", "--silent", "--max-time", "20", "--noproxy", "*", "--write-out", " %{http_version} %{http_code}", "--resolve", $"{host}:{port}:127.0.0.1", .. options, $"https://{host}:{port}/"]) { RedirectStandardOutput = true };
        using var curl = Process.Start(start)!;
        var output = new StringBuilder(await curl.StandardOutput.ReadToEndAsync(Stop));
        await curl.WaitForExitAsync(Stop);
        return output.Append(CultureInfo.InvariantCulture, $" {curl.ExitCode}").ToString();
    }
}

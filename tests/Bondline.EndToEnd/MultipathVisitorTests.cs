using System.Security.Cryptography;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>Visitors by Multipath TCP: the relay's listeners take it, so their connections live on when one of their own uplinks fails.</summary>
[Trait("Mode", "normal")]
public sealed class MultipathVisitorTests : IAsyncLifetime
{
    private const int Port = 9200, Bytes = 24_000_000, EnoughBytes = 2_000_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly LabOptions TwoUplinks = new() { Links = [LinkOptions.Symmetric("eth0", 40, 10), LinkOptions.Symmetric("wlan0", 40, 30)], UseMultipathTcp = true };

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-visitors-");
    private BondedLab _lab = null!;

    public async ValueTask InitializeAsync() => _lab = await BondedLab.StartAsync(TwoUplinks);

    public async ValueTask DisposeAsync()
    {
        await _lab.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_download_goes_on_when_the_visitors_first_uplink_goes_silent()
    {
        // The visitor is what sits behind the uplinks; agent and service are beside the relay.
        var network = _lab.Network;
        var service = network.Start(network.Relay, WebPrograms.Samples, "serve", $"{Port}", "none");
        await service.WaitForLineAsync("listening", Patience);
        await using var agent = LabProcess.Start(network.Relay, network.Program, ["http", $"{Port}", "--name", "shop", "--json"], _lab.AgentEnvironment);
        await agent.WaitForLineAsync("\"ready\"", Patience);
        var root = Path.Combine(_folder.FullName, "root.pem");
        await File.WriteAllTextAsync(root, await _lab.RootAsync());
        var (direct, downloaded) = (Path.Combine(_folder.FullName, "direct"), Path.Combine(_folder.FullName, "downloaded"));
        (await LabProcess.RunAsync(network.Relay, "curl", ["--silent", "--show-error", "--noproxy", "*", "--output", direct, $"http://127.0.0.1:{Port}/bytes/{Bytes}"])).ThrowIfFailed("curl of the service itself");

        var visitor = LabProcess.RunAsync(network.Laptop, "mptcpize",
            ["run", "curl", "--silent", "--show-error", "--max-time", "60", "--noproxy", "*", "--cacert", root, "--resolve", $"shop.lab.test:{BondedLab.TlsPort}:{LabNetwork.Address}",
                "--output", downloaded, $"https://shop.lab.test:{BondedLab.TlsPort}/bytes/{Bytes}"]);
        using var late = new CancellationTokenSource(Patience);
        while (await CarriedAsync("eth0") < EnoughBytes || await CarriedAsync("wlan0") < EnoughBytes)
            Assert.False(late.IsCancellationRequested || visitor.IsCompleted, $"eth0 carried {await CarriedAsync("eth0")} and wlan0 {await CarriedAsync("wlan0")} bytes");
        await network["eth0"].SilenceAsync();
        var before = await CarriedAsync("eth0") + await CarriedAsync("wlan0");
        (await visitor).ThrowIfFailed("curl under mptcpize");

        Assert.Equal(await HashAsync(direct), await HashAsync(downloaded));
        Assert.True(before < Bytes, $"all {Bytes} bytes had come before eth0 went silent");
        await _lab.Relay.WaitForLineAsync("\"multipathVisitors\":1,\"spreadVisitors\":1,\"mostVisitorSubflows\":2", Patience);

        async Task<long> CarriedAsync(string link) => (await network[link].CountersAsync()).Down.Bytes;
    }

    private static async Task<string> HashAsync(string file)
    {
        await using var stream = File.OpenRead(file);
        return Convert.ToHexString(await SHA256.HashDataAsync(stream));
    }
}

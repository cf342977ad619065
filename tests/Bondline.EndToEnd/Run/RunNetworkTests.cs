using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>Programs under <c>bondline run</c> over three links: what they used is what is said.</summary>
[Trait("Mode", "normal")]
public sealed class RunNetworkTests : IDisposable
{
    private const int Bytes = 5_000_000;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-run-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Every_link_that_is_set_up_is_used_and_any_other_is_named(bool isSetUp)
    {
        await using var network = await LabNetwork.StartAsync(new() { UseMultipathTcp = isSetUp });
        await File.WriteAllBytesAsync(Path.Combine(_folder.FullName, "file"), new byte[Bytes]);
        await using var server = LabProcess.Start(network.Relay, network.Program, ["run", "--json", "--", "/usr/bin/python3", "-u", "-m", "http.server", "--directory", _folder.FullName, "--bind", $"{LabNetwork.Address}", "0"]);
        var port = (await server.WaitForLineAsync("Serving HTTP on", RunWorld.Limit)).Split("port ")[1].Split(' ')[0];
        var client = await LabProcess.RunAsync(network.Laptop, network.Program, ["run", "--json", "--", "curl", "-s", "-o", "/dev/null", "-w", "%{size_download}", $"http://{LabNetwork.Address}:{port}/file"]);
        Assert.Equal($"{Bytes}\n", client.Output);
        await server.SignalAsync("TERM");
        var (report, taken) = (RunWorld.Report(client), RunWorld.Report(await server.WaitAsync()));
        Assert.Equal((1, 0, 1), (report.GetProperty("connections").GetInt64(), report.GetProperty("fellBack").GetInt64(), taken.GetProperty("connectionsTaken").GetInt64()));
        if (isSetUp)
        {
            Assert.Equal((2, 2), (report.GetProperty("subflows").GetInt64(), taken.GetProperty("subflowsTaken").GetInt64()));
            Assert.False(report.TryGetProperty("hints", out _));
            return;
        }
        Assert.Equal(0, report.GetProperty("subflows").GetInt64());
        var hint = report.GetProperty("hints")[0].GetString()!;
        Assert.All(network.Links, link => Assert.Contains(link.Name, hint, StringComparison.Ordinal));
        Assert.Contains("\"sudo bondline mptcp enable\"", hint, StringComparison.Ordinal);
    }
}

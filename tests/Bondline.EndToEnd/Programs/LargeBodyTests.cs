using Bondline.Benchmarks;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>curl with bodies of 5 GB, where no network limits it.</summary>
[Collection(typeof(OneAtATime))]
[Trait("Mode", "long")]
public sealed class LargeBodyTests
{
    private const long Bytes = 5_000_000_000;

    [Fact]
    public async Task Five_gigabytes_arrive_both_ways()
    {
        await using var service = LabProcess.Start(null, WebPrograms.Samples, ["serve", $"{WebPrograms.Port}", "none"]);
        await service.WaitForLineAsync("listening", TimeSpan.FromSeconds(20));
        await using var tunnels = await LoopbackTunnels.StartHttpAsync(AttackedRelay.Program, withSsh: false, WebPrograms.Port);
        var (direct, tunnel) = ($"http://127.0.0.1:{WebPrograms.Port}", $"http://127.0.0.1:{tunnels.Ours[0]}");
        var expected = await ShellAsync($"curl -sS --fail {direct}/bytes/{Bytes} | sha256sum | cut -d' ' -f1");
        Assert.Equal(expected, await ShellAsync($"curl -sS --fail {tunnel}/bytes/{Bytes} | sha256sum | cut -d' ' -f1"));
        Assert.Equal(expected, await ShellAsync($"curl -sS --fail {direct}/bytes/{Bytes} | curl -sS --fail --upload-file - {tunnel}/digest"));
        Measured.Record("5 GB both ways", $"agent {tunnels.Agent.ResidentBytes >> 20} MB, relay {tunnels.Relay.ResidentBytes >> 20} MB resident");
    }

    private static async Task<string> ShellAsync(string script) =>
        (await LabProcess.RunAsync(null, "bash", ["-o", "pipefail", "-c", script])).ThrowIfFailed(script).Output;
}

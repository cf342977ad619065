using System.Net;
using Bondline.Lab;

namespace Bondline.EndToEnd;

/// <summary>What both ends recorded while a link was silent happens again, and is explained.</summary>
[Trait("Mode", "normal")]
public sealed class RecordTests : IDisposable
{
    private static readonly IPEndPoint Service = new(IPAddress.Loopback, 9100);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bondline-record-");

    [Fact]
    public async Task A_silent_link_is_explained_from_the_records_of_both_ends()
    {
        string agentFile = Path.Combine(_folder.FullName, "agent.bond"), relayFile = Path.Combine(_folder.FullName, "relay.bond");
        await using (var lab = await BondedLab.StartAsync(new() { Links = [LinkOptions.Symmetric("eth0", 40, 10), LinkOptions.Symmetric("wlan0", 20, 20)] }))
        {
            await lab.Relay.DisposeAsync();
            lab.RelayArguments = ["--record", relayFile];
            await lab.StartRelayAsync();
            await lab.StartAgentAsync(1, ["tcp", $"{Service.Port}", "--record", agentFile]);
            await lab.WaitForAllPathsAsync();
            await using (var sender = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Laptop, new(TrafficRole.SendBulk) { Listen = Service }))
            await using (var receiver = await LabTraffic.StartAsync(lab.Network.Program, lab.Network.Relay, new(TrafficRole.ReceiveBulk) { Connect = lab.Visit(Service.Port) }))
            {
                await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(1));
                await lab.Network["eth0"].SilenceAsync();
                await receiver.ReportAsync(lasting: TimeSpan.FromSeconds(1.5));
                await lab.Network["eth0"].HealAsync();
                await WaitForAsync(lab, "dead");
                await WaitForAsync(lab, "active");
            }
            foreach (var end in (LabProcess[])[lab.Agent, lab.Relay])
            {
                await end.SignalAsync("TERM");
                Assert.Equal(0, (await end.WaitAsync()).ExitCode);
            }

            var agent = await ReplayAsync(lab, agentFile);
            Assert.Matches("eth0#0 is suspect: no answer for [0-9.]+ ms, and [0-9.]+ ms is patience enough .*; wlan0#1 answered [0-9.]+ ms ago", agent);
            Assert.Matches("wlan0#1 sends [0-9.]+ [kM]B (that eth0#0 had not delivered|of which eth0#0 is late)", agent); // late ones are sent again before eth0 is suspect
            Assert.Contains("eth0#0 is dead: no answer for ", agent, StringComparison.Ordinal);
            Assert.Matches("eth0#[0-9]+ (joins: normal|answers again after)", agent[agent.IndexOf("is dead", StringComparison.Ordinal)..]);
            Assert.Contains("Bond 1, at the agent: ", agent, StringComparison.Ordinal);
            Assert.Contains("Bond 1, at the relay: ", await ReplayAsync(lab, relayFile), StringComparison.Ordinal);
        }

        foreach (var file in (string[])[agentFile, relayFile]) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static Task WaitForAsync(BondedLab lab, string state) =>
        lab.WaitForAgentAsync(line => line.StartsWith("{\"event\":\"path\",\"path\":\"eth0\"", StringComparison.Ordinal) && line.Contains($"\"state\":\"{state}\"", StringComparison.Ordinal), $"eth0 {state}");

    private static async Task<string> ReplayAsync(BondedLab lab, string file)
    {
        var replay = (await LabProcess.RunAsync(null, lab.Network.Program, ["replay", file])).ThrowIfFailed($"bondline replay {file}");
        Assert.Contains(", every output as recorded", replay.Output, StringComparison.Ordinal);
        return replay.Output;
    }
}

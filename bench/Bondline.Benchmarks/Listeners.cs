using Bondline.Lab;

namespace Bondline.Benchmarks;

/// <summary>What plain visitors pay where a relay's ports take Multipath TCP: two relays by turns, one of them started while it was off.</summary>
/// <remarks>Switches it off for that moment, for the network namespace it runs in: give it one of its own.</remarks>
internal static class Listeners
{
    private const string Setting = "/proc/sys/net/mptcp/enabled";

    private static readonly TimeSpan Length = TimeSpan.FromSeconds(3);

    /// <exception cref="LabException">Something did not start, or a request failed.</exception>
    public static async Task RunAsync(string program, int rounds)
    {
        using var source = new AgainstSsh.BulkService(isSource: true);
        using var sink = new AgainstSsh.BulkService(isSource: false);
        var web = LoopbackTunnels.FreePort();
        await using var multipathTcp = await LoopbackTunnels.StartAsync(program, withSsh: false, source.Port, sink.Port, web);
        await using var multipathHttp = await LoopbackTunnels.StartHttpAsync(program, withSsh: false, web);
        LoopbackTunnels plainTcp, plainHttp;
        var setting = await File.ReadAllTextAsync(Setting);
        await File.WriteAllTextAsync(Setting, "0");
        try
        {
            plainTcp = await LoopbackTunnels.StartAsync(program, withSsh: false, source.Port, sink.Port, web);
            plainHttp = await LoopbackTunnels.StartHttpAsync(program, withSsh: false, web);
        }
        finally
        {
            await File.WriteAllTextAsync(Setting, setting);
        }

        await using (plainTcp)
        await using (plainHttp)
        {
            multipathTcp.StartWebServer(web);
            await CompareAsync("HTTP, 32 connections, requests/s", multipathHttp.Ours[0], plainHttp.Ours[0], async port => (await Wrk.RunAsync(port, 32, Length)).Rate);
            await CompareAsync("HTTP, one connection, requests/s", multipathHttp.Ours[0], plainHttp.Ours[0], async port => (await Wrk.RunAsync(port, 1, Length)).Rate);
            await CompareAsync("HTTP, a connection for each request, requests/s", multipathHttp.Ours[0], plainHttp.Ours[0], async port => (await Wrk.RunAsync(port, 8, Length, "--header", "Connection: close")).Rate);
            await CompareAsync("TCP, 32 connections, requests/s", multipathTcp.Ours[2], plainTcp.Ours[2], async port => (await Wrk.RunAsync(port, 32, Length)).Rate);
            await CompareAsync("TCP, a download, MB/s", multipathTcp.Ours[0], plainTcp.Ours[0], port => AgainstSsh.BulkAsync(port, isUpload: false, Length));
            await CompareAsync("TCP, an upload, MB/s", multipathTcp.Ours[1], plainTcp.Ours[1], port => AgainstSsh.BulkAsync(port, isUpload: true, Length));
        }

        Task CompareAsync(string load, int multipath, int plain, Func<int, Task<double>> measure) =>
            Turns.CompareAsync(load, rounds, ("where ports take MPTCP", () => measure(multipath)), ("where they do not", () => measure(plain)));
    }
}

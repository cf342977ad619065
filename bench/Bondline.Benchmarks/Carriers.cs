using Bondline.Lab;

namespace Bondline.Benchmarks;

/// <summary>The bond on a TCP connection of its own beside the bond on the kernel's MPTCP and, without a tunnel or encryption, plain MPTCP sockets, all over loopback.</summary>
/// <remarks>The agent sets up the kernel's MPTCP for the network namespace it runs in: give it one of its own.</remarks>
internal static class Carriers
{
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(3);

    /// <exception cref="LabException">Something did not start, or a request failed.</exception>
    public static async Task RunAsync(string program, int rounds)
    {
        using var source = new AgainstSsh.BulkService(isSource: true);
        using var sink = new AgainstSsh.BulkService(isSource: false);
        using var plainSource = new AgainstSsh.BulkService(isSource: true, isMultipath: true);
        using var plainSink = new AgainstSsh.BulkService(isSource: false, isMultipath: true);
        var web = LoopbackTunnels.FreePort();
        await using var bond = await LoopbackTunnels.StartCarriedAsync(program, "bond", source.Port, sink.Port, web);
        await using var kernel = await LoopbackTunnels.StartCarriedAsync(program, "mptcp", source.Port, sink.Port, web);
        bond.StartWebServer(web);
        await BulkAsync("bulk to the visitor, MB/s", 0, plainSource.Port);
        await BulkAsync("bulk from the visitor, MB/s", 1, plainSink.Port);
        await Turns.CompareAsync("requests/s, 32 connections", rounds, ("bond", () => RequestsAsync(bond, 32)), ("mptcp", () => RequestsAsync(kernel, 32)));
        await Turns.CompareAsync("requests/s, one connection", rounds, ("bond", () => RequestsAsync(bond, 1)), ("mptcp", () => RequestsAsync(kernel, 1)));

        Task BulkAsync(string load, int tunnel, int plain) => Turns.CompareAsync(
            load, rounds,
            ("bond", () => AgainstSsh.BulkAsync(bond.Ours[tunnel], tunnel == 1, Length)),
            ("mptcp", () => AgainstSsh.BulkAsync(kernel.Ours[tunnel], tunnel == 1, Length)),
            ("sockets of MPTCP alone", () => AgainstSsh.BulkAsync(plain, tunnel == 1, Length, isMultipath: true)));

        static async Task<double> RequestsAsync(LoopbackTunnels tunnels, int connections) => (await Wrk.RunAsync(tunnels.Ours[2], connections, Length)).Rate;
    }
}

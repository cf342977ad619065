namespace Bondline.Lab;

/// <summary>No tunnel: a plain program on the laptop under <c>bondline run</c> connects to one at the relay, and the kernel's MPTCP uses every link.</summary>
/// <remarks>Who connects is the other way round than with a tunnel: behind a NAT only the laptop can, and only who connects opens further subflows.</remarks>
/// <param name="network">One whose kernel MPTCP is set up, by whoever.</param>
public sealed class MultipathLab(LabNetwork network) : ILabPeer
{
    private static readonly TimeSpan SetUpLimit = TimeSpan.FromSeconds(20);

    public LabNetwork Network => network;

    /// <param name="options">Of the network.</param>
    /// <param name="isWatched">The kernel is set up by <c>bondline mptcp watch</c>, which follows the links; else by hand, once.</param>
    public static async Task<MultipathLab> StartAsync(LabOptions options, bool isWatched = false)
    {
        var lab = new MultipathLab(await LabNetwork.StartAsync(options with { UseMultipathTcp = !isWatched }));
        if (!isWatched) return lab;
        try
        {
            await lab.Network.AllowSubflowsAtRelayAsync();
            var watch = lab.Network.Start(lab.Network.Laptop, lab.Network.Program, "mptcp", "watch");
            await watch.WaitForErrorAsync(
                said => lab.Network.Links.All(link => said.Contains($"{link.Name}: endpoint {link.LaptopAddress} added", StringComparison.Ordinal)), "an endpoint for each link", SetUpLimit);
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    public Task<SentBytes?> SentAsync(Flow flow) => Task.FromResult<SentBytes?>(null);

    public ValueTask DisposeAsync() => Network.DisposeAsync();
}

namespace Bondline.Lab;

/// <summary>No tunnel: a plain program on the laptop under <c>mptcpize run</c> connects to one at the relay, and the kernel's MPTCP uses every link.</summary>
/// <remarks>Who connects is the other way round than with a tunnel: behind a NAT only the laptop can, and only who connects opens further subflows.</remarks>
public sealed class MultipathLab : ILabPeer
{
    private MultipathLab(LabNetwork network) => Network = network;

    public LabNetwork Network { get; }

    public static async Task<MultipathLab> StartAsync(LabOptions options) => new(await LabNetwork.StartAsync(options with { UseMultipathTcp = true }));

    public Task<SentBytes?> SentAsync(Flow flow) => Task.FromResult<SentBytes?>(null);

    public ValueTask DisposeAsync() => Network.DisposeAsync();
}

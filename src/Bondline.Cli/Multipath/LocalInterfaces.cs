using System.ComponentModel;
using System.Net;
using Bondline.Linux;

namespace Bondline.Cli;

/// <summary>This machine's interfaces as they were when asked: numbers, names, addresses, routes.</summary>
internal sealed class LocalInterfaces(IReadOnlyList<NetworkInterfaceState> states)
{
    public IReadOnlyList<NetworkInterfaceState> States { get; } = states;

    /// <returns>None where rtnetlink cannot be used (a sandbox): interfaces then have no names.</returns>
    public static async Task<LocalInterfaces> ReadAsync(CancellationToken stop)
    {
        try
        {
            using var monitor = new InterfaceMonitor();
            return new(await monitor.NextAsync(stop));
        }
        catch (Win32Exception)
        {
            return new([]);
        }
    }

    /// <returns>Null for 0; its number, where it has no name for us.</returns>
    public string? NameOf(int index) =>
        index == 0 ? null : Find(state => state.Link.Index == index)?.Link.Name ?? $"#{index}";

    /// <returns>Null if there is none of that name.</returns>
    public int? IndexOf(string name) => Find(state => state.Link.Name == name)?.Link.Index;

    /// <summary>The interface that has the address.</summary>
    public string? NameOf(IPAddress address) =>
        Find(state => state.Addresses.Any(own => own.Address.Equals(address)))?.Link.Name
        ?? (IPAddress.IsLoopback(address) ? Find(state => state.Link.IsLoopback)?.Link.Name : null);

    private NetworkInterfaceState? Find(Func<NetworkInterfaceState, bool> isIt) => States.FirstOrDefault(isIt);
}

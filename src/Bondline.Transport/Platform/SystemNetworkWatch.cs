using System.Net.NetworkInformation;
using System.Threading.Channels;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>A watch that looks again whenever .NET says that addresses or the machine's connection to any network have changed.</summary>
internal sealed class SystemNetworkWatch : INetworkWatch
{
    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private IReadOnlyList<InterfaceView> _last = [];

    public SystemNetworkWatch()
    {
        NetworkChange.NetworkAddressChanged += HandleAddresses;
        NetworkChange.NetworkAvailabilityChanged += HandleAvailability;
        _changes.Writer.TryWrite(true);
    }

    public async ValueTask<IReadOnlyList<InterfaceView>> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await _changes.Reader.ReadAsync(cancellationToken);
            var seen = SystemInterfaces.List();
            if (IsSame(seen, _last)) continue;
            return _last = seen;
        }
    }

    public void Dispose()
    {
        NetworkChange.NetworkAddressChanged -= HandleAddresses;
        NetworkChange.NetworkAvailabilityChanged -= HandleAvailability;
    }

    /// <summary>Whether two pictures show the same.</summary>
    internal static bool IsSame(IReadOnlyList<InterfaceView> one, IReadOnlyList<InterfaceView> other) =>
        one.Count == other.Count && one.Zip(other).All(pair =>
            pair.First == pair.Second with { Addresses = pair.First.Addresses, Routes = pair.First.Routes }
            && pair.First.Addresses.SequenceEqual(pair.Second.Addresses)
            && pair.First.Routes.SequenceEqual(pair.Second.Routes));

    private void HandleAddresses(object? sender, EventArgs e) => _changes.Writer.TryWrite(true);

    private void HandleAvailability(object? sender, NetworkAvailabilityEventArgs e) => _changes.Writer.TryWrite(true);
}

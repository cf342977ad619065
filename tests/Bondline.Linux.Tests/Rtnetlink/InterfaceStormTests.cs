using System.Globalization;
using System.Text;
using Xunit;

namespace Bondline.Linux.Tests.Rtnetlink;

/// <summary>More events than there is room for, from the real kernel in a network namespace.</summary>
[Trait("Mode", "normal")]
public sealed class InterfaceStormTests : IDisposable
{
    private const int SmallBufferBytes = 4096, Links = 40, Storms = 4, ChangesPerStorm = 200;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly KernelSpace _space = new("storm");
    private int _opened;

    [Fact]
    public async Task Overflows_while_everything_is_asked_for_leave_the_true_picture()
    {
        _space.Run(() =>
        {
            File.WriteAllText("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"); // its addresses would go on changing by themselves
            return true;
        });
        await _space.ChangeAsync(Enumerable.Range(1, Links).SelectMany(link => (string[])[$"link add d{link} type veth peer name e{link}", $"addr add 10.0.{link}.1/24 dev d{link}", $"link set d{link} up"]));
        using var monitor = _space.Run(() => new InterfaceMonitor(Open));
        var next = monitor.NextAsync(CancellationToken.None).AsTask();
        var seen = "";
        for (var storm = 1; storm <= Storms; storm++)
        {
            var storming = _space.ChangeAsync(Storm(storm));
            while (!storming.IsCompleted || seen != await FreshAsync())
            {
                if (storming.IsCompleted) await next.WaitAsync(Patience);
                else await Task.WhenAny(next, storming).WaitAsync(Patience);
                if (!next.IsCompleted) continue;
                seen = Describe(await next);
                next = monitor.NextAsync(CancellationToken.None).AsTask();
            }

            await storming;
        }

        Assert.True(_opened > 1, "Nothing overflowed: the buffer is not small enough for this kernel.");
    }

    public void Dispose() => _space.Dispose();

    private System.Net.Sockets.Socket Open() => _space.Run(() =>
    {
        _opened++;
        var socket = NetlinkSocket.Open(NetlinkProtocol.Route, NetlinkSocket.InterfaceGroups);
        NetlinkSocket.SetReceiveBuffer(socket, SmallBufferBytes);
        return socket;
    });

    private static IEnumerable<string> Storm(int storm)
    {
        for (var change = 0; change < ChangesPerStorm; change++)
        {
            yield return $"addr add 10.{storm}.{change}.1/24 dev d{Links}";
            if (change % 10 != 0) yield return $"addr del 10.{storm}.{change}.1/24 dev d{Links}";
        }

        yield return $"link set d{Links - storm} down";
        yield return $"link del d{storm}";
    }

    private async Task<string> FreshAsync()
    {
        using var monitor = _space.Run(() => new InterfaceMonitor());
        return Describe(await monitor.NextAsync(CancellationToken.None).AsTask().WaitAsync(Patience));
    }

    private static string Describe(IReadOnlyList<NetworkInterfaceState> picture)
    {
        var text = new StringBuilder();
        foreach (var state in picture)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{state.Link}");
            foreach (var line in state.Addresses.Select(address => $"  {address}").Order(StringComparer.Ordinal)) text.AppendLine(line);
            foreach (var line in state.Routes.Select(DescribeRoute).Order(StringComparer.Ordinal)) text.AppendLine(line);
        }

        return text.ToString();
    }

    private static string DescribeRoute(RouteMessage route) =>
        $"  {route.Destination}/{route.PrefixLength} table {route.Table} {route.Type} metric {route.Metric} by {string.Join(", ", route.NextHops)}";
}

using System.ComponentModel;

namespace Bondline.Linux;

/// <summary>Adds and deletes routes in the network namespace of the calling thread. Needs CAP_NET_ADMIN.</summary>
public static class RouteTable
{
    private const int NoSuchProcess = 3, NoSuchDevice = 19, NetworkIsDown = 100; // ESRCH is how the kernel says "no such route"

    /// <param name="route">One way, over a gateway of its own family or none.</param>
    /// <exception cref="Win32Exception">The kernel refused: the right is missing, there is such a route, or its gateway cannot be reached.</exception>
    public static void Add(RouteMessage route)
    {
        var error = Change(route, isDeletion: false);
        if (!error.IsSuccess) throw new Win32Exception(error.Number, error.Text ?? new Win32Exception(error.Number).Message);
    }

    /// <summary>Deletes exactly this route: one with another gateway, metric or maker stays.</summary>
    /// <returns>False if there is none.</returns>
    /// <exception cref="Win32Exception">The kernel refused: the right is missing.</exception>
    public static bool Delete(RouteMessage route)
    {
        var error = Change(route, isDeletion: true);
        return error.Number switch
        {
            0 => true,
            NoSuchProcess or NoSuchDevice or NetworkIsDown => false,
            _ => throw new Win32Exception(error.Number, error.Text ?? new Win32Exception(error.Number).Message),
        };
    }

    private static NetlinkError Change(RouteMessage route, bool isDeletion)
    {
        ArgumentNullException.ThrowIfNull(route);
        using var exchange = new NetlinkExchange(NetlinkProtocol.Route);
        return exchange.Ask((buffer, sequence) => route.WriteChange(buffer, sequence, isDeletion)).Error;
    }
}

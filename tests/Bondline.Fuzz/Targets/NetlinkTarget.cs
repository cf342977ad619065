using Bondline.Linux;

namespace Bondline.Fuzz;

/// <summary>Datagrams of rtnetlink, as a dump and its events fill the table of interfaces.</summary>
internal static class NetlinkTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        var table = new InterfaceTable();
        try
        {
            while (NetlinkMessage.TryRead(ref input, out var message))
            {
                if (message.Type == NetlinkType.Error) message.ReadError();
                else table.Apply(message);
            }
        }
        catch (NetlinkFormatException)
        {
        }
        foreach (var state in table.Snapshot())
        {
            foreach (var route in state.Routes)
            {
                route.Covers(System.Net.IPAddress.Loopback);
                route.Covers(System.Net.IPAddress.IPv6Loopback);
            }
        }
    }
}

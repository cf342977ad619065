using System.Net;
using System.Net.Sockets;
using Bondline.Transport;

namespace Bondline.Relay;

/// <summary>Visitors' connections since the relay started.</summary>
/// <param name="Connections">All of them.</param>
/// <param name="Multipath">Those that came by Multipath TCP.</param>
/// <param name="Spread">Of these, those that had more than one subflow.</param>
/// <param name="MostSubflows">The most that one of them had; 0 if none came.</param>
/// <param name="AverageSubflows">Of the most each had; 0 if none came.</param>
/// <remarks>Subflows are counted when somebody asks and when a connection is closed: one that came and went in between was not seen.</remarks>
public sealed record VisitorStatistics(long Connections, long Multipath, long Spread, int MostSubflows, double AverageSubflows);

/// <summary>A visitor who was let in.</summary>
/// <param name="Socket">The connection: the one to close.</param>
/// <param name="Addresses">Where it comes from.</param>
/// <param name="Place">To be given back when the connection is closed.</param>
internal sealed record Visitor(Socket Socket, VisitorAddresses Addresses, VisitorAdmission.Place Place);

/// <summary>Lets visitors in and counts their connections, and with Multipath TCP their subflows. Thread-safe.</summary>
internal sealed class VisitorCounter(INetworkPlatform platform, VisitorAdmission admission)
{
    private readonly Lock _gate = new();
    private readonly HashSet<VisitorAddresses> _open = []; // by Multipath TCP alone: the others need no second look
    private long _connections, _multipath, _spread, _subflows; // the last two of those that are closed
    private int _most;

    /// <summary>Counts a visitor, from here on to the end of its socket, and makes the socket ready.</summary>
    /// <param name="accepted">The connection; another socket may stand for it from here on, and is the one to close.</param>
    /// <returns>Null if there are too many, and it was reset, or if it was gone already.</returns>
    public Visitor? Enter(Socket accepted)
    {
        VisitorAdmission.Place? place = null;
        var socket = accepted;
        try
        {
            var first = (accepted.RemoteEndPoint as IPEndPoint)?.Address;
            place = admission.TryEnter(first);
            if (place is null)
            {
                if (platform.IsMultipath(accepted)) platform.ResetMultipath(accepted);
                VisitorSocket.Reset(accepted);
                return null;
            }
            (socket, var addresses) = Count(accepted, first);
            VisitorSocket.Prepare(socket);
            return new(socket, addresses, place);
        }
        catch (SocketException) // gone again
        {
            socket.Dispose();
            place?.Dispose();
            return null;
        }
    }

    /// <summary>Looks at those that are open, which costs a system call each, and counts.</summary>
    public VisitorStatistics Count()
    {
        VisitorAddresses[] open;
        lock (_gate) open = [.. _open];
        foreach (var visitor in open) visitor.Look();
        lock (_gate)
        {
            var (spread, subflows, most) = (_spread, _subflows, _most);
            foreach (var visitor in _open) Add(visitor.MostSubflows, ref spread, ref subflows, ref most);
            return new(_connections, _multipath, spread, most, _multipath == 0 ? 0 : (double)subflows / _multipath);
        }
    }

    private (Socket Socket, VisitorAddresses Addresses) Count(Socket accepted, IPAddress? first)
    {
        if (!platform.IsMultipath(accepted))
        {
            lock (_gate) _connections++;
            return (accepted, new(first, null, platform));
        }

        VisitorAddresses? addresses = null;
        var socket = new WatchedSocket(accepted, () => Leave(addresses!), platform);
        addresses = new(first, socket, platform);
        lock (_gate)
        {
            _connections++;
            _multipath++;
            _open.Add(addresses);
        }
        return (socket, addresses);
    }

    private void Leave(VisitorAddresses visitor)
    {
        visitor.Look();
        lock (_gate)
            if (_open.Remove(visitor)) Add(visitor.MostSubflows, ref _spread, ref _subflows, ref _most);
    }

    private static void Add(int ofOne, ref long spread, ref long subflows, ref int most)
    {
        if (ofOne > 1) spread++;
        subflows += ofOne;
        most = Math.Max(most, ofOne);
    }
}

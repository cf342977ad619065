using System.Net.Sockets;

namespace Bondline.Linux;

/// <summary>Follows the machine's interfaces, addresses and routes: a full picture at first, then one after every change.</summary>
/// <remarks>Not thread safe: one loop calls <see cref="NextAsync"/>.</remarks>
public sealed class InterfaceMonitor : IDisposable
{
    private static readonly NetlinkType[] AllDumps = [NetlinkType.GetLink, NetlinkType.GetAddress, NetlinkType.GetRoute];

    private readonly Socket _socket;
    private readonly InterfaceTable _table = new();
    private readonly byte[] _buffer = new byte[64 << 10];
    private readonly Queue<NetlinkType> _dumps = new(AllDumps); // the first one is being answered
    private uint _sequence;
    private bool _isAsked;

    /// <exception cref="System.ComponentModel.Win32Exception">There is no rtnetlink for us.</exception>
    public InterfaceMonitor() => _socket = NetlinkSocket.Open(NetlinkProtocol.Route, NetlinkSocket.InterfaceGroups);

    /// <summary>Waits until something changed (at first: until everything is known) and gives the new picture.</summary>
    /// <exception cref="SocketException">The socket failed for good.</exception>
    public async ValueTask<IReadOnlyList<NetworkInterfaceState>> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Ask();
            int length;
            try
            {
                length = await _socket.ReceiveAsync(_buffer, SocketFlags.None, cancellationToken);
            }
            catch (SocketException full) when (full.SocketErrorCode == SocketError.NoBufferSpaceAvailable)
            {
                Restart(); // events were lost
                continue;
            }

            bool changed;
            try
            {
                changed = Apply(_buffer.AsSpan(0, length));
            }
            catch (NetlinkFormatException)
            {
                Restart(); // a truncated datagram; what it said comes again in the dump
                continue;
            }

            // While links or addresses are being dumped the picture has holes; while routes are, the old ones are gone but a link's loss is worth telling.
            if (changed && _dumps.Count == 0) return _table.Snapshot();
        }
    }

    public void Dispose() => _socket.Dispose();

    private void Restart()
    {
        _table.Clear();
        _dumps.Clear();
        foreach (var dump in AllDumps) _dumps.Enqueue(dump);
        _isAsked = false;
    }

    private void Ask()
    {
        if (_isAsked || !_dumps.TryPeek(out var dump)) return;
        if (dump == NetlinkType.GetRoute) _table.ClearRoutes();
        Span<byte> request = stackalloc byte[64];
        Span<byte> fixedPart = stackalloc byte[LinkMessage.FixedLength]; // the longest of the three; zeros: every family
        fixedPart.Clear();
        var message = new NetlinkRequest(request, dump, NetlinkFlags.Dump, ++_sequence, fixedPart);
        _socket.Send(request[..message.Length]);
        _isAsked = true;
    }

    private bool Apply(ReadOnlySpan<byte> datagram)
    {
        var changed = false;
        while (NetlinkMessage.TryRead(ref datagram, out var message))
        {
            switch (message.Type)
            {
                case NetlinkType.Done or NetlinkType.Error when message.Sequence == _sequence && _isAsked:
                    _isAsked = false;
                    // An interrupted dump is asked again; a refused one (IPv6 switched off) is as good as an empty one.
                    if (!message.IsDumpInterrupted) _dumps.Dequeue();
                    changed |= _dumps.Count == 0;
                    break;

                case NetlinkType.Overrun:
                    Restart();
                    return false;

                default:
                    var change = _table.Apply(message);
                    changed |= change != TableChange.None;
                    // IPv4 routes go without a word when their link or address does.
                    if (change is TableChange.Link or TableChange.Address && _dumps.Count == 0) _dumps.Enqueue(NetlinkType.GetRoute);
                    break;
            }
        }

        return changed;
    }
}

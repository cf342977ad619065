using System.Net.Sockets;

namespace Bondline.Linux;

/// <summary>Follows the machine's interfaces, addresses and routes: a full picture at first, then one after every change.</summary>
/// <remarks>Not thread safe: one loop calls <see cref="NextAsync"/>.</remarks>
public sealed class InterfaceMonitor : IDisposable
{
    // Room for a burst, such as all the links of a container host: about a thousand events.
    private const int ReceiveBufferBytes = 1 << 20;

    // The kernel had no memory, or something like it, or it sends what cannot be read: it is asked again, but not for ever.
    private const int MaxFailures = 8;
    private const int Interrupted = 4, TryAgain = 11, OutOfMemory = 12, Busy = 16, NoBuffer = 105; // EINTR, EAGAIN, ENOMEM, EBUSY, ENOBUFS

    private static readonly NetlinkType[] AllDumps = [NetlinkType.GetLink, NetlinkType.GetAddress, NetlinkType.GetRoute];

    private readonly Func<Socket> _open;
    private readonly InterfaceTable _table = new();
    private readonly byte[] _buffer = new byte[64 << 10];
    private readonly Queue<NetlinkType> _dumps = new(AllDumps); // the first one is being answered
    private Socket _socket;
    private uint _sequence;
    private bool _isAsked, _isInterrupted;
    private bool _areRoutesStale; // by what happened since they were asked for
    private int _failures; // since everything was known

    /// <remarks>It follows the network namespace of this process, in which the calling thread must be.</remarks>
    /// <exception cref="System.ComponentModel.Win32Exception">There is no rtnetlink for us.</exception>
    public InterfaceMonitor()
        : this(Open)
    {
    }

    /// <param name="open">Makes a socket that the events come to; for tests.</param>
    internal InterfaceMonitor(Func<Socket> open)
    {
        _open = open;
        _socket = open();
    }

    /// <summary>Waits until something changed (at first: until everything is known) and gives the new picture.</summary>
    /// <exception cref="SocketException">The socket failed for good, or the kernel refuses again and again.</exception>
    /// <exception cref="NetlinkFormatException">The kernel sends again and again what cannot be read.</exception>
    /// <exception cref="System.ComponentModel.Win32Exception">Events were lost, and there is no new socket for us.</exception>
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

            var wasAsked = _isAsked;
            bool changed;
            try
            {
                changed = Apply(_buffer.AsSpan(0, length));
            }
            catch (NetlinkFormatException) when (++_failures < MaxFailures)
            {
                Restart(); // a truncated datagram; what it said comes again in the dump
                continue;
            }

            // While a dump is being read the picture has holes. Routes that became stale meanwhile are told all the same, or changes without end would never be.
            if (_dumps.Count > 0 || (_areRoutesStale && !wasAsked)) continue;
            _failures = 0;
            if (changed) return _table.Snapshot();
        }
    }

    public void Dispose() => _socket.Dispose();

    private static Socket Open()
    {
        var socket = NetlinkSocket.Open(NetlinkProtocol.Route, NetlinkSocket.InterfaceGroups);
        NetlinkSocket.SetReceiveBuffer(socket, ReceiveBufferBytes);
        return socket;
    }

    // On the old socket a dump may be under way: until all of it is read the kernel refuses another one, and that refusal too is lost while the buffer is full.
    private void Restart()
    {
        var lossy = _socket;
        _socket = _open();
        lossy.Dispose();
        _table.Clear();
        _dumps.Clear();
        foreach (var dump in AllDumps) _dumps.Enqueue(dump);
        _isAsked = false;
    }

    private void Ask()
    {
        if (_dumps.Count == 0 && _areRoutesStale) _dumps.Enqueue(NetlinkType.GetRoute);
        if (_isAsked || !_dumps.TryPeek(out var dump)) return;
        if (dump == NetlinkType.GetRoute)
        {
            _table.ClearRoutes();
            _areRoutesStale = false;
        }

        Span<byte> request = stackalloc byte[64];
        Span<byte> fixedPart = stackalloc byte[LinkMessage.FixedLength]; // the longest of the three; zeros: every family
        fixedPart.Clear();
        var message = new NetlinkRequest(request, dump, NetlinkFlags.Dump, ++_sequence, fixedPart);
        _socket.Send(request[..message.Length]);
        _isAsked = true;
        _isInterrupted = false;
    }

    private bool Apply(ReadOnlySpan<byte> datagram)
    {
        var changed = false;
        while (NetlinkMessage.TryRead(ref datagram, out var message))
        {
            // The kernel marks the one message at which it noticed, not the end.
            _isInterrupted |= _isAsked && message.Sequence == _sequence && message.IsDumpInterrupted;
            switch (message.Type)
            {
                case NetlinkType.Done or NetlinkType.Error when message.Sequence == _sequence && _isAsked:
                    if (message.ReadError() is var refusal and (Interrupted or TryAgain or OutOfMemory or Busy or NoBuffer))
                    {
                        if (++_failures >= MaxFailures) throw new SocketException((int)SocketError.NoBufferSpaceAvailable, $"The kernel does not list its interfaces now (error {refusal}).");
                        Restart();
                        return false;
                    }

                    _isAsked = false;
                    // An interrupted dump is asked again; one refused for good (IPv6 switched off) is as good as an empty one.
                    if (!_isInterrupted) _dumps.Dequeue();
                    changed |= _dumps.Count == 0;
                    break;

                case NetlinkType.Overrun:
                    Restart();
                    return false;

                default:
                    var change = _table.Apply(message);
                    changed |= change != TableChange.None;
                    // IPv4 routes go without a word when their link or address does.
                    _areRoutesStale |= change is TableChange.Link or TableChange.Address or TableChange.UnclearRoute;
                    break;
            }
        }

        return changed;
    }
}

using System.ComponentModel;
using System.Net.Sockets;

namespace Bondline.Linux;

/// <summary>Receives the path manager's events of the network namespace of the thread that opened it. Needs CAP_NET_ADMIN there.</summary>
/// <remarks>Not thread safe: one loop calls <see cref="NextAsync"/>.</remarks>
public sealed class MultipathEventSource : IDisposable
{
    private const string GroupName = "mptcp_pm_events";

    // Bursts wait here: each event is about 100 bytes, and a busy server has thousands a second.
    private const int ReceiveBufferBytes = 1 << 20;

    private readonly Socket _socket;
    private readonly int _family;
    private readonly byte[] _buffer = new byte[16 << 10];

    private MultipathEventSource(Socket socket, int family)
    {
        _socket = socket;
        _family = family;
    }

    /// <exception cref="MultipathException">This kernel has no MPTCP, sends no events (before Linux 5.12), or the right is missing.</exception>
    public static MultipathEventSource Open() => MultipathPathManager.Guard("receive MPTCP's events", () =>
    {
        var family = GenericFamily.Find(MultipathPathManager.FamilyName) ?? throw new MultipathException(MultipathFailure.NotSupported, "this kernel has no MPTCP: it has no netlink family mptcp_pm");
        if (!family.Groups.TryGetValue(GroupName, out var group))
            throw new MultipathException(MultipathFailure.CommandUnknown, "this kernel's MPTCP is too old to send events");
        var socket = NetlinkSocket.Open(NetlinkProtocol.Generic);
        NetlinkSocket.SetReceiveBuffer(socket, ReceiveBufferBytes);
        if (NetlinkSocket.Join(socket, group) is var error and not 0)
        {
            socket.Dispose();
            throw new MultipathException(MultipathFailure.RightMissing, $"cannot receive MPTCP's events: {new Win32Exception(error).Message}", error);
        }

        return new MultipathEventSource(socket, family.Id);
    });

    /// <summary>Waits for the next events: at least one, in their order. <see cref="MultipathEventKind.Lost"/> stands where some are missing.</summary>
    /// <exception cref="SocketException">The socket failed for good.</exception>
    public async ValueTask<IReadOnlyList<MultipathEvent>> NextAsync(CancellationToken cancellationToken)
    {
        var events = new List<MultipathEvent>();
        while (events.Count == 0)
        {
            try
            {
                var length = await _socket.ReceiveAsync(_buffer, SocketFlags.None, cancellationToken);
                MultipathEvent.ReadAll(_buffer.AsSpan(0, length), _family, events);
            }
            catch (SocketException full) when (full.SocketErrorCode == SocketError.NoBufferSpaceAvailable)
            {
                events.Add(new() { Kind = MultipathEventKind.Lost });
            }
        }

        return events;
    }

    public void Dispose() => _socket.Dispose();
}

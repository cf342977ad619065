using System.Net.Sockets;
using Bondline.Transport;

namespace Bondline.Relay;

/// <summary>A visitor's Multipath TCP connection. It tells when it is closed, whoever closes it, while the kernel can still be asked about it; and closing it is a reset where with TCP it would be.</summary>
/// <remarks>
/// Kestrel closes its sockets itself and says so when they are gone. To break one off it asks for an abortive close, which most kernels do not make of SO_LINGER
/// here, so what came so far would look complete. All that end a connection in peace end its sending direction first: where that has not been done, it is broken off.
/// </remarks>
internal sealed class WatchedSocket : Socket
{
    private readonly INetworkPlatform _platform;
    private Action? _closing;

    /// <param name="accepted">The same connection: only this one is to be closed.</param>
    /// <param name="closing">Called once, before it is closed, on whatever thread closes it.</param>
    /// <param name="platform">Resets it.</param>
    public WatchedSocket(Socket accepted, Action closing, INetworkPlatform platform) : base(accepted.SafeHandle)
    {
        (_closing, _platform) = (closing, platform);
        GC.SuppressFinalize(accepted); // nobody needs it any more, and its end is not the connection's
    }

    /// <summary>The peer is to see a reset. Close it next.</summary>
    public void Reset() => _platform.ResetMultipath(this);

    protected override void Dispose(bool disposing)
    {
        if (disposing && Interlocked.Exchange(ref _closing, null) is { } closing)
        {
            closing();
            if (!_platform.HasMultipathEndedSending(this)) Reset();
        }
        base.Dispose(disposing);
    }
}

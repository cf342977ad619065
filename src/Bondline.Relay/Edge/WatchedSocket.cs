using System.Net.Sockets;

namespace Bondline.Relay;

/// <summary>An accepted connection that tells when it is closed, whoever closes it and however, while the kernel can still be asked about it.</summary>
/// <remarks>Kestrel closes its sockets itself and says so when they are gone.</remarks>
internal sealed class WatchedSocket : Socket
{
    private Action? _closing;

    /// <param name="accepted">The same connection: closing either closes it, but only this one tells.</param>
    /// <param name="closing">Called once, before it is closed, on whatever thread closes it.</param>
    public WatchedSocket(Socket accepted, Action closing) : base(accepted.SafeHandle)
    {
        _closing = closing;
        GC.SuppressFinalize(accepted); // nobody needs it any more, and its end is not the connection's
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) Interlocked.Exchange(ref _closing, null)?.Invoke();
        base.Dispose(disposing);
    }
}

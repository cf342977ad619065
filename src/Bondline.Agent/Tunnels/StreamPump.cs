using System.Buffers;
using System.Net.Sockets;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Agent;

/// <summary>Carries the bytes of one visitor's stream to and from the local service, with everything TCP tells: back pressure, half-close, resets.</summary>
internal sealed class StreamPump(BondStream stream, Socket local, ILocalCopy copy, TimeProvider time)
{
    private const int DiscardLength = 16 << 10;

    /// <summary>A reset overtakes the bytes before it. What the service wrote last (an early answer to an upload it will not read) gets this long to arrive first.</summary>
    private static readonly TimeSpan LingerTime = TimeSpan.FromMilliseconds(500);

    /// <summary>For the last bytes of a visitor, when the stream was lost behind them.</summary>
    private static readonly TimeSpan LastBytesTime = TimeSpan.FromSeconds(2);

    private volatile bool _visitorIsFinished, _localStoppedReading, _localWasReset, _localIsFinished;

    /// <summary>Runs until both directions are over, then has closed both ends. Never faults for what either end does.</summary>
    public async Task RunAsync()
    {
        var toVisitor = LocalToVisitorAsync();
        var toLocal = VisitorToLocalAsync();
        // A service that reads nothing holds up whoever would see that the stream was reset, so its end is watched.
        if (!toLocal.IsCompleted && await Task.WhenAny(toLocal, stream.Closed) != toLocal && await IsCutOffAsync(toLocal)) ResetLocal();
        await toLocal;
        // A visitor who finished sending can still reset, and nobody reads the stream any more.
        if (!toVisitor.IsCompleted && await Task.WhenAny(toVisitor, stream.Closed) != toVisitor && !_localIsFinished) ResetLocal();
        await toVisitor;
        local.Dispose();
        await stream.DisposeAsync();
    }

    /// <summary>What the service has not read yet will not be all, or nobody waits for what it makes of it.</summary>
    private async Task<bool> IsCutOffAsync(Task toLocal) =>
        !stream.IsComplete && (!stream.IsReadToEnd || await Task.WhenAny(toLocal, Task.Delay(LastBytesTime, time)) != toLocal);

    private async Task VisitorToLocalAsync()
    {
        try
        {
            if (await CopyToLocalAsync())
            {
                _visitorIsFinished = true;
                local.Shutdown(SocketShutdown.Send);
            }
            else
            {
                await DiscardAsync();
            }
        }
        catch (BondStreamException) // the visitor, the relay or the bond is gone
        {
            ResetLocal();
        }
        catch (Exception error) when (IsLocalGone(error)) // the other direction sees the same and tells the visitor
        {
        }
    }

    /// <returns>False if the local service reads no more; it may still answer.</returns>
    private async Task<bool> CopyToLocalAsync()
    {
        try
        {
            await copy.ToSocketAsync();
            return true;
        }
        catch (SocketException error)
        {
            _localWasReset = error.SocketErrorCode == SocketError.ConnectionReset; // otherwise it finished before it stopped reading
            return false;
        }
    }

    /// <summary>Reads what the visitor still sends while the local service's answer is on its way.</summary>
    private async Task DiscardAsync()
    {
        _localStoppedReading = true;
        var buffer = ArrayPool<byte>.Shared.Rent(DiscardLength);
        try
        {
            while (await stream.ReadAsync(buffer) > 0) { }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task LocalToVisitorAsync()
    {
        try
        {
            await copy.ToStreamAsync();
            if (_localWasReset || IsResetBehindItsEnd())
            {
                await AbortAsync();
                return;
            }
            _localIsFinished = true;
            await stream.CompleteWritesAsync();
            if (_localStoppedReading) await AbortAsync();
        }
        catch (BondStreamException)
        {
            ResetLocal();
        }
        catch (SocketException)
        {
            await AbortAsync();
        }
        catch (ObjectDisposedException) // the other direction closed it: the stream is over
        {
        }
    }

    /// <summary>
    /// The kernel reports a reset to whichever call comes first. If that was a send, which may not have returned yet, receiving ends as if the service had finished;
    /// but a socket whose other end finished waits for us to (CLOSE_WAIT), and one that was reset is closed.
    /// </summary>
    private bool IsResetBehindItsEnd()
    {
        const int Tcp = 6, TcpInfo = 11, Closed = 7; // tcp(7); TCP_CLOSE
        if (_visitorIsFinished || !OperatingSystem.IsLinux()) return false;
        Span<byte> state = stackalloc byte[1];
        return local.GetRawSocketOption(Tcp, TcpInfo, state) == 1 && state[0] == Closed;
    }

    /// <summary>Tells the visitor that the local service is gone.</summary>
    private async Task AbortAsync()
    {
        if (copy.SinceLastWrite < LingerTime) await Task.WhenAny(stream.Closed, Task.Delay(LingerTime, time));
        stream.Abort(StreamError.LocalReset);
    }

    /// <summary>Closes the local socket so that the service sees a reset, not an end that looks complete.</summary>
    private void ResetLocal() => local.Close(0);

    private static bool IsLocalGone(Exception error) => error is SocketException or ObjectDisposedException;
}

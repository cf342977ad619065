using System.Net.Sockets;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Relay;

/// <summary>Carries bytes between a visitor's socket and a stream of the bond until both directions are over. The end of a direction is passed on as such, a reset as a reset.</summary>
internal sealed class StreamPump(Socket visitor, BondStream stream)
{
    /// <summary>For the last bytes, when the stream was reset behind them.</summary>
    private static readonly TimeSpan LastBytesTime = TimeSpan.FromSeconds(30);

    private readonly SocketCopy _copy = new(visitor, stream, TimeProvider.System);

    private volatile bool _isVisitorFinished;

    /// <summary>Owns both; never throws for what visitors, agents and networks do.</summary>
    public async Task RunAsync()
    {
        var inward = VisitorToStreamAsync();
        var outward = StreamToVisitorAsync();
        // A visitor who reads nothing holds up whoever would see that the bond is lost, or the stream was reset.
        if (!outward.IsCompleted && await Task.WhenAny(outward, stream.Closed) != outward && await IsCutOffAsync(outward)) Break(StreamError.Cancelled);
        await outward;
        // Nobody reads the stream any more, and the visitor may be silent for ever: the same must end it too.
        if (!inward.IsCompleted && await Task.WhenAny(inward, stream.Closed) != inward && !_isVisitorFinished) Break(StreamError.Cancelled);
        await inward;
        visitor.Dispose();
        await stream.DisposeAsync();
    }

    /// <summary>What the visitor has not read yet will not be all, or it does not read the last of it.</summary>
    private async Task<bool> IsCutOffAsync(Task outward) => !stream.IsComplete && (!stream.IsReadToEnd || await Task.WhenAny(outward, Task.Delay(LastBytesTime)) != outward);

    private async Task VisitorToStreamAsync()
    {
        try
        {
            await _copy.ToStreamAsync();
            _isVisitorFinished = true;
            await stream.CompleteWritesAsync();
        }
        catch (BondStreamException)
        {
            // The agent reads no more. What it still sends goes to the visitor; if it sends no more either, the other direction finds out.
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            Break(StreamError.VisitorReset);
        }
    }

    private async Task StreamToVisitorAsync()
    {
        try
        {
            await _copy.ToSocketAsync();
            visitor.Shutdown(SocketShutdown.Send);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException or BondStreamException)
        {
            Break(StreamError.VisitorReset);
        }
    }

    // Whichever side failed, the other one is to see a reset; the other direction ends by it too.
    private void Break(StreamError error)
    {
        stream.Abort(error);
        VisitorSocket.Reset(visitor);
    }
}

using System.Net.Sockets;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Relay;

/// <summary>Carries bytes between a visitor's socket and a stream of the bond until both directions are over. The end of a direction is passed on as such, a reset as a reset.</summary>
internal sealed class StreamPump(Socket visitor, BondStream stream)
{
    private readonly SocketCopy _copy = new(visitor, stream, TimeProvider.System);

    /// <summary>Owns both; never throws for what visitors, agents and networks do.</summary>
    public async Task RunAsync()
    {
        var bothWays = Task.WhenAll(VisitorToStreamAsync(), StreamToVisitorAsync());
        // The visitor may be silent for ever, or read nothing, while nobody looks at the stream: that the bond is lost, or the stream was reset, must end it too.
        if (!bothWays.IsCompleted && await Task.WhenAny(bothWays, stream.Closed) != bothWays && !stream.IsComplete) Break(StreamError.Cancelled);
        await bothWays;
        visitor.Dispose();
        await stream.DisposeAsync();
    }

    private async Task VisitorToStreamAsync()
    {
        try
        {
            await _copy.ToStreamAsync();
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

using System.Buffers;
using System.Net.Sockets;
using Bondline.Protocol;
using Bondline.Transport;

namespace Bondline.Relay;

/// <summary>Carries bytes between a visitor's socket and a stream of the bond until both directions are over. The end of a direction is passed on as such, a reset as a reset.</summary>
/// <remarks>
/// Each direction reads only what the other side has taken: back pressure is the await. A direction that waits holds no buffer, so that an idle visitor
/// costs two small state machines; the first <see cref="HotBuffers"/> to wait keep theirs, which saves busy connections a system call per message.
/// </remarks>
internal sealed class StreamPump(Socket visitor, BondStream stream)
{
    // A message is mostly small; whoever fills a small buffer is sending bulk, where 128 KiB at a time costs least.
    private const int SmallBufferLength = 16 << 10, LargeBufferLength = 128 << 10;

    private const int HotBuffers = 128;

    private static int hotBuffers;

    private volatile bool isVisitorFinished;

    /// <summary>Owns both; never throws for what visitors, agents and networks do.</summary>
    public async Task RunAsync()
    {
        var inward = VisitorToStreamAsync();
        await StreamToVisitorAsync();
        // Nobody reads the stream any more, and the visitor may be silent for ever: that the bond is lost, or the agent gave up, must end it too.
        if (!inward.IsCompleted && await Task.WhenAny(inward, stream.Closed) != inward && !isVisitorFinished) Break(StreamError.Cancelled);
        await inward;
        visitor.Dispose();
        await stream.DisposeAsync();
    }

    private async Task VisitorToStreamAsync()
    {
        var length = SmallBufferLength;
        try
        {
            while (true)
            {
                var isHot = TryKeepBuffer();
                if (!isHot) await visitor.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None); // waits for data
                var buffer = ArrayPool<byte>.Shared.Rent(length);
                try
                {
                    int read;
                    do
                    {
                        read = await visitor.ReceiveAsync(buffer.AsMemory(0, length), SocketFlags.None);
                        if (read == 0)
                        {
                            isVisitorFinished = true;
                            await stream.CompleteWritesAsync();
                            return;
                        }
                        await stream.WriteAsync(buffer.AsMemory(0, read));
                    }
                    while (isHot && read < length && length == SmallBufferLength);
                    length = NextLength(read, length);
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    if (isHot) Interlocked.Decrement(ref hotBuffers);
                }
            }
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
        var length = SmallBufferLength;
        try
        {
            while (true)
            {
                _ = await stream.ReadAsync(Memory<byte>.Empty); // waits for data
                var buffer = ArrayPool<byte>.Shared.Rent(length);
                try
                {
                    var read = await stream.ReadAsync(buffer.AsMemory(0, length));
                    if (read == 0)
                    {
                        visitor.Shutdown(SocketShutdown.Send);
                        return;
                    }
                    for (var sent = 0; sent < read;) sent += await visitor.SendAsync(buffer.AsMemory(sent, read - sent), SocketFlags.None);
                    length = NextLength(read, length);
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                }
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException or BondStreamException)
        {
            Break(StreamError.VisitorReset);
        }
    }

    private static int NextLength(int read, int length) => read == length ? LargeBufferLength : read < SmallBufferLength ? SmallBufferLength : length;

    private static bool TryKeepBuffer()
    {
        if (Volatile.Read(ref hotBuffers) >= HotBuffers) return false;
        if (Interlocked.Increment(ref hotBuffers) <= HotBuffers) return true;
        Interlocked.Decrement(ref hotBuffers);
        return false;
    }

    // Whichever side failed, the other one is to see a reset; the other direction ends by it too.
    private void Break(StreamError error)
    {
        stream.Abort(error);
        VisitorSocket.Reset(visitor);
    }
}

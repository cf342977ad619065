using System.Buffers;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Moves the bytes of a handshake between its state machine and a connection.</summary>
internal static class HandshakeExchange
{
    // A handshake frame has at most 4 KiB; data may follow the last one.
    private const int BufferLength = 16_384;

    /// <summary>Runs an agent's handshake to its end.</summary>
    /// <returns>What came behind it, and how long the relay took to answer the last message.</returns>
    /// <exception cref="ProtocolException">The relay refused, or broke the protocol.</exception>
    public static async Task<(byte[] Early, TimeSpan Rtt)> RunAsync(SubflowSocket socket, AgentHandshake handshake, TransportClock clock)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferLength);
        try
        {
            var kept = 0;
            var asked = clock.Now;
            while (true)
            {
                if (await SendAsync(socket, handshake.Transmit)) asked = clock.Now;
                if (handshake.IsComplete) return (buffer[..kept], clock.Now.Since(asked));
                var read = await socket.ReadAsync(buffer.AsMemory(kept));
                if (read == 0) throw new IOException("The relay closed the connection during the handshake.");
                kept += read;
                kept = Consume(buffer, kept, handshake.Receive(buffer.AsSpan(0, kept)));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true); // it held a secret
        }
    }

    /// <summary>Runs a relay's handshake until the agent has asked for something.</summary>
    /// <returns>What came behind the request, and how long the agent took to answer our HELLO.</returns>
    /// <exception cref="ProtocolException">The agent broke the protocol.</exception>
    public static async Task<(byte[] Early, TimeSpan Rtt)> ReceiveRequestAsync(SubflowSocket socket, RelayHandshake handshake, TransportClock clock)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferLength);
        try
        {
            var kept = 0;
            await SendAsync(socket, handshake.Transmit);
            var asked = clock.Now;
            while (handshake.Open is null && handshake.Join is null)
            {
                var read = await socket.ReadAsync(buffer.AsMemory(kept));
                if (read == 0) throw new IOException("The agent closed the connection during the handshake.");
                kept += read;
                kept = Consume(buffer, kept, handshake.Receive(buffer.AsSpan(0, kept)));
            }

            return (buffer[..kept], clock.Now.Since(asked));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true); // it held a token
        }
    }

    /// <summary>Sends all that a handshake has to say now.</summary>
    /// <returns>True if there was something.</returns>
    public static async Task<bool> SendAsync(SubflowSocket socket, Transmit transmit)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferLength);
        try
        {
            var isSent = false;
            while (transmit(buffer) is > 0 and var length)
            {
                await socket.WriteAsync(buffer.AsMemory(0, length));
                isSent = true;
            }

            return isSent;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
        }
    }

    /// <summary>Writes what a state machine wants to send; 0: nothing more.</summary>
    public delegate int Transmit(Span<byte> destination);

    private static int Consume(byte[] buffer, int length, int consumed)
    {
        if (consumed == 0 && length == buffer.Length) throw new ProtocolException(ProtocolError.FrameTooLarge, "A handshake message is too long.");
        buffer.AsSpan(consumed, length - consumed).CopyTo(buffer);
        return length - consumed;
    }
}

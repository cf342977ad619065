using System.Net.WebSockets;

namespace Bondline.Samples;

/// <summary>Sends messages of 1 byte to 16 MiB and compares what comes back.</summary>
internal static class WebSocketClient
{
    private static readonly int[] Sizes = [1, 125, 126, 65_535, 65_536, 1 << 20, 16 << 20, 1];

    /// <param name="url">Where it connects.</param>
    /// <param name="host">The Host it asks for.</param>
    /// <returns>What was compared.</returns>
    /// <exception cref="InvalidDataException">It was not the same.</exception>
    public static async Task<string> RunAsync(Uri url, string host)
    {
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Host", host);
        await socket.ConnectAsync(url, CancellationToken.None);
        foreach (var size in Sizes)
        {
            var message = new byte[size];
            new Noise((ulong)size).Fill(message);
            var sending = socket.SendAsync(message.AsMemory(), WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None).AsTask();
            var back = new byte[size];
            var length = 0;
            ValueWebSocketReceiveResult received;
            do
            {
                received = await socket.ReceiveAsync(back.AsMemory(length), CancellationToken.None);
                length += received.Count;
            }
            while (!received.EndOfMessage && length < size);
            await sending;
            if (length != size || !received.EndOfMessage || !message.AsSpan().SequenceEqual(back)) throw new InvalidDataException($"A message of {size} bytes came back as another, of {length}.");
        }
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        return $"{Sizes.Length} messages of {Sizes.Min()} to {Sizes.Max()} bytes";
    }
}

using System.Buffers.Binary;
using System.Net.Sockets;
using Bondline.Linux;

namespace Bondline.Lab;

internal sealed class EchoServer : ITraffic
{
    public IEnumerable<Action> Attach(Socket socket) => [() => Serve(socket)];

    public long Count => 0;

    public TrafficEvent Report() => new("report");

    public void Dispose()
    {
    }

    private static void Serve(Socket socket)
    {
        PreciseThread.TryRunFirst();
        using (socket)
        {
            var buffer = new byte[64 << 10];
            while (socket.Receive(buffer) is var read and > 0) socket.Send(buffer.AsSpan(0, read));
            socket.Shutdown(SocketShutdown.Send);
        }
    }
}

internal sealed class Holder : ITraffic
{
    private const int AnswerLimitMilliseconds = 10_000;

    private readonly List<Socket> _sockets = [];
    private long _nonce;

    public IEnumerable<Action> Attach(Socket socket)
    {
        socket.ReceiveTimeout = AnswerLimitMilliseconds;
        _sockets.Add(socket);
        return [];
    }

    public long Count => 0;

    public TrafficEvent Report()
    {
        var alive = 0;
        Span<byte> asked = stackalloc byte[8], answered = stackalloc byte[8];
        foreach (var socket in _sockets)
        {
            BinaryPrimitives.WriteInt64LittleEndian(asked, ++_nonce);
            try
            {
                socket.Send(asked);
                var filled = 0;
                while (filled < 8 && socket.Receive(answered[filled..]) is var read and > 0) filled += read;
                if (filled == 8 && answered.SequenceEqual(asked)) alive++;
            }
            catch (SocketException)
            {
                // Not alive: that is the answer.
            }
        }
        return new("report") { Hold = new(alive, _sockets.Count) };
    }

    public void Dispose() => _sockets.ForEach(socket => socket.Dispose());
}

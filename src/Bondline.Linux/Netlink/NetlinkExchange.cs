using System.ComponentModel;
using System.Net.Sockets;

namespace Bondline.Linux;

/// <summary>Writes a request for an exchange.</summary>
/// <param name="buffer">Where to.</param>
/// <param name="sequence">What its answer will carry.</param>
/// <returns>Its length in bytes.</returns>
internal delegate int NetlinkWriter(Span<byte> buffer, uint sequence);

/// <summary>One request after another and their answers, over a socket of its own. Not thread safe.</summary>
/// <remarks>The kernel has answered by the time a request is sent, and goes on with a dump while it is read: this waits for nobody.</remarks>
internal sealed class NetlinkExchange : IDisposable
{
    private const int MaxRequestLength = 4096;

    // A table that changes all the time gives a slightly wrong picture rather than none.
    private const int MaxAttempts = 8;

    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[64 << 10]; // more than the kernel puts into a datagram
    private uint _sequence;

    /// <exception cref="Win32Exception">The kernel does not have the protocol, or not for us.</exception>
    public NetlinkExchange(NetlinkProtocol protocol)
    {
        _socket = NetlinkSocket.Open(protocol);
        _socket.ReceiveTimeout = 5000; // against a kernel that forgets an answer
    }

    /// <summary>Asks, again if the answer was interrupted, and gives the whole answer.</summary>
    /// <remarks>The request must have <see cref="NetlinkFlags.Acknowledge"/> or <see cref="NetlinkFlags.Dump"/>: without, its answer has no end.</remarks>
    /// <exception cref="SocketException">The kernel cannot be talked to.</exception>
    /// <exception cref="NetlinkFormatException">The answer is not what the kernel sends.</exception>
    public NetlinkAnswer Ask(NetlinkWriter write, NetlinkFilter? isKept = null)
    {
        Span<byte> request = stackalloc byte[MaxRequestLength];
        for (var attempt = 1; ; attempt++)
        {
            var answer = new NetlinkAnswer(++_sequence, isKept);
            var length = write(request, _sequence);
            _socket.Send(request[..length]);
            if (TryReceive(answer) && !answer.IsInterrupted || attempt == MaxAttempts && answer.IsComplete) return answer;
            if (attempt == MaxAttempts) throw new SocketException((int)SocketError.NoBufferSpaceAvailable);
        }
    }

    public void Dispose() => _socket.Dispose();

    private bool TryReceive(NetlinkAnswer answer)
    {
        while (!answer.IsComplete)
        {
            try
            {
                answer.HandleDatagram(_buffer.AsSpan(0, _socket.Receive(_buffer)));
            }
            catch (SocketException full) when (full.SocketErrorCode == SocketError.NoBufferSpaceAvailable)
            {
                return false; // a part of the answer is lost
            }
        }

        return true;
    }
}

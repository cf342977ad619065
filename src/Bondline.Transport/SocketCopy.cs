using System.Buffers;
using System.Net;
using System.Net.Sockets;

namespace Bondline.Transport;

/// <summary>Carries the bytes of one connection between a socket and a stream of the bond, one method per direction; how the ends are treated is the caller's.</summary>
/// <remarks>
/// Each direction reads only what the other side has taken: back pressure is the await. A direction that waits holds no buffer, so that an idle connection
/// costs two small state machines; the first <see cref="HotBuffers"/> to wait keep theirs, which saves busy connections a system call per message.
/// </remarks>
public sealed class SocketCopy
{
    // A message is mostly small; whoever fills a small buffer is sending bulk, where 128 KiB at a time costs least.
    private const int SmallBufferLength = 16 << 10, LargeBufferLength = 128 << 10;

    private const int HotBuffers = 256;

    /// <summary>A thread that waits for many sockets serves others after so many rounds without a wait.</summary>
    private const int RoundsPerTurn = 16;

    private static int _hotBuffers;

    private readonly Socket _socket;
    private readonly BondStream _stream;
    private readonly TimeProvider _time;
    private long _lastWrite;

    /// <summary>Both stay the caller's.</summary>
    public SocketCopy(Socket socket, BondStream stream, TimeProvider time)
    {
        (_socket, _stream, _time) = (socket, stream, time);
        stream.ContinuesInline = true;
        if (IsLocal(socket)) NetworkPlatform.Current.TuneLocal(socket);
    }

    /// <summary>How long ago bytes were last written to the stream; null if none were.</summary>
    public TimeSpan? SinceLastWrite => Volatile.Read(ref _lastWrite) is var at and not 0 ? _time.GetElapsedTime(at) : null;

    /// <summary>Copies until the socket's peer has finished sending. The stream stays open.</summary>
    /// <exception cref="SocketException">The socket failed.</exception>
    /// <exception cref="ObjectDisposedException">The socket was closed.</exception>
    /// <exception cref="BondStreamException">The stream takes no more.</exception>
    public async Task ToStreamAsync()
    {
        var buffer = default(CopyBuffer);
        try
        {
            for (var rounds = 0; ;)
            {
                if (!buffer.TryKeep()) await _socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None);
                var receive = _socket.ReceiveAsync(buffer.Rent(), SocketFlags.None);
                rounds = receive.IsCompleted ? rounds + 1 : 0;
                var read = await receive;
                if (read == 0) return;
                await _stream.WriteAsync(buffer.Filled(read));
                Volatile.Write(ref _lastWrite, _time.GetTimestamp());
                buffer.HandleMoved(read);
                if (rounds >= RoundsPerTurn) await Task.Yield();
            }
        }
        finally
        {
            buffer.Return();
        }
    }

    /// <summary>Copies until the stream ends. The socket's sending direction stays open.</summary>
    /// <exception cref="SocketException">The socket failed.</exception>
    /// <exception cref="ObjectDisposedException">The socket was closed.</exception>
    /// <exception cref="BondStreamException">The stream was reset, or the bond is lost.</exception>
    public async Task ToSocketAsync()
    {
        var buffer = default(CopyBuffer);
        try
        {
            for (var rounds = 0; ;)
            {
                if (!buffer.TryKeep()) _ = await _stream.ReadAsync(Memory<byte>.Empty);
                var receive = _stream.ReadAsync(buffer.Rent());
                rounds = receive.IsCompleted ? rounds + 1 : 0;
                var read = await receive;
                if (read == 0) return;
                for (var sent = 0; sent < read;) sent += await _socket.SendAsync(buffer.Filled(read)[sent..], SocketFlags.None);
                buffer.HandleMoved(read);
                if (rounds >= RoundsPerTurn) await Task.Yield();
            }
        }
        finally
        {
            buffer.Return();
        }
    }

    private static bool IsLocal(Socket socket)
    {
        try
        {
            return socket is { LocalEndPoint: IPEndPoint local, RemoteEndPoint: IPEndPoint remote } && (IPAddress.IsLoopback(remote.Address) || remote.Address.Equals(local.Address));
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            return false; // copying finds out
        }
    }

    /// <summary>One direction's buffer: none while it waits, unless it is one of the hot ones; larger while bulk comes.</summary>
    private struct CopyBuffer
    {
        private byte[]? _array;
        private bool _isLarge, _isHot;

        private readonly int Length => _isLarge ? LargeBufferLength : SmallBufferLength;

        /// <returns>True if the buffer may be held while waiting.</returns>
        public bool TryKeep()
        {
            if (_isHot) return true;
            if (_isLarge || Volatile.Read(ref _hotBuffers) >= HotBuffers) return false;
            _isHot = Interlocked.Increment(ref _hotBuffers) <= HotBuffers;
            if (!_isHot) Interlocked.Decrement(ref _hotBuffers);
            return _isHot;
        }

        public Memory<byte> Rent() => (_array ??= ArrayPool<byte>.Shared.Rent(Length)).AsMemory(0, Length);

        public readonly ReadOnlyMemory<byte> Filled(int length) => _array.AsMemory(0, length);

        public void HandleMoved(int length)
        {
            if (_isHot && length < SmallBufferLength) return;
            var wasFull = length == Length;
            Return();
            _isLarge = wasFull || (_isLarge && length >= SmallBufferLength);
        }

        public void Return()
        {
            if (_array is not null) ArrayPool<byte>.Shared.Return(_array);
            _array = null;
            if (_isHot) Interlocked.Decrement(ref _hotBuffers);
            _isHot = false;
        }
    }
}

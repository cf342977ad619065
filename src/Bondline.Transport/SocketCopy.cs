using System.Buffers;
using System.Net;
using System.Net.Sockets;

namespace Bondline.Transport;

/// <summary>Carries the bytes of one connection between a socket and a stream of the bond, one method per direction; how the ends are treated is the caller's.</summary>
/// <remarks>
/// Each direction reads only what the other side has taken: back pressure is the await. A direction that waits for bytes holds no buffer (one that waits to
/// hand them on holds at most 64 KiB towards the socket, 128 KiB towards the stream), so that an idle connection costs two small state machines; the
/// first <see cref="HotBuffers"/> to wait keep theirs, which saves busy connections a system call per message.
/// </remarks>
public sealed class SocketCopy
{
    // A message is mostly small; whoever fills a small buffer is sending bulk, where 128 KiB at a time costs least, in the stream's own segments.
    // 64 and 128 KiB. For more than eight parts the runtime allocates with each call.
    private const int PartsPerSend = 8, PartsPerReceive = 4;

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
        var buffer = default(SmallBuffer);
        var parts = new List<ArraySegment<byte>>(1);
        var isBulk = false;
        try
        {
            _socket.Blocking = false; // for what is done without waiting
            for (var rounds = 0; ;)
            {
                int read;
                if (isBulk)
                {
                    rounds++;
                    while ((read = Receive(parts)) < 0)
                    {
                        rounds = 0;
                        await _socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None);
                        await Task.Yield(); // bulk is not for the thread that waits for many sockets
                    }

                    if (read == 0) return;
                    while (!_stream.TryGive(parts, out var room)) await room;
                    isBulk = read >= SmallBuffer.Length;
                }
                else
                {
                    if (!buffer.TryKeep()) await _socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None);
                    var receive = _socket.ReceiveAsync(buffer.Rent(), SocketFlags.None);
                    rounds = receive.IsCompleted ? rounds + 1 : 0;
                    read = await receive;
                    if (read == 0) return;
                    await _stream.WriteAsync(buffer.Filled(read));
                    isBulk = read == SmallBuffer.Length;
                    buffer.HandleMoved(isBulk);
                }

                Volatile.Write(ref _lastWrite, _time.GetTimestamp());
                if (rounds < RoundsPerTurn) continue;
                await Task.Yield();
                rounds = 0;
            }
        }
        finally
        {
            buffer.Return();
            _stream.ReturnParts(parts, 0, parts.Count);
        }
    }

    /// <summary>Copies until the stream ends. The socket's sending direction stays open.</summary>
    /// <exception cref="SocketException">The socket failed.</exception>
    /// <exception cref="ObjectDisposedException">The socket was closed.</exception>
    /// <exception cref="BondStreamException">The stream was reset, or the bond is lost.</exception>
    public async Task ToSocketAsync()
    {
        var parts = new List<ArraySegment<byte>>(1);
        try
        {
            _socket.Blocking = false;
            for (var rounds = 0; ;)
            {
                int taken;
                rounds++;
                while ((taken = _stream.TryTake(parts, PartsPerSend, out var bytes)) < 0)
                {
                    rounds = 0;
                    await bytes;
                }

                if (taken == 0) return;
                while (parts.Count > 0)
                {
                    if (parts.Count > 1) SendNow(parts);
                    if (parts.Count == 0) break;
                    var send = _socket.SendAsync(parts[0], SocketFlags.None);
                    var hasWaited = !send.IsCompleted;
                    RemoveSent(parts, await send);
                    if (hasWaited && parts.Count > 0) await Task.Yield(); // bulk is not for the thread that waits for many sockets
                }

                if (rounds < RoundsPerTurn) continue;
                await Task.Yield();
                rounds = 0;
            }
        }
        finally
        {
            _stream.ReturnParts(parts, 0, parts.Count);
        }
    }

    /// <summary>Receives into segments that the stream can keep; those that hold nothing are given back.</summary>
    /// <returns>Bytes; 0 at the end; -1 if there is nothing yet.</returns>
    private int Receive(List<ArraySegment<byte>> parts)
    {
        _stream.RentParts(parts, PartsPerReceive);
        var read = _socket.Receive(parts, SocketFlags.None, out var error);
        var used = 0;
        for (var left = error == SocketError.Success ? read : 0; left > 0; used++)
        {
            parts[used] = parts[used][..Math.Min(left, parts[used].Count)];
            left -= parts[used].Count;
        }

        _stream.ReturnParts(parts, used, parts.Count - used);
        return error switch
        {
            SocketError.Success => read,
            SocketError.WouldBlock => -1,
            _ => throw new SocketException((int)error),
        };
    }

    /// <summary>Sends what the socket takes at once, many parts with one system call.</summary>
    private void SendNow(List<ArraySegment<byte>> parts)
    {
        var sent = _socket.Send(parts, SocketFlags.None, out var error);
        if (error is not (SocketError.Success or SocketError.WouldBlock)) throw new SocketException((int)error);
        RemoveSent(parts, sent);
    }

    private void RemoveSent(List<ArraySegment<byte>> parts, int sent)
    {
        var whole = 0;
        for (; whole < parts.Count && sent >= parts[whole].Count; whole++) sent -= parts[whole].Count;
        if (sent > 0) parts[whole] = parts[whole][sent..];
        _stream.ReturnParts(parts, 0, whole);
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

    /// <summary>The buffer for messages: none while it waits, unless it is one of the hot ones.</summary>
    private struct SmallBuffer
    {
        public const int Length = 16 << 10;

        private byte[]? _array;
        private bool _isHot;

        /// <returns>True if the buffer may be held while waiting.</returns>
        public bool TryKeep()
        {
            if (_isHot) return true;
            if (Volatile.Read(ref _hotBuffers) >= HotBuffers) return false;
            _isHot = Interlocked.Increment(ref _hotBuffers) <= HotBuffers;
            if (!_isHot) Interlocked.Decrement(ref _hotBuffers);
            return _isHot;
        }

        public Memory<byte> Rent() => (_array ??= ArrayPool<byte>.Shared.Rent(Length)).AsMemory(0, Length);

        public readonly ReadOnlyMemory<byte> Filled(int length) => _array.AsMemory(0, length);

        public void HandleMoved(bool wasFull)
        {
            if (wasFull || !_isHot) Return();
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

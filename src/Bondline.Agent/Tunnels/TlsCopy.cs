using System.Buffers;
using System.Net.Security;
using System.Net.Sockets;
using Bondline.Transport;

namespace Bondline.Agent;

/// <summary>Carries the bytes between TLS to a local service and a stream of the bond; fails as <see cref="SocketCopy"/> does.</summary>
internal sealed class TlsCopy(SslStream tls, BondStream stream, TimeProvider time) : ILocalCopy
{
    private const int Length = 16 << 10; // one TLS record

    private long _lastWrite;

    public TimeSpan? SinceLastWrite => Volatile.Read(ref _lastWrite) is var at and not 0 ? time.GetElapsedTime(at) : null;

    public Task ToStreamAsync() => GuardAsync(async () =>
    {
        int read;
        do
        {
            _ = await tls.ReadAsync(Memory<byte>.Empty); // while it waits it holds no buffer
            var buffer = ArrayPool<byte>.Shared.Rent(Length);
            try
            {
                read = await tls.ReadAsync(buffer);
                if (read > 0) await stream.WriteAsync(buffer.AsMemory(0, read));
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
            Volatile.Write(ref _lastWrite, time.GetTimestamp());
        }
        while (read > 0);
    });

    public Task ToSocketAsync() => GuardAsync(async () =>
    {
        int read;
        do
        {
            _ = await stream.ReadAsync(Memory<byte>.Empty);
            var buffer = ArrayPool<byte>.Shared.Rent(Length);
            try
            {
                read = await stream.ReadAsync(buffer);
                if (read > 0) await tls.WriteAsync(buffer.AsMemory(0, read));
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
        while (read > 0);
        await tls.ShutdownAsync();
    });

    private static async Task GuardAsync(Func<Task> copy)
    {
        try
        {
            await copy();
        }
        catch (IOException error)
        {
            if (error.InnerException is ObjectDisposedException closed) throw new ObjectDisposedException(closed.ObjectName);
            throw new SocketException((int)(error.InnerException is SocketException failed ? failed.SocketErrorCode : SocketError.ConnectionReset));
        }
    }
}

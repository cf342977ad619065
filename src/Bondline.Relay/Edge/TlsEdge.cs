using System.Net;
using System.Net.Sockets;
using System.Text;
using Bondline.Transport;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>The TLS port: looks at what a connection begins with, without consuming it, and hands it to the bonds or to the HTTP edge.</summary>
/// <remarks>The bytes stay in the socket: a subflow's TLS must read all of them, and Kestrel too. While a hello is not whole, readiness says nothing
/// new (the bytes seen are still there), so the socket is looked at again after waits that grow by a quarter: about thirty times in five seconds, and
/// never much later than the bytes came.</remarks>
/// <param name="bonds">Takes agents' subflows.</param>
/// <param name="visitors">Takes the others.</param>
/// <param name="plainAnswer">What a plain HTTP request is told.</param>
/// <param name="mostUndecided">Connections at once that have not said what they are; beyond, the oldest one is closed.</param>
/// <param name="time">Limits how long they may take.</param>
/// <param name="log">Where those that are closed go.</param>
internal sealed class TlsEdge(BondHost bonds, Func<Socket, Task> visitors, string plainAnswer, int mostUndecided, TimeProvider time, ILogger log) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5), FirstWait = TimeSpan.FromMilliseconds(1);

    private readonly HandshakeAdmission _undecided = new(limit: mostUndecided, limitPerSource: 512);
    private readonly CancellationTokenSource _stop = new(); // never disposed: connections look at it late

    /// <summary>Serves one accepted connection; a subflow until it ends.</summary>
    public async Task ServeAsync(Socket socket)
    {
        switch (await DecideAsync(socket))
        {
            case FirstBytesKind.Subflow:
                await bonds.HandleConnectionAsync(socket, _stop.Token);
                break;
            case FirstBytesKind.Tls:
                await visitors(socket);
                break;
            default:
                socket.Dispose();
                break;
        }
    }

    /// <summary>Closes the connections that are still undecided, and ends the subflows.</summary>
    public void Dispose() => _stop.Cancel();

    private async Task<FirstBytesKind> DecideAsync(Socket socket)
    {
        var remote = socket.RemoteEndPoint;
        using var place = _undecided.Enter((remote as IPEndPoint)?.Address ?? IPAddress.None);
        using var late = new CancellationTokenSource(Patience, time);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(place.Lost, late.Token, _stop.Token);
        var closing = over.Token.UnsafeRegister(static socket => ((Socket)socket!).Dispose(), socket);
        try
        {
            var first = await LookAsync(socket);
            if (first.Kind == FirstBytesKind.Http) await AnswerPlainAsync(socket);
            if (first.Kind is FirstBytesKind.Http or FirstBytesKind.Unknown) log.NotTls(remote, first.Kind);
            closing.Dispose(); // from here on it stays open, or was closed before
            return over.IsCancellationRequested ? FirstBytesKind.Unknown : first.Kind;
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException) // reset, or closed by us
        {
            log.Dropped(remote, late.IsCancellationRequested ? "no ClientHello in time" : place.Lost.IsCancellationRequested ? "too many without a ClientHello, and it was the oldest" : error.Message);
            return FirstBytesKind.Unknown;
        }
        finally
        {
            closing.Dispose();
        }
    }

    private async Task<FirstBytes> LookAsync(Socket socket)
    {
        await socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None); // a connection that says nothing holds no buffer
        for (var wait = FirstWait; ; wait *= 1.25)
        {
            var first = Peek(socket);
            if (first.Kind != FirstBytesKind.Incomplete) return first;
            await Task.Delay(wait, time);
        }
    }

    private static FirstBytes Peek(Socket socket)
    {
        Span<byte> buffer = stackalloc byte[FirstBytes.MaxLength];
        var length = socket.Receive(buffer, SocketFlags.Peek);
        return length == 0 ? new(FirstBytesKind.Unknown) : FirstBytes.Read(buffer[..length]); // 0: closed at once
    }

    private async Task AnswerPlainAsync(Socket socket)
    {
        var body = Encoding.ASCII.GetBytes(plainAnswer);
        byte[] answer = [.. Encoding.ASCII.GetBytes($"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n"), .. body];
        await socket.SendAsync(answer);
        socket.Shutdown(SocketShutdown.Send);
        // Closing with unread bytes would reset the connection, and the answer with it.
        var scrap = new byte[4096];
        for (var read = 0; read < 1 << 20;)
        {
            var length = await socket.ReceiveAsync(scrap);
            if (length == 0) break;
            read += length;
        }
    }
}

using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>Accepts connections on one address and serves each until the acceptor is disposed; connections being served live on.</summary>
internal sealed class Acceptor : IAsyncDisposable
{
    private const int Backlog = 1024, WaitMs = 100;

    private readonly Socket listener;
    private readonly Func<Socket, Task> serve;
    private readonly ILogger log;
    private readonly Task accepting;
    private readonly TaskCompletionSource served = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool isClosing;
    private int running = 1; // the accept loop itself

    /// <param name="listener">Bound; owned from here on.</param>
    /// <param name="serve">Owns the accepted socket. What it throws is a bug and is logged.</param>
    /// <param name="log">Where failures to accept go.</param>
    public Acceptor(Socket listener, Func<Socket, Task> serve, ILogger log)
    {
        this.listener = listener;
        this.serve = serve;
        this.log = log;
        EndPoint = (IPEndPoint)listener.LocalEndPoint!;
        listener.Listen(Backlog);
        accepting = AcceptAsync();
    }

    public IPEndPoint EndPoint { get; }

    /// <summary>Completes when the acceptor is disposed and every connection was served.</summary>
    public Task Served => served.Task;

    /// <summary>A bound socket that does not listen yet.</summary>
    /// <param name="address">Null for every address, IPv4 and IPv6.</param>
    /// <param name="port">0 for one the system chooses.</param>
    /// <exception cref="SocketException">The port is taken or may not be used.</exception>
    public static Socket Bind(IPAddress? address, int port)
    {
        if (address is not null) return Bind(new IPEndPoint(address, port), isDual: false);
        try
        {
            if (Socket.OSSupportsIPv6) return Bind(new IPEndPoint(IPAddress.IPv6Any, port), isDual: true);
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.AddressNotAvailable or SocketError.AddressFamilyNotSupported)
        {
            // IPv6 is compiled in but switched off: IPv4 alone.
        }
        return Bind(new IPEndPoint(IPAddress.Any, port), isDual: false);
    }

    /// <summary>Closes the port and waits for the accept loop; connections being served go on.</summary>
    public async ValueTask DisposeAsync()
    {
        isClosing = true;
        listener.Dispose();
        await accepting;
    }

    private static Socket Bind(IPEndPoint endPoint, bool isDual)
    {
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (isDual) socket.DualMode = true;
            socket.Bind(endPoint);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private async Task AcceptAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // the constructor's caller does not accept
        while (!isClosing)
        {
            try
            {
                // Its end is awaited through the count.
                _ = ServeAsync(await listener.AcceptAsync());
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                if (isClosing) break;
                if (error is SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.ConnectionAborted }) continue; // gone before we came to it
                log.AcceptFailed(EndPoint, error.Message, WaitMs); // no file descriptors or memory left: others must finish first
                await Task.Delay(WaitMs);
            }
        }
        Leave();
    }

    private async Task ServeAsync(Socket socket)
    {
        Interlocked.Increment(ref running);
        try
        {
            await serve(socket);
        }
        catch (Exception error)
        {
            log.ServingFailed(EndPoint, error);
            socket.Dispose();
        }
        finally
        {
            Leave();
        }
    }

    private void Leave()
    {
        if (Interlocked.Decrement(ref running) == 0) served.TrySetResult();
    }
}

using System.Net;
using System.Net.Sockets;
using Bondline.Transport;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>Accepts connections on one address and serves each until the acceptor is disposed; connections being served live on.</summary>
internal sealed class Acceptor : IAsyncDisposable
{
    private const int Backlog = 1024, WaitMs = 100;

    private readonly Socket _listener;
    private readonly Func<Socket, Task> _serve;
    private readonly ServedConnections _connections;
    private readonly ILogger _log;
    private readonly Task _accepting;
    private volatile bool _isClosing;

    /// <param name="listener">Bound; owned from here on.</param>
    /// <param name="serve">Owns the accepted socket.</param>
    /// <param name="connections">Counts those being served.</param>
    /// <param name="log">Where failures to accept go.</param>
    public Acceptor(Socket listener, Func<Socket, Task> serve, ServedConnections connections, ILogger log)
    {
        _connections = connections;
        _listener = listener;
        _serve = serve;
        _log = log;
        EndPoint = (IPEndPoint)listener.LocalEndPoint!;
        listener.Listen(Backlog);
        _accepting = AcceptAsync();
    }

    public IPEndPoint EndPoint { get; }

    /// <summary>A bound socket that does not listen yet; it takes Multipath TCP where the system has it.</summary>
    /// <param name="address">Null for every address, IPv4 and IPv6.</param>
    /// <param name="port">0 for one the system chooses.</param>
    /// <param name="platform">The system.</param>
    /// <exception cref="SocketException">The port is taken or may not be used.</exception>
    public static Socket Bind(IPAddress? address, int port, INetworkPlatform platform)
    {
        if (address is not null) return Bind(new IPEndPoint(address, port), isDual: false, platform);
        try
        {
            if (Socket.OSSupportsIPv6) return Bind(new IPEndPoint(IPAddress.IPv6Any, port), isDual: true, platform);
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.AddressNotAvailable or SocketError.AddressFamilyNotSupported)
        {
            // IPv6 is compiled in but switched off: IPv4 alone.
        }
        return Bind(new IPEndPoint(IPAddress.Any, port), isDual: false, platform);
    }

    /// <summary>Closes the port and waits for the accept loop; connections being served go on.</summary>
    public async ValueTask DisposeAsync()
    {
        _isClosing = true;
        _listener.Dispose();
        await _accepting;
    }

    private static Socket Bind(IPEndPoint endPoint, bool isDual, INetworkPlatform platform)
    {
        try
        {
            if (platform.TryCreateMultipath(endPoint.AddressFamily) is { } multipath) return Bind(multipath, endPoint, isDual);
        }
        catch (SocketException)
        {
            // Whatever it was, plain TCP may be let; and if not, its reason is the one to tell.
        }
        return Bind(new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp), endPoint, isDual);
    }

    private static Socket Bind(Socket socket, IPEndPoint endPoint, bool isDual)
    {
        try
        {
            socket.NoDelay = true; // those it accepts need it; Multipath TCP that cannot (Linux before 5.17) has no resets either, and is too young to serve anybody
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
        while (!_isClosing)
        {
            try
            {
                _connections.Start(await _listener.AcceptAsync(), _serve, EndPoint);
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                if (_isClosing) break;
                if (error is SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.ConnectionAborted }) continue; // gone before we came to it
                _log.AcceptFailed(EndPoint, error.Message, WaitMs); // no file descriptors or memory left: others must finish first
                await Task.Delay(WaitMs);
            }
        }
    }
}

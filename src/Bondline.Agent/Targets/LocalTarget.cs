using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Bondline.Protocol;

namespace Bondline.Agent;

/// <summary>Where a tunnel leads: a TCP service of this machine or one it can reach. Nothing else is ever dialled for a visitor.</summary>
public sealed record LocalTarget
{
    /// <summary>A service that neither accepts nor refuses for this long does not answer.</summary>
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    private LocalTarget(TunnelKind kind, string? host, int port) => (Kind, Host, Port) = (kind, host, port);

    public TunnelKind Kind { get; }

    /// <summary>A host name or address; null for this machine: 127.0.0.1, then ::1.</summary>
    public string? Host { get; }

    public int Port { get; }

    /// <summary>The port, or host and port: what names the target among those of this machine.</summary>
    public string Key => Host is null ? Port.ToString(CultureInfo.InvariantCulture) : Address;

    /// <summary>How people write it: <c>http://127.0.0.1:3000</c> or <c>127.0.0.1:22</c>.</summary>
    public override string ToString() => Kind == TunnelKind.Http ? $"http://{Address}" : Address;

    private string Address => Host is null ? $"127.0.0.1:{Port}" : Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    /// <summary>Reads PORT, HOST:PORT and, for HTTP, http://HOST[:PORT].</summary>
    /// <param name="text">What the user wrote.</param>
    /// <param name="kind">What the tunnel carries.</param>
    /// <param name="target">The target, if the answer is <see cref="TargetSyntax.Valid"/>.</param>
    public static TargetSyntax TryParse(string text, TunnelKind kind, out LocalTarget? target)
    {
        target = null;
        var rest = text;
        if (text.IndexOf("://", StringComparison.Ordinal) is var at and > 0)
        {
            if (kind != TunnelKind.Http) return TargetSyntax.Invalid;
            var scheme = text[..at].ToLowerInvariant();
            if (scheme is "https" or "h2c") return TargetSyntax.NotAvailable;
            if (scheme != "http") return TargetSyntax.Invalid;
            rest = text[(at + 3)..];
            if (rest.EndsWith('/')) rest = rest[..^1];
            if (rest.Contains('/', StringComparison.Ordinal) || rest.Contains('?', StringComparison.Ordinal)) return TargetSyntax.HasPath;
            if (!HasPort(rest)) rest += ":80";
        }
        else if (text.StartsWith("unix:", StringComparison.Ordinal))
        {
            return TargetSyntax.NotAvailable;
        }
        if (TryPort(rest, out var port))
        {
            target = new(kind, null, port);
            return TargetSyntax.Valid;
        }
        var colon = rest.LastIndexOf(':');
        if (colon <= 0 || !TryPort(rest[(colon + 1)..], out port)) return IsFolder(text, kind) ? TargetSyntax.NotAvailable : TargetSyntax.Invalid;
        var host = rest[..colon];
        if (host.StartsWith('[') && host.EndsWith(']'))
        {
            host = host[1..^1];
            if (!IPAddress.TryParse(host, out var address) || address.AddressFamily != AddressFamily.InterNetworkV6) return TargetSyntax.Invalid;
        }
        else if (Uri.CheckHostName(host) is not (UriHostNameType.Dns or UriHostNameType.IPv4))
        {
            return TargetSyntax.Invalid;
        }
        host = host.ToLowerInvariant();
        target = new(kind, host == "localhost" ? null : host, port);
        return TargetSyntax.Valid;
    }

    /// <summary>Connects, trying each address once.</summary>
    /// <exception cref="SocketException">No address accepted; the last one's reason.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public async ValueTask<Socket> ConnectAsync(CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(ConnectTimeout);
        try
        {
            SocketException? refused = null;
            foreach (var address in await AddressesAsync(limit.Token))
            {
                var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                try
                {
                    await socket.ConnectAsync(address, Port, limit.Token);
                    return socket;
                }
                catch (SocketException error)
                {
                    socket.Dispose();
                    refused = error;
                    if (error.SocketErrorCode == SocketError.ConnectionReset) break; // a service accepted, and reset before we saw that
                }
                catch
                {
                    socket.Close(0); // the service may have accepted already: it sees a reset
                    throw;
                }
            }
            throw refused ?? new SocketException((int)SocketError.HostNotFound);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            throw new SocketException((int)SocketError.TimedOut);
        }
    }

    private async ValueTask<IPAddress[]> AddressesAsync(CancellationToken stop)
    {
        if (Host is null) return [IPAddress.Loopback, IPAddress.IPv6Loopback];
        if (IPAddress.TryParse(Host, out var address)) return [address];
        return await Dns.GetHostAddressesAsync(Host, stop);
    }

    private static bool HasPort(string authority) =>
        TryPort(authority, out _) || (authority.LastIndexOf(':') is var colon and > 0 && !authority.EndsWith(']') && TryPort(authority[(colon + 1)..], out _));

    private static bool TryPort(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is > 0 and <= 65_535;

    private static bool IsFolder(string text, TunnelKind kind) => kind == TunnelKind.Http && Directory.Exists(text);
}

/// <summary>What came of reading a target.</summary>
public enum TargetSyntax
{
    Valid,
    Invalid,

    /// <summary>A URL with a path: a tunnel leads to a whole service.</summary>
    HasPath,

    /// <summary>A folder, or a scheme that this version has not got.</summary>
    NotAvailable,
}

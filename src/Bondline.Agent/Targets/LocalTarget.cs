using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Bondline.Protocol;

namespace Bondline.Agent;

/// <summary>What the agent speaks to a local service.</summary>
public enum TargetScheme
{
    /// <summary>Bytes.</summary>
    Tcp,

    /// <summary>HTTP/1.1.</summary>
    Http,

    /// <summary>HTTP over TLS, which the agent ends.</summary>
    Https,

    /// <summary>HTTP/2 without TLS, known beforehand.</summary>
    H2c,

    /// <summary>HTTP/1.1 over a Unix socket.</summary>
    Unix,

    /// <summary>Nothing: the agent serves a folder's files itself.</summary>
    Folder,
}

/// <summary>Where a tunnel leads: a service of this machine or one it can reach, or a folder. Nothing else is ever dialled for a visitor.</summary>
public sealed record LocalTarget
{
    /// <summary>A service that neither accepts nor refuses for this long does not answer.</summary>
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    private LocalTarget(TargetScheme scheme, string? host, int port, string? path = null) => (Scheme, Host, Port, Path) = (scheme, host, port, path);

    public TargetScheme Scheme { get; }

    public TunnelKind Kind => Scheme == TargetScheme.Tcp ? TunnelKind.Tcp : TunnelKind.Http;

    /// <summary>A host name or address; null for this machine: 127.0.0.1, then ::1.</summary>
    public string? Host { get; }

    /// <summary>0 if there is a <see cref="Path"/>.</summary>
    public int Port { get; }

    /// <summary>Of a Unix socket or a folder, in full; else null.</summary>
    public string? Path { get; }

    /// <summary>The port, or host and port, or path: what names the target among those of this machine.</summary>
    public string Key => this switch
    {
        { Scheme: TargetScheme.Folder } => Path!,
        { Path: not null } => $"unix:{Path}",
        { Host: null } => Port.ToString(CultureInfo.InvariantCulture),
        _ => Address,
    };

    /// <summary>What a browser on this machine would send as Host.</summary>
    public string OwnHost => this switch
    {
        { Path: not null } => "localhost",
        { Scheme: TargetScheme.Http or TargetScheme.H2c, Port: 80 } or { Scheme: TargetScheme.Https, Port: 443 } => OwnName,
        _ => $"{OwnName}:{Port}",
    };

    /// <summary>How people write it: <c>http://127.0.0.1:3000</c> or <c>127.0.0.1:22</c>.</summary>
    public override string ToString() => Scheme switch
    {
        TargetScheme.Tcp => Address,
        TargetScheme.Unix or TargetScheme.Folder => Key,
        _ => $"{Scheme.ToString().ToLowerInvariant()}://{Address}",
    };

    // The zone of a link-local address is this machine's own and stands in no header (RFC 6874 section 1).
    private string OwnName => Bracketed((Host ?? "localhost").Split('%')[0]);

    private string Address => $"{Bracketed(Host ?? "127.0.0.1")}:{Port}";

    /// <summary>Reads PORT, HOST:PORT and, for HTTP, http:// and https://HOST[:PORT], h2c://HOST:PORT, unix:PATH and the path of a folder.</summary>
    /// <param name="text">What the user wrote.</param>
    /// <param name="kind">What the tunnel carries.</param>
    /// <param name="target">The target, if the answer is <see cref="TargetSyntax.Valid"/>.</param>
    public static TargetSyntax TryParse(string text, TunnelKind kind, out LocalTarget? target)
    {
        target = null;
        var scheme = kind == TunnelKind.Tcp ? TargetScheme.Tcp : TargetScheme.Http;
        var rest = text;
        if (text.IndexOf("://", StringComparison.Ordinal) is var at and > 0)
        {
            if (kind != TunnelKind.Http || !TryScheme(text[..at], out scheme)) return TargetSyntax.Invalid;
            rest = text[(at + 3)..];
            if (rest.EndsWith('/')) rest = rest[..^1];
            if (rest.Contains('/', StringComparison.Ordinal) || rest.Contains('?', StringComparison.Ordinal)) return TargetSyntax.HasPath;
            if (!HasPort(rest)) rest += scheme == TargetScheme.Https ? ":443" : ":80";
        }
        else if (kind == TunnelKind.Http && text.StartsWith("unix:", StringComparison.OrdinalIgnoreCase))
        {
            return TryUnix(text["unix:".Length..], out target) ? TargetSyntax.Valid : TargetSyntax.Invalid;
        }
        if (TryPort(rest, out var port))
        {
            target = new(scheme, null, port);
            return TargetSyntax.Valid;
        }
        var colon = rest.LastIndexOf(':');
        if (colon <= 0 || !TryPort(rest[(colon + 1)..], out port))
        {
            if (kind != TunnelKind.Http || !Directory.Exists(text)) return TargetSyntax.Invalid;
            target = new(TargetScheme.Folder, null, 0, System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(text)));
            return TargetSyntax.Valid;
        }
        var host = rest[..colon];
        if (host.StartsWith('[') && host.EndsWith(']'))
        {
            host = host[1..^1];
            // TryParse alone takes brackets and a port once more.
            if (host.AsSpan().ContainsAny('[', ']') || !IPAddress.TryParse(host, out var address) || address.AddressFamily != AddressFamily.InterNetworkV6) return TargetSyntax.Invalid;
        }
        else if (!Ascii.IsValid(host) || Uri.CheckHostName(host) is not (UriHostNameType.Dns or UriHostNameType.IPv4))
        {
            return TargetSyntax.Invalid;
        }
        host = host.ToLowerInvariant();
        target = new(scheme, host == "localhost" ? null : host, port);
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
            foreach (var endPoint in await EndPointsAsync(limit.Token))
            {
                var socket = Path is null
                    ? new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }
                    : new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(endPoint, limit.Token);
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

    private async ValueTask<EndPoint[]> EndPointsAsync(CancellationToken stop)
    {
        if (Path is not null) return [new UnixDomainSocketEndPoint(Path)];
        if (Host is null) return [new IPEndPoint(IPAddress.Loopback, Port), new IPEndPoint(IPAddress.IPv6Loopback, Port)];
        if (IPAddress.TryParse(Host, out var address)) return [new IPEndPoint(address, Port)];
        return [.. (await Dns.GetHostAddressesAsync(Host, stop)).Select(found => new IPEndPoint(found, Port))];
    }

    private static bool TryScheme(string text, out TargetScheme scheme)
    {
        scheme = text.ToLowerInvariant() switch
        {
            "http" => TargetScheme.Http,
            "https" => TargetScheme.Https,
            "h2c" => TargetScheme.H2c,
            _ => TargetScheme.Tcp,
        };
        return scheme != TargetScheme.Tcp;
    }

    private static bool TryUnix(string path, out LocalTarget? target)
    {
        const int longest = 107; // sun_path holds 108 bytes, with the zero at its end
        target = null;
        if (path.Length == 0 || path.Contains('\0', StringComparison.Ordinal)) return false;
        path = System.IO.Path.GetFullPath(path);
        if (Encoding.UTF8.GetByteCount(path) > longest) return false;
        target = new(TargetScheme.Unix, null, 0, path);
        return true;
    }

    private static bool HasPort(string authority) =>
        TryPort(authority, out _) || (authority.LastIndexOf(':') is var colon and > 0 && !authority.EndsWith(']') && TryPort(authority[(colon + 1)..], out _));

    private static bool TryPort(string text, out int port) =>
        DecimalText.TryRead(text, out port) && port is > 0 and <= 65_535;

    private static string Bracketed(string host) => host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host;
}

/// <summary>What came of reading a target.</summary>
public enum TargetSyntax
{
    Valid,
    Invalid,

    /// <summary>A URL with a path: a tunnel leads to a whole service.</summary>
    HasPath,
}

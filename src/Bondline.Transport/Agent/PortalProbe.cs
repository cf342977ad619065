using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Asks for a web page at the relay's own address, over plain HTTP: a network that wants people to sign in first answers in its place. No third party hears of it.</summary>
internal static class PortalProbe
{
    private const int WebPort = 80, MaxHeadBytes = 8 << 10;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    /// <returns>Who answered, as far as it says: a host, or an empty text; null if nobody did who should not.</returns>
    public static async Task<string?> FindAsync(INetworkPlatform platform, PathCommand.Probe probe, string host, CancellationToken cancellationToken)
    {
        foreach (var port in new[] { WebPort, probe.Relay.EndPoint.Port }.Distinct())
        {
            using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            time.CancelAfter(Limit);
            try
            {
                if (await AskAsync(platform, probe, new(probe.Relay.EndPoint.Address, port), host, time.Token) is { } portal) return portal;
            }
            catch (Exception silent) when (silent is SocketException || (silent is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                // nobody there
            }
        }

        return null;
    }

    /// <summary>Whether an answer is a portal's.</summary>
    /// <param name="head">The start of the answer, to the end of its head or of what came.</param>
    /// <param name="host">Whom it should be from.</param>
    /// <returns>As <see cref="FindAsync"/>.</returns>
    internal static string? Judge(string head, string host)
    {
        var lines = head.Split("\r\n");
        if (!lines[0].StartsWith("HTTP/1.", StringComparison.Ordinal) || lines[0].Length < 12 || !DecimalText.TryRead(lines[0].AsSpan(9, 3), out var status)) return null;
        return status switch
        {
            511 => "", // RFC 6585 section 6
            301 or 302 or 303 or 307 or 308 => Elsewhere(Field(lines, "Location:"), host),
            // What was asked for is nowhere: whoever has a page for it has one for everything.
            200 when Field(lines, "Content-Type:").StartsWith("text/html", StringComparison.OrdinalIgnoreCase) => "",
            _ => null,
        };
    }

    private static async Task<string?> AskAsync(INetworkPlatform platform, PathCommand.Probe probe, IPEndPoint web, string host, CancellationToken cancellationToken)
    {
        using var socket = new Socket(web.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        if (platform.Bind(socket, probe.Path) != SocketError.Success) return null;
        await socket.ConnectAsync(web, cancellationToken);
        ReadOnlyMemory<byte> request = Encoding.ASCII.GetBytes($"GET /.well-known/bondline HTTP/1.1\r\nHost: {new HostPort(host, web.Port)}\r\nUser-Agent: bondline\r\nConnection: close\r\n\r\n");
        while (!request.IsEmpty) request = request[await socket.SendAsync(request, SocketFlags.None, cancellationToken)..];
        var buffer = ArrayPool<byte>.Shared.Rent(MaxHeadBytes);
        try
        {
            var length = 0;
            while (length < MaxHeadBytes && buffer.AsSpan(0, length).IndexOf("\r\n\r\n"u8) < 0)
            {
                var read = await socket.ReceiveAsync(buffer.AsMemory(length, MaxHeadBytes - length), SocketFlags.None, cancellationToken);
                if (read == 0) break;
                length += read;
            }

            return Judge(Encoding.Latin1.GetString(buffer, 0, length), host);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static string Field(string[] lines, string name) =>
        lines.Skip(1).TakeWhile(line => line.Length > 0).FirstOrDefault(line => line.StartsWith(name, StringComparison.OrdinalIgnoreCase))?[name.Length..].Trim() ?? "";

    /// <summary>The host a redirection leads to, if it is not the same site: to https or www. is what servers do.</summary>
    private static string? Elsewhere(string location, string host)
    {
        var start = location.IndexOf("//", StringComparison.Ordinal);
        if (start < 0) return null;
        var authority = location[(start + 2)..].Split(['/', '?', '#'], 2)[0];
        if (!HostPort.TryParse(authority.AsSpan(authority.LastIndexOf('@') + 1), WebPort, out var target)) return "";
        return IsWithin(target.Host, host) || IsWithin(host, target.Host) ? null : target.Host;
    }

    private static bool IsWithin(string name, string domain) =>
        name.EndsWith(domain, StringComparison.OrdinalIgnoreCase) && (name.Length == domain.Length || name[^(domain.Length + 1)] == '.');
}

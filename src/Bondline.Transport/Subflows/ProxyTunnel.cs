using System.Buffers;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>Opens a way through a web proxy (RFC 9110 section 9.3.6). Whatever a proxy says is hostile until TLS has shown the relay's key.</summary>
internal static class ProxyTunnel
{
    /// <summary>No proxy's answer is longer; browsers take more, but what counts is its first line.</summary>
    public const int MaxHeadBytes = 16 << 10;

    private const int MostSchemes = 3;

    /// <summary>Asks for a connection to <paramref name="relay"/>; behind it the socket is the relay's.</summary>
    /// <exception cref="ProxyException">The proxy does not lead there.</exception>
    public static async Task OpenAsync(Socket socket, HostPort relay, HttpProxy proxy, CancellationToken cancellationToken)
    {
        var authorization = proxy.Credentials is { } credentials ? $"Proxy-Authorization: Basic {credentials}\r\n" : "";
        ReadOnlyMemory<byte> request = Encoding.ASCII.GetBytes($"CONNECT {relay} HTTP/1.1\r\nHost: {relay}\r\n{authorization}User-Agent: bondline\r\n\r\n");
        while (!request.IsEmpty) request = request[await socket.SendAsync(request, SocketFlags.None, cancellationToken)..];

        var buffer = ArrayPool<byte>.Shared.Rent(MaxHeadBytes);
        try
        {
            var length = 0;
            while (true)
            {
                var read = await socket.ReceiveAsync(buffer.AsMemory(length, MaxHeadBytes - length), SocketFlags.None, cancellationToken);
                if (read == 0) throw new ProxyException($"{proxy} closed the connection when asked for {relay}");
                length += read;
                if (Check(buffer.AsSpan(0, length), relay, proxy)) return;
                if (length == MaxHeadBytes) throw NotAProxy(proxy);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <returns>False until the head is whole; true if the proxy agreed.</returns>
    /// <exception cref="ProxyException">It did not.</exception>
    internal static bool Check(ReadOnlySpan<byte> received, HostPort relay, HttpProxy proxy)
    {
        if (!"HTTP/1."u8.StartsWith(received[..Math.Min(received.Length, 7)])) throw NotAProxy(proxy);
        var end = received.IndexOf("\r\n\r\n"u8);
        if (end < 0) return false;
        var head = Encoding.Latin1.GetString(received[..end]);
        // "HTTP/1.1 200 Connection established"
        if (head.Length < 12 || head[8] != ' ' || !DecimalText.TryRead(head.AsSpan(9, 3), out var status) || head.Length > 12 && head[12] is not (' ' or '\r'))
            throw NotAProxy(proxy);
        if (status is < 200 or > 299) throw new ProxyException(Refusal(status, head, relay, proxy)) { IsDenied = status is 401 or 407 };
        // In TLS the client speaks first: what is here already is nothing that the relay said.
        return received.Length == end + 4 ? true : throw new ProxyException($"{proxy} says more than it was asked: it is no tunnel to {relay}");
    }

    private static ProxyException NotAProxy(HttpProxy proxy) => new($"{proxy.Address}, which {proxy.Variable} names, does not answer as an HTTP proxy");

    private static string Refusal(int status, string head, HostPort relay, HttpProxy proxy) => status switch
    {
        407 when Schemes(head) is { Count: > 0 } schemes && !schemes.Contains("basic", StringComparer.OrdinalIgnoreCase) =>
            $"{proxy} wants a log-in by {string.Join(" or ", schemes)} (407), and Bondline knows Basic only; a local proxy that logs in there may stand between",
        401 or 407 when proxy.Credentials is null => $"{proxy} wants a user name and password ({status}); write {proxy.Variable} as http://USER:PASSWORD@HOST:PORT",
        // tinyproxy, for one, says 401 to a wrong password
        401 or 407 => $"{proxy} does not take the user name and password in {proxy.Variable} ({status})",
        403 or 405 => $"{proxy} does not allow connections to {relay} ({status}); many allow port 443 only",
        502 or 503 or 504 => $"{proxy} does not reach {relay} ({status})",
        _ => string.Create(CultureInfo.InvariantCulture, $"{proxy} does not lead to {relay} (status {status})"),
    };

    /// <summary>The names of the log-ins that a 407 offers, as far as they are words.</summary>
    private static List<string> Schemes(string head)
    {
        const string Field = "Proxy-Authenticate:";
        var schemes = new List<string>();
        foreach (var line in head.Split("\r\n"))
        {
            if (!line.StartsWith(Field, StringComparison.OrdinalIgnoreCase)) continue;
            var scheme = line[Field.Length..].Trim().Split([' ', ','], 2)[0];
            if (scheme.Length is > 0 and <= 20 && scheme.All(char.IsAsciiLetterOrDigit) && schemes.Count < MostSchemes) schemes.Add(scheme);
        }

        return schemes;
    }
}

/// <summary>A proxy did not lead to the relay.</summary>
internal sealed class ProxyException(string message) : Exception(message)
{
    /// <summary>It wants credentials, or others: to ask again soon would only lock an account.</summary>
    public bool IsDenied { get; init; }
}

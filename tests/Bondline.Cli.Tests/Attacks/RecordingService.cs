using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Bondline.Cli.Tests;

/// <summary>A local service on TCP that reads HTTP/1.1 strictly, keeps every byte that reached it and answers each request with its first line.</summary>
internal sealed class RecordingService : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly List<string> _requests = [];
    private readonly StringBuilder _bytes = new();
    private readonly Task _accepting;

    public RecordingService()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Port => ((IPEndPoint)_listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);

    /// <summary>What it was asked, one entry a request: method, target, length of the body; "cut" at the end where the connection ended in the middle.</summary>
    public IReadOnlyList<string> Requests
    {
        get
        {
            lock (_gate) return [.. _requests];
        }
    }

    /// <summary>All bytes, of all connections.</summary>
    public string Bytes
    {
        get
        {
            lock (_gate) return _bytes.ToString();
        }
    }

    public void Forget()
    {
        lock (_gate)
        {
            _requests.Clear();
            _bytes.Clear();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        var serving = new List<Task>();
        try
        {
            while (true) serving.Add(ServeAsync(await _listener.AcceptSocketAsync(_stop.Token)));
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(serving);
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        await using var stream = new NetworkStream(socket, ownsSocket: true);
        var request = new StringBuilder();
        try
        {
            while (await AnswerAsync(stream, request)) request.Clear();
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            // The agent is gone, or broke off.
        }
        if (request.Length > 0) Add($"{FirstLine(request.ToString())}, cut");
    }

    private async Task<bool> AnswerAsync(Stream stream, StringBuilder request)
    {
        while (!EndsWith(request, "\r\n\r\n"))
            if (!await ReadAsync(stream, request)) return false;
        var head = request.ToString();
        var bodyLength = 0;
        if (Header(head, "Content-Length") is { } length)
        {
            for (; bodyLength < int.Parse(length, CultureInfo.InvariantCulture); bodyLength++)
                if (!await ReadAsync(stream, request)) return false;
        }
        else if (Header(head, "Transfer-Encoding") is not null)
        {
            while (true)
            {
                var start = request.Length;
                while (request.Length < start + 2 || !EndsWith(request, "\r\n"))
                    if (!await ReadAsync(stream, request)) return false;
                var size = int.Parse(request.ToString(start, request.Length - start - 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
                for (var i = 0; i < size + 2; i++)
                    if (!await ReadAsync(stream, request)) return false;
                if (size == 0) break;
                bodyLength += size;
            }
        }
        var line = FirstLine(head);
        Add(bodyLength > 0 ? string.Create(CultureInfo.InvariantCulture, $"{line}, {bodyLength} bytes") : line);
        var body = head.StartsWith("HEAD ", StringComparison.Ordinal) ? "" : line;
        var status = Header(head, "Upgrade") is null ? "200 OK" : "426 Upgrade Required";
        await stream.WriteAsync(Encoding.Latin1.GetBytes(string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 {status}\r\nContent-Length: {line.Length}\r\n\r\n{body}")), _stop.Token);
        return true;
    }

    private async Task<bool> ReadAsync(Stream stream, StringBuilder request)
    {
        var one = new byte[1];
        if (await stream.ReadAsync(one, _stop.Token) == 0) return false;
        request.Append((char)one[0]);
        lock (_gate) _bytes.Append((char)one[0]);
        return true;
    }

    private void Add(string request)
    {
        lock (_gate) _requests.Add(request);
    }

    private static bool EndsWith(StringBuilder text, string end) => text.Length >= end.Length && text.ToString(text.Length - end.Length, end.Length) == end;

    /// <summary>Method and target, whatever they are.</summary>
    private static string FirstLine(string head)
    {
        var line = head.Split("\r\n")[0];
        return line.EndsWith(" HTTP/1.1", StringComparison.Ordinal) ? line[..^" HTTP/1.1".Length] : $"({line})";
    }

    private static string? Header(string head, string name) =>
        head.Split("\r\n").Skip(1).FirstOrDefault(line => line.StartsWith($"{name}:", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..].Trim();
}

using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging;

namespace Bondline.Relay;

/// <summary>What <c>bondline relay token</c> asks a running relay: one JSON line each way.</summary>
internal sealed record TokenRequest(TokenVerb Verb, string? Name = null, string? Host = null);

internal enum TokenVerb
{
    Create,
    List,
    Revoke,
}

/// <summary>The answer: an error, or what was asked for.</summary>
internal sealed record TokenReply(string? Code = null, string? Message = null, string? Next = null, string? JoinUrl = null, IReadOnlyList<TokenView>? Tokens = null);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TokenRequest))]
[JsonSerializable(typeof(TokenReply))]
internal sealed partial class TokenJson : JsonSerializerContext;

/// <summary>The Unix socket in a running relay's data folder through which its operator changes tokens; only its user may open it.</summary>
internal sealed class TokenSocket : IAsyncDisposable
{
    private const string FileName = "control.sock";
    private const int MaxLineLength = 1 << 20; // a list of some thousand tokens

    private const int WaitMs = 100;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Socket _listener;
    private readonly Func<TokenRequest, Task<TokenReply>> _handle;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _closing = new(); // never disposed: it holds no timer
    private readonly Task _serving;

    /// <param name="listener">Listens; owned from here on.</param>
    /// <param name="handle">Answers a request; what it throws as <see cref="RelayException"/> is sent back.</param>
    /// <param name="time">For the wait after a failure to accept.</param>
    /// <param name="log">Where failures go.</param>
    public TokenSocket(Socket listener, Func<TokenRequest, Task<TokenReply>> handle, TimeProvider time, ILogger log)
    {
        _listener = listener;
        _handle = handle;
        _time = time;
        _log = log;
        _serving = ServeAsync();
    }

    /// <summary>The listening socket in <paramref name="folder"/>, a data folder that this relay has locked. Closing it removes its file.</summary>
    public static Socket Listen(string folder)
    {
        var path = PathIn(folder);
        var endPoint = EndPointOf(path);
        File.Delete(path); // the lock says that no other relay has it
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(endPoint);
        DataFolder.RestrictToOwner(path); // nobody can connect before Listen
        listener.Listen(8);
        return listener;
    }

    /// <summary>Asks the relay that uses <paramref name="folder"/>.</summary>
    /// <returns>Null if no relay is running there.</returns>
    /// <exception cref="RelayException">It refused, or it is running and cannot be asked.</exception>
    public static async Task<TokenReply?> AskAsync(string folder, TokenRequest request, CancellationToken cancellationToken)
    {
        var path = PathIn(folder);
        if (!File.Exists(path)) return null;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(EndPointOf(path), limit.Token);
            await using var stream = new NetworkStream(socket);
            await SendAsync(stream, JsonSerializer.SerializeToUtf8Bytes(request, TokenJson.Default.TokenRequest), limit.Token);
            var reply = JsonSerializer.Deserialize(await ReceiveAsync(stream, limit.Token), TokenJson.Default.TokenReply);
            return reply switch
            {
                null => throw new JsonException("The relay answered nothing."),
                { Code: { } code } => throw new RelayException(code, reply.Message ?? "the relay refused", reply.Next),
                _ => reply,
            };
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionRefused) // left behind by a relay that is gone
        {
            return null;
        }
        catch (Exception error) when (error is IOException or SocketException or JsonException || (error is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            var why = error is OperationCanceledException ? $"no answer within {Patience.TotalSeconds:0} s" : error.Message.TrimEnd('.');
            throw new RelayException("data-unusable", $"the relay that uses {folder} cannot be asked: {why}", "Run this as the relay's own user");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        _listener.Dispose();
        await _serving;
    }

    private static string PathIn(string folder) => Path.Combine(folder, FileName);

    private static UnixDomainSocketEndPoint EndPointOf(string path)
    {
        try
        {
            return new(path);
        }
        catch (ArgumentOutOfRangeException)
        {
            throw new RelayException("data-unusable", $"{path} is too long for the name of a Unix socket", "Name a data folder with a shorter path");
        }
    }

    // One at a time: requests are rare, short, and the operator's own.
    private async Task ServeAsync()
    {
        while (!_closing.IsCancellationRequested)
        {
            try
            {
                using var socket = await _listener.AcceptAsync();
                await ServeAsync(socket);
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                if (_closing.IsCancellationRequested) break;
                _log.AcceptFailed(_listener.LocalEndPoint, error.Message, WaitMs); // no file descriptors left: others must finish first
                await Task.Delay(TimeSpan.FromMilliseconds(WaitMs), _time, _closing.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            using var limit = new CancellationTokenSource(Patience);
            await using var stream = new NetworkStream(socket);
            var request = JsonSerializer.Deserialize(await ReceiveAsync(stream, limit.Token), TokenJson.Default.TokenRequest);
            var reply = request is null ? new TokenReply("usage", "an empty request") : await AnswerAsync(request);
            await SendAsync(stream, JsonSerializer.SerializeToUtf8Bytes(reply, TokenJson.Default.TokenReply), limit.Token);
        }
        catch (Exception error) when (error is SocketException or IOException or JsonException or OperationCanceledException)
        {
            if (!_closing.IsCancellationRequested) _log.ControlFailed(error.Message);
        }
    }

    private async Task<TokenReply> AnswerAsync(TokenRequest request)
    {
        try
        {
            return await _handle(request);
        }
        catch (RelayException error)
        {
            return new TokenReply(error.Code, error.Message, error.Next);
        }
        catch (Exception error) // a bug: it must not take the socket away
        {
            _log.AnsweringFailed(error);
            return new TokenReply("internal", $"the relay failed: {error.Message.TrimEnd('.')}");
        }
    }

    private static async Task SendAsync(NetworkStream stream, byte[] line, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(line, cancellationToken);
        await stream.WriteAsync("\n"u8.ToArray(), cancellationToken);
    }

    private static async Task<byte[]> ReceiveAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        var reader = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
        while (true)
        {
            var result = await reader.ReadAsync(cancellationToken);
            if (result.Buffer.PositionOf((byte)'\n') is { } end) return result.Buffer.Slice(0, end).ToArray();
            if (result.Buffer.Length > MaxLineLength) throw new JsonException($"The line is over {MaxLineLength} bytes.");
            if (result.IsCompleted) throw new JsonException("The line has no end.");
            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }
}

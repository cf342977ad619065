using System.Buffers;
using Bondline.Protocol;
using Bondline.Transport;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Bondline.Relay;

/// <summary>One request and its response. Both directions run at once: an answer that comes before the whole request was sent reaches the visitor at once.</summary>
internal sealed class Http1Exchange(HttpContext context, LocalConnection connection, TimeSpan? idleTimeout, TimeProvider time)
{
    private const int SmallBytes = 4096, LargeBytes = 32 << 10;
    private const int MostWithTheEnd = 4096; // bytes of a body that wait for its end, which follows at once, to leave with it

    // Services that do not know Expect wait for the body; so does curl for as long, and HttpClient.
    private static readonly TimeSpan ContinueTime = TimeSpan.FromSeconds(1);

    private readonly RequestHead _head = RequestHead.Of(context);
    private readonly BondStream _stream = connection.Stream;
    private IdleWatch? _idle;
    private bool _hasAnswered, _isSent;

    /// <summary>The service closed the connection instead of answering, no body went with the request, and being served twice it does what it does once (RFC 9110 section 9.2.2).</summary>
    public bool MayBeRepeated => !_hasAnswered && !_head.HasBody && IsIdempotent(context.Request.Method) && !context.RequestAborted.IsCancellationRequested;

    /// <summary>Runs until the response is written, up to what Kestrel sends itself at the end of a request.</summary>
    /// <param name="hostHeader">The Host the service sees; null for the one the visitor asked for.</param>
    /// <returns>True if the connection can carry another request.</returns>
    /// <exception cref="BondStreamException">The service is not there, broke off, or the visitor left.</exception>
    /// <exception cref="BadResponseException">The response is none, or not whole.</exception>
    /// <exception cref="BadHttpRequestException">The visitor's request is none, or not whole.</exception>
    /// <exception cref="TimeoutException">Nothing passed for too long.</exception>
    public async Task<bool> RunAsync(string? hostHeader)
    {
        var leaving = context.RequestAborted.UnsafeRegister(static stream => ((BondStream)stream!).Abort(StreamError.Cancelled), _stream);
        using var idle = _idle = idleTimeout is { } limit ? new(context, connection, limit, time) : null;
        Task? sending = null;
        connection.IsPinned |= ConnectionSignIn.IsIn(context.Request.Headers.Authorization);
        try
        {
            var request = new ByteWriter(_head.Length is > SmallBytes || (_head.HasBody && _head.Length is null) ? LargeBytes : SmallBytes);
            _head.Write(context, hostHeader, request);
            if (_head.HasBody && !_head.ExpectsContinue) sending = SendBodyAsync(request);
            else await FlushAsync(request);
            if (_head.ExpectsContinue && !await connection.WaitAsync(ContinueTime, time)) sending = SendBodyAsync(request);

            ResponseHead response;
            do
            {
                response = await ReadHeadAsync();
                if (response.Status == StatusCodes.Status100Continue && _head.ExpectsContinue) sending ??= SendBodyAsync(request);
            }
            while (response.Status is < 200 and not StatusCodes.Status101SwitchingProtocols);

            if (response.Status == StatusCodes.Status101SwitchingProtocols)
            {
                leaving.Dispose(); // what a visitor who leaves said last is still passed on
                await new UpgradedExchange(context, connection, idle, time).RunAsync();
                return false;
            }
            context.Response.StatusCode = response.Status;
            if (response.Reason is { } reason) context.Features.Get<IHttpResponseFeature>()!.ReasonPhrase = reason;
            if (response.Body != BodyKind.None) await CopyBodyAsync(response);
            return response.KeepsConnection && connection.Unread.IsEmpty && (_isSent || !_head.HasBody);
        }
        catch (BondStreamException) when (_idle is { IsOver: true })
        {
            throw new TimeoutException();
        }
        catch (BondStreamException) when (sending is not null)
        {
            await StopAsync(sending); // the visitor's own fault is the better reason
            throw;
        }
        finally
        {
            leaving.Dispose();
            if (sending is not null) await StopAsync(sending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<ResponseHead> ReadHeadAsync()
    {
        int length, scanned = 0;
        while ((length = ResponseHead.FindEnd(connection.Unread.Span, ref scanned)) == 0)
        {
            if (connection.Unread.Length >= ResponseHead.MaxBytes) throw new BadResponseException("The head of the answer is too long.");
            if (await connection.FillAsync() == 0) throw new BadResponseException("The connection was closed before there was an answer.", isEnd: true);
            _hasAnswered = true;
            _idle?.Restart();
        }
        var response = ResponseHead.Read(connection.Unread.Span[..length], HttpMethods.IsHead(context.Request.Method), context.Response.Headers);
        if (response.Status == StatusCodes.Status101SwitchingProtocols && !_head.IsWebSocket) throw new BadResponseException("The service changed the protocol unasked.");
        connection.IsPinned |= ConnectionSignIn.IsIn(context.Response.Headers.WWWAuthenticate);
        connection.Consume(length);
        return response;
    }

    private async Task CopyBodyAsync(ResponseHead response)
    {
        var visitor = context.Response.BodyWriter;
        var trailers = response.Body == BodyKind.Chunked ? context.Features.Get<IHttpResponseTrailersFeature>()?.Trailers : null;
        var chunks = new ChunkReader();
        for (var left = response.Length; ;)
        {
            var unread = connection.Unread;
            var isOver = false;
            int data, consumed;
            switch (response.Body)
            {
                case BodyKind.Length:
                    data = consumed = (int)Math.Min(left, unread.Length);
                    left -= data;
                    isOver = left == 0;
                    break;
                case BodyKind.Chunked:
                    consumed = chunks.Read(unread.Span, trailers, out data);
                    isOver = chunks.IsOver;
                    break;
                default:
                    data = consumed = unread.Length;
                    break;
            }
            if (isOver && data is > 0 and <= MostWithTheEnd && !context.Response.HasStarted) // Kestrel sends a started body's rest only when flushed
            {
                unread.Span[..data].CopyTo(visitor.GetSpan(data));
                visitor.Advance(data);
            }
            else if (data > 0)
            {
                await visitor.WriteAsync(unread[..data]);
            }
            connection.Consume(consumed);
            if (isOver) return;

            // What may be long in coming, such as events, does not hold up the head.
            if (!context.Response.HasStarted && !connection.BeginWait()) await visitor.FlushAsync();
            if (await connection.FillAsync() == 0)
            {
                if (response.Body == BodyKind.ToEnd) return;
                throw new BadResponseException("The connection was closed before the answer was whole.", isEnd: true);
            }
            _idle?.Restart();
        }
    }

    /// <summary>Sends the body behind what <paramref name="request"/> holds, which is disposed. If the visitor does not send it all, the service gets a reset.</summary>
    private async Task SendBodyAsync(ByteWriter request)
    {
        const int chunkOverhead = 32;
        var visitor = context.Request.BodyReader;
        var isChunked = _head.Length is null;
        SequencePosition? unread = null; // the end of what was read and not given back
        try
        {
            for (var isOver = false; !isOver;)
            {
                if (!visitor.TryRead(out var read))
                {
                    await FlushAsync(request);
                    read = await visitor.ReadAsync();
                }
                unread = read.Buffer.End;
                if (read.IsCanceled) return; // the response is whole
                isOver = read.IsCompleted;
                for (var body = read.Buffer; !body.IsEmpty;)
                {
                    if (request.Room < 2 * chunkOverhead) await FlushAsync(request);
                    var part = body.Slice(0, Math.Min(body.Length, request.Room - chunkOverhead));
                    if (isChunked) WriteChunk(part, request);
                    else request.Write(part);
                    body = body.Slice(part.End);
                }
                visitor.AdvanceTo(read.Buffer.End);
                unread = null;
                _idle?.Restart();
            }
            if (isChunked) WriteLastChunk(request);
            await FlushAsync(request);
            _isSent = true;
        }
        catch (BondStreamException)
        {
            // The service takes no more; what it answers counts.
        }
        catch (IOException error) when (error is not BadHttpRequestException) // a chunk beyond all numbers, or the visitor is gone
        {
            _stream.Abort(StreamError.Cancelled);
            throw new BadHttpRequestException("The body of the request breaks off.", StatusCodes.Status400BadRequest, error);
        }
        catch
        {
            _stream.Abort(StreamError.Cancelled);
            throw;
        }
        finally
        {
            if (unread is { } end) visitor.AdvanceTo(end); // else Kestrel could not pass over the rest, and would close the connection without having said so
            request.Dispose();
        }
    }

    private static bool IsIdempotent(string method) =>
        HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method) || HttpMethods.IsPut(method) || HttpMethods.IsDelete(method) || HttpMethods.IsTrace(method);

    private static void WriteChunk(in ReadOnlySequence<byte> data, ByteWriter to)
    {
        to.Write(data.Length, "x");
        to.Write("\r\n"u8);
        to.Write(data);
        to.Write("\r\n"u8);
    }

    private void WriteLastChunk(ByteWriter to)
    {
        to.Write("0\r\n"u8);
        if (context.Features.Get<IHttpRequestTrailersFeature>() is { Available: true } trailing)
        {
            foreach (var (name, values) in trailing.Trailers)
            {
                if (!RequestHead.MayTrail(name)) continue;
                foreach (var value in values) RequestHead.WriteHeader(name, value, to);
            }
        }
        to.Write("\r\n"u8);
    }

    private async Task FlushAsync(ByteWriter request)
    {
        if (request.Length > 0) await _stream.WriteAsync(request.Written);
        request.Clear();
    }

    /// <summary>Ends what is still sent of the request; the connection is lost with it.</summary>
    private async Task StopAsync(Task sending)
    {
        if (!sending.IsCompleted)
        {
            _stream.Abort(StreamError.Cancelled);
            context.Request.BodyReader.CancelPendingRead();
        }
        await sending;
    }
}

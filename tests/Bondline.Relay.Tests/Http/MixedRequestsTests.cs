using System.Globalization;
using System.Net;
using System.Text;
using System.Threading.Channels;
using Bondline.Protocol;
using Bondline.Transport;
using Xunit;

namespace Bondline.Relay.Tests;

/// <summary>Many visitors at once over the same connections to one service: each gets its own answer, whatever the others do.</summary>
public sealed class MixedRequestsTests
{
    private const int Visitors = 24, RequestsEach = 40;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>How the service answers, and how the visitor behaves.</summary>
    private enum Way
    {
        Length,
        Chunked,
        ToEnd,
        Head,
        Upload,
        ChunkedUpload,
        EarlyAnswer,
        VisitorLeaves,
        ServiceResets,
    }

    [Theory]
    [InlineData("1.1", 1)]
    [InlineData("1.1", 2)]
    [InlineData("2.0", 3)]
    [InlineData("2.0", 4)]
    public async Task Nobody_gets_a_byte_of_anothers_answer(string version, int seed)
    {
        await using var edge = await VisitedEdge.StartAsync(["shop"], ServeAsync);
        using var client = edge.Client(Version.Parse(version));
        var seeds = new Random(seed);
        var answered = await Task.WhenAll(Enumerable.Range(0, Visitors).Select(visitor => VisitAsync(client, visitor, seeds.Next())));
        Assert.True(answered.Sum() > Visitors * RequestsEach / 2, $"only {answered.Sum()} answers");
    }

    /// <summary>CVE-2023-44487: requests over HTTP/2 that are reset as soon as they are sent.</summary>
    [Fact]
    public async Task Hundreds_of_requests_reset_at_once_leave_nothing_behind_and_hold_nobody_up()
    {
        const int requests = 400;
        int begun = 0, over = 0;
        var ends = Channel.CreateUnbounded<bool>();
        await using var edge = await VisitedEdge.StartAsync(["shop"], async (stream, head) =>
        {
            if (head.StartsWith("GET /quick", StringComparison.Ordinal))
            {
                await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"u8.ToArray());
                return;
            }
            Interlocked.Increment(ref begun);
            try
            {
                await stream.ReadExactlyAsync(new byte[1]); // never answered: it ends when the relay resets it
            }
            finally
            {
                Interlocked.Increment(ref over);
                ends.Writer.TryWrite(true);
            }
        });
        using var client = edge.Client(HttpVersion.Version20);
        Assert.Equal("hello", await client.GetStringAsync("/quick", Stop));

        await using var attacker = await edge.ConnectAsync();
        await attacker.WriteAsync(RapidResets(requests), Stop);
        var reading = VisitedEdge.ReadToEndAsync(attacker);
        Assert.Equal("hello", await client.GetStringAsync("/quick", Stop).WaitAsync(Patience, Stop));
        attacker.Close();
        await reading;
        Assert.Equal("hello", await client.GetStringAsync("/quick", Stop).WaitAsync(Patience, Stop));
        while (Volatile.Read(ref over) < Volatile.Read(ref begun)) await ends.Reader.ReadAsync(Stop).AsTask().WaitAsync(Patience, Stop);
        Assert.InRange(begun, 0, requests);
    }

    /// <returns>How many answers were whole and right; one that is whole and wrong fails.</returns>
    private static async Task<int> VisitAsync(HttpClient client, int visitor, int seed)
    {
        var random = new Random(seed);
        var ways = Enum.GetValues<Way>();
        var answered = 0;
        for (var i = 0; i < RequestsEach; i++)
        {
            var way = ways[random.Next(ways.Length)];
            var tag = string.Create(CultureInfo.InvariantCulture, $"{visitor}-{i}-{seed}");
            var length = random.Next(4) == 0 ? random.Next(100_000) : random.Next(1000);
            using var request = new HttpRequestMessage(way is Way.Head ? HttpMethod.Head : way is Way.Upload or Way.ChunkedUpload or Way.EarlyAnswer ? HttpMethod.Post : HttpMethod.Get, $"/{way}/{tag}/{length}") { Version = client.DefaultRequestVersion, VersionPolicy = client.DefaultVersionPolicy };
            if (request.Method == HttpMethod.Post)
            {
                request.Content = new ByteArrayContent(Body(tag, length));
                if (way == Way.ChunkedUpload) request.Headers.TransferEncodingChunked = true;
            }
            using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Stop);
            try
            {
                using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leaving.Token);
                if (response.StatusCode == HttpStatusCode.BadGateway && way is Way.ServiceResets or Way.EarlyAnswer) continue; // an upload is cut where the service does not take it
                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
                Assert.Equal(tag, Assert.Single(response.Headers.GetValues("X-Tag")));
                if (way == Way.VisitorLeaves)
                {
                    await leaving.CancelAsync();
                    continue;
                }
                var body = await response.Content.ReadAsByteArrayAsync(leaving.Token);
                Assert.Equal(way is Way.Head ? [] : Body(tag, length), body);
                answered++;
            }
            catch (Exception error) when (error is HttpRequestException or IOException && way is Way.ServiceResets or Way.EarlyAnswer)
            {
            }
        }
        return answered;
    }

    private static async Task ServeAsync(BondStream stream, string head)
    {
        var target = head.Split(' ')[1].Split('/');
        var (way, tag, length) = (Enum.Parse<Way>(target[1]), target[2], int.Parse(target[3], CultureInfo.InvariantCulture));
        if (way == Way.EarlyAnswer)
        {
            await AnswerAsync(tag, Body(tag, length), isChunked: false, "Connection: close\r\n"); // what comes of the body is not read as a request
            await stream.CompleteWritesAsync();
            await stream.CopyToAsync(Stream.Null, Stop);
            return;
        }
        var body = way switch
        {
            Way.Upload => await ReadExactlyAsync(length),
            Way.ChunkedUpload when !head.Contains("\r\nContent-Length:", StringComparison.OrdinalIgnoreCase) => await ReadChunksAsync(),
            Way.ChunkedUpload => await ReadExactlyAsync(length),
            _ => Body(tag, length),
        };
        switch (way)
        {
            case Way.Head:
                await WriteAsync($"HTTP/1.1 200 OK\r\nX-Tag: {tag}\r\nContent-Length: {length}\r\n\r\n");
                break;
            case Way.ToEnd:
                await WriteAsync($"HTTP/1.1 200 OK\r\nX-Tag: {tag}\r\n\r\n");
                await stream.WriteAsync(body, Stop);
                await stream.CompleteWritesAsync();
                break;
            case Way.ServiceResets:
                await WriteAsync($"HTTP/1.1 200 OK\r\nX-Tag: {tag}\r\nContent-Length: {length + 1}\r\n\r\n");
                await stream.WriteAsync(body, Stop);
                stream.Abort(StreamError.LocalReset);
                break;
            default:
                await AnswerAsync(tag, body, isChunked: way != Way.Length);
                break;
        }

        async Task AnswerAsync(string tag, byte[] body, bool isChunked, string more = "")
        {
            await WriteAsync($"HTTP/1.1 200 OK\r\n{more}X-Tag: {tag}\r\n{(isChunked ? "Transfer-Encoding: chunked" : $"Content-Length: {body.Length}")}\r\n\r\n");
            if (!isChunked)
            {
                await stream.WriteAsync(body, Stop);
                return;
            }
            foreach (var piece in body.Chunk(7001))
            {
                await WriteAsync($"{piece.Length:x}\r\n");
                await stream.WriteAsync(piece, Stop);
                await WriteAsync("\r\n");
            }
            await WriteAsync("0\r\n\r\n");
        }

        async Task WriteAsync(string text) => await stream.WriteAsync(Encoding.ASCII.GetBytes(text), Stop);

        async Task<byte[]> ReadExactlyAsync(int count)
        {
            var bytes = new byte[count];
            await stream.ReadExactlyAsync(bytes, Stop);
            return bytes;
        }

        async Task<byte[]> ReadChunksAsync()
        {
            using var whole = new MemoryStream();
            while (int.Parse(await ReadLineAsync(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) is var size and > 0)
            {
                whole.Write(await ReadExactlyAsync(size));
                await ReadLineAsync();
            }
            await ReadLineAsync();
            return whole.ToArray();
        }

        async Task<string> ReadLineAsync()
        {
            var line = new StringBuilder();
            while (line.Length < 2 || line[^1] != '\n') line.Append((char)(await ReadExactlyAsync(1))[0]);
            return line.ToString(0, line.Length - 2);
        }
    }

    /// <summary>Bytes that no other request has.</summary>
    private static byte[] Body(string tag, int length)
    {
        var body = new byte[length];
        var text = Encoding.ASCII.GetBytes($"{tag};");
        for (var i = 0; i < length; i++) body[i] = text[i % text.Length];
        return body;
    }

    /// <summary>A client's whole part of HTTP/2 (RFC 9113): the preface, empty settings, and requests each followed by its reset.</summary>
    private static byte[] RapidResets(int count)
    {
        // RFC 7541: GET, http and / are in the static table; :authority (1) is literal and not indexed.
        byte[] headers = [0x82, 0x86, 0x84, 0x01, (byte)"shop.lab.test".Length, .. "shop.lab.test"u8];
        using var bytes = new MemoryStream();
        bytes.Write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8);
        Frame(0x4, 0, 0, []);
        for (var i = 0; i < count; i++)
        {
            var id = 2 * i + 1;
            Frame(0x1, 0x5, id, headers); // HEADERS, END_STREAM and END_HEADERS
            Frame(0x3, 0, id, [0, 0, 0, 8]); // RST_STREAM, CANCEL
        }
        return bytes.ToArray();

        void Frame(byte type, byte flags, int id, byte[] payload)
        {
            bytes.Write([0, 0, (byte)payload.Length, type, flags, (byte)(id >> 24), (byte)(id >> 16), (byte)(id >> 8), (byte)id]);
            bytes.Write(payload);
        }
    }
}

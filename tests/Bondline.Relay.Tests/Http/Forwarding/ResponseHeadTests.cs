using System.Text;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class ResponseHeadTests
{
    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, nameof(BodyKind.Length), 5, true)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, nameof(BodyKind.None), 0, true)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n", 200, nameof(BodyKind.Length), 5, true)]
    [InlineData("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n", 200, nameof(BodyKind.Chunked), 0, true)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 200, nameof(BodyKind.Chunked), 5, false)]
    [InlineData("HTTP/1.1 200 OK\r\n\r\n", 200, nameof(BodyKind.ToEnd), 0, false)]
    [InlineData("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", 200, nameof(BodyKind.Length), 5, false)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: Close\r\n\r\n", 200, nameof(BodyKind.Length), 5, false)]
    [InlineData("HTTP/1.1 204 No Content\r\n\r\n", 204, nameof(BodyKind.None), 0, true)]
    [InlineData("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, nameof(BodyKind.None), 5, true)]
    [InlineData("HTTP/1.1 100 Continue\r\n\r\n", 100, nameof(BodyKind.None), 0, true)]
    [InlineData("HTTP/1.1 200\nContent-Length: 5\n\n", 200, nameof(BodyKind.Length), 5, true)]
    [InlineData("HTTP/1.1 999 Whatever\r\nContent-Length: 5\r\n\r\n", 999, nameof(BodyKind.Length), 5, true)]
    public void The_end_of_the_body_is_where_the_standard_says(string text, int status, string body, long length, bool keeps)
    {
        var head = Read(text, out _);
        Assert.Equal((status, body, length, keeps), (head.Status, head.Body.ToString(), head.Length, head.KeepsConnection));
    }

    [Theory]
    [InlineData("")]
    [InlineData("\r\n")]
    [InlineData("HTTP/2 200 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 20 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 099 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 2000 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 -20 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 200 O\0K\r\n\r\n")]
    [InlineData("ICY 200 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nno colon\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\n: empty\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nA B: c\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\n folded: first\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n")]
    public void What_is_not_http_is_refused(string text) => Assert.Throws<BadResponseException>(() => Read(text, out _));

    [Fact]
    public void Headers_that_concern_one_connection_stay_there()
    {
        Read("HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nAlt-Svc: h3=\":443\"\r\nUpgrade: h2c\r\nX-Kept: a\r\nx-kept: b\r\n\r\n", out var headers);
        Assert.Equal(["X-Kept"], headers.Keys);
        Assert.Equal(["a", "b"], headers["X-Kept"].ToArray());
    }

    [Theory]
    [InlineData("Connection: {0}x-hop\r\n", ",")]
    [InlineData("{0}Connection: x-hop\r\n", "Connection: keep-alive\r\n")]
    public void A_reasonable_number_of_options_is_read(string fields, string another)
    {
        Read(Repeated(RequestHead.MostOptions - 1), out var headers);
        Assert.Empty(headers);
        Assert.Throws<BadResponseException>(() => Read(Repeated(RequestHead.MostOptions)));

        string Repeated(int count) => $"HTTP/1.1 200 OK\r\n{fields.Replace("{0}", string.Concat(Enumerable.Repeat(another, count)), StringComparison.Ordinal)}X-Hop: 1\r\n\r\n";
    }

    [Fact]
    public void Odd_forms_that_servers_write_are_read()
    {
        Read("HTTP/1.1 200 OK\r\nX-Space : a\r\nX-Folded: a\r\n\t b\r\nX-Empty:\r\nX-Bytes: \u00e9\r\n\r\n", out var headers);
        Assert.Equal("a", headers["X-Space"]);
        Assert.Equal("a b", headers["X-Folded"]);
        Assert.Equal("", headers["X-Empty"]);
        Assert.Equal("\u00e9", headers["X-Bytes"]);
    }

    [Fact]
    public void Every_one_of_many_values_passes_in_its_order()
    {
        Read("HTTP/1.1 200 OK\r\n" + string.Concat(Enumerable.Range(0, 20).Select(i => $"Set-Cookie: {i}\r\nset-COOKIE:\r\nVary: v{i}\r\n")) + "\r\n", out var headers);
        Assert.Equal(Enumerable.Range(0, 20).SelectMany(i => new[] { $"{i}", "" }), headers["Set-Cookie"].ToArray());
        Assert.Equal(Enumerable.Range(0, 20).Select(i => $"v{i}"), headers["Vary"].ToArray());
    }

    [Fact]
    public void A_header_with_many_values_that_Connection_names_stays_there()
    {
        Read("HTTP/1.1 200 OK\r\nConnection: x-hop\r\n" + string.Concat(Enumerable.Repeat("X-Hop: 1\r\n", 20)) + "\r\n", out var headers);
        Assert.Empty(headers);
    }

    [Theory]
    [InlineData("a:\n", "")]
    [InlineData(" \n", "a:\n")]
    [InlineData("\t\r\n", "a:\r\n")]
    public void A_head_has_a_thousand_lines_at_most(string line, string first)
    {
        var most = ResponseHead.MaxLines - (first.Length > 0 ? 1 : 0);
        Assert.Equal(200, Read(Repeated(most)).Status);
        Assert.Throws<BadResponseException>(() => Read(Repeated(most + 1)));

        string Repeated(int count) => $"HTTP/1.1 200 OK\n{first}{string.Concat(Enumerable.Repeat(line, count))}\n";
    }

    [Theory]
    [InlineData("a:\n", 1)]
    [InlineData("a:\nb:\n", 2)]
    public void Many_values_of_a_name_are_not_copied_for_each_one(string fields, int lines)
    {
        const int each = 128; // its name, its places in a list that grew and in what became of that
        AssertAllocates(ResponseHead.MaxLines * each, "HTTP/1.1 200 OK\n" + string.Concat(Enumerable.Repeat(fields, ResponseHead.MaxLines / lines)) + "\n");
    }

    [Fact]
    public void A_long_value_is_not_copied_for_each_line_that_continues_it()
    {
        const int length = 200_000;
        AssertAllocates(10 * length, $"HTTP/1.1 200 OK\na: {new string('x', length)}\n" + string.Concat(Enumerable.Repeat(" \n", ResponseHead.MaxLines - 1)) + "\n");
    }

    [Fact]
    public void An_interim_answer_adds_no_headers()
    {
        Read("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", out var headers);
        Assert.Empty(headers);
    }

    [Fact]
    public void A_head_request_s_answer_says_the_length_of_what_it_leaves_out()
    {
        var headers = new HeaderDictionary();
        var head = ResponseHead.Read("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"u8, isHead: true, headers);
        Assert.Equal(BodyKind.None, head.Body);
        Assert.Equal(99, headers.ContentLength);
        Assert.True(head.KeepsConnection);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", 25)]
    [InlineData("HTTP/1.1 200 OK\nA: b\n\nbody", 22)]
    [InlineData("HTTP/1.1 200 OK\r\n\r\n", 19)]
    public void The_end_of_the_head_is_found_however_it_arrives(string text, int length)
    {
        var bytes = Encoding.Latin1.GetBytes(text);
        for (var piece = 1; piece <= bytes.Length; piece++)
        {
            int scanned = 0, found = 0, arrived = 0;
            while (found == 0 && arrived < bytes.Length)
            {
                arrived = Math.Min(arrived + piece, bytes.Length);
                found = ResponseHead.FindEnd(bytes.AsSpan(0, arrived), ref scanned);
            }
            Assert.Equal(length, found);
        }
    }

    private static void AssertAllocates(long most, string text)
    {
        var head = Encoding.Latin1.GetBytes(text);
        ResponseHead.Read(head, isHead: false, new HeaderDictionary()); // what is made only once
        var before = GC.GetAllocatedBytesForCurrentThread();
        ResponseHead.Read(head, isHead: false, new HeaderDictionary());
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, most);
    }

    private static ResponseHead Read(string text) => Read(text, out _);

    private static ResponseHead Read(string text, out HeaderDictionary headers)
    {
        headers = [];
        return ResponseHead.Read(Encoding.Latin1.GetBytes(text), isHead: false, headers);
    }
}

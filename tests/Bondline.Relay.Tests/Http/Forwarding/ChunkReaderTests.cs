using System.Text;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class ChunkReaderTests
{
    [Theory]
    [InlineData("5\r\nhello\r\n6;a=\"b\"\r\n world\r\n0\r\n\r\n", "hello world")]
    [InlineData("0\r\n\r\n", "")]
    [InlineData("00A \r\n0123456789\r\n0;x\r\nX-Sum: 7\r\nContent-Length: 5\r\n\r\n", "0123456789")]
    [InlineData("5\nhello\n0\n\n", "hello")]
    public void Chunks_are_taken_off_however_they_arrive(string text, string data)
    {
        var bytes = Encoding.Latin1.GetBytes(text + "next");
        for (var piece = 1; piece <= bytes.Length; piece++)
        {
            var trailers = new HeaderDictionary();
            var (reader, kept, at, result) = (new ChunkReader(), Array.Empty<byte>(), 0, new StringBuilder());
            while (!reader.IsOver)
            {
                Assert.True(at < bytes.Length);
                var count = Math.Min(piece, bytes.Length - at);
                kept = [.. kept, .. bytes.AsSpan(at, count)];
                at += count;
                var consumed = reader.Read(kept, trailers, out var produced);
                result.Append(Encoding.Latin1.GetString(kept, 0, produced));
                kept = kept[consumed..];
            }
            Assert.Equal(data, result.ToString());
            Assert.StartsWith(Encoding.Latin1.GetString(kept), "next", StringComparison.Ordinal);
            Assert.Equal(text.Contains("X-Sum", StringComparison.Ordinal) ? ["X-Sum"] : [], trailers.Keys); // a length is no trailer
        }
    }

    [Theory]
    [InlineData("\r\n")]
    [InlineData("x\r\n")]
    [InlineData("-1\r\n")]
    [InlineData("+1\r\n")]
    [InlineData("0x1\r\n")]
    [InlineData(" 1\r\n")]
    [InlineData("1_0\r\n")]
    [InlineData("FFFFFFFFFFFFFFFF\r\n")]
    [InlineData("1\r\nab\r\n")]
    [InlineData("1\r\na0\r\n\r\n")]
    [InlineData("0\r\nno colon\r\n\r\n")]
    public void What_is_no_chunk_is_refused(string text)
    {
        var reader = new ChunkReader();
        Assert.Throws<BadResponseException>(() => reader.Read(Encoding.Latin1.GetBytes(text), null, out _));
    }

    [Fact]
    public void Lines_and_trailers_are_bounded()
    {
        var reader = new ChunkReader();
        Assert.Throws<BadResponseException>(() => reader.Read(Encoding.Latin1.GetBytes("1;" + new string('x', 5000)), null, out _));
        var trailing = new ChunkReader();
        var trailers = "0\r\n" + string.Concat(Enumerable.Repeat($"X: {new string('x', 1000)}\r\n", 70));
        Assert.Throws<BadResponseException>(() => trailing.Read(Encoding.Latin1.GetBytes(trailers), null, out _));
    }

    [Fact]
    public void Two_hundred_and_fifty_six_trailers_are_the_most()
    {
        const int most = 256;
        var kept = new HeaderDictionary();
        new ChunkReader().Read(Trailing(most), kept, out _);
        Assert.Equal(most, kept["a"].Count);
        Assert.Throws<BadResponseException>(() => new ChunkReader().Read(Trailing(most + 1), new HeaderDictionary(), out _));
        Assert.Throws<BadResponseException>(() => new ChunkReader().Read(Trailing(most + 1), null, out _));

        static byte[] Trailing(int count) => Encoding.Latin1.GetBytes($"0\r\n{string.Concat(Enumerable.Repeat("a:b\r\n", count))}\r\n");
    }
}

using System.Net;
using CsCheck;
using Xunit;

namespace Bondline.Protocol.Tests.Streams;

public class StreamHeaderTests
{
    private const string TraceHex = "000102030405060708090a0b0c0d0e0f";

    private static readonly StreamHeader Full = new()
    {
        Kind = StreamKind.Http,
        Tunnel = 300,
        Visitor = new(IPAddress.Parse("192.0.2.7"), 54321),
        TraceId = Convert.FromHexString(TraceHex),
        HopCount = 2,
    };

    [Fact]
    public void A_header_has_its_golden_bytes()
    {
        const string golden = "24" + "000102" + "0202412c" + "0106c0000207d431" + "0310" + TraceHex + "050102";
        Assert.Equal(golden, Convert.ToHexStringLower(Write(Full)));
        AssertSame(Full, Read(Convert.FromHexString(golden + "ff"), 0x25));
        Assert.Equal("06" + "000100" + "020100", Convert.ToHexStringLower(Write(new() { Kind = StreamKind.Control })));
        Assert.Equal("1a" + "000101" + "020101" + "0112" + "20010db8000000000000000000000001" + "0050", Convert.ToHexStringLower(Write(new() { Kind = StreamKind.Tcp, Tunnel = 1, Visitor = new(IPAddress.Parse("2001:db8::1"), 80) })));
    }

    [Fact]
    public void A_truncated_header_waits_for_more()
    {
        var whole = Write(Full);
        for (var length = 0; length < whole.Length; length++) Assert.Equal(HeaderStatus.Incomplete, StreamHeader.TryRead(whole.AsSpan(0, length), out _, out _));
        AssertSame(Full, Read(whole, whole.Length));
    }

    [Fact]
    public void A_list_of_1024_bytes_is_taken_and_a_longer_one_refused_by_its_length_alone()
    {
        byte[] largest = [0x44, 0x00, 0x00, 0x01, 0x01, 0x3f, 0x43, 0xfa, .. new byte[1018]];
        Assert.Equal(StreamHeader.MaxLength, largest.Length);
        Assert.Equal(StreamKind.Tcp, Read(largest, StreamHeader.MaxLength).Kind);
        Assert.Equal(HeaderStatus.Malformed, StreamHeader.TryRead([0x44, 0x01], out _, out _));
        Assert.Equal(HeaderStatus.Malformed, StreamHeader.TryRead([0x80], out _, out _)); // a length in four bytes
        Assert.Equal(HeaderStatus.Malformed, StreamHeader.TryRead([0xc0], out _, out _));
    }

    [Theory]
    [InlineData("00")] // no kind
    [InlineData("03020101")]
    [InlineData("03000104")] // a kind that does not exist
    [InlineData("020000")] // no number
    [InlineData("0400020101")] // two numbers
    [InlineData("06000101020240")] // cut off
    [InlineData("060001010e0100")] // an even entry that is not known
    [InlineData("05000101013f")] // an entry cut off
    public void Headers_that_cannot_be_understood_are_malformed(string hex) =>
        Assert.Equal(HeaderStatus.Malformed, StreamHeader.TryRead(Convert.FromHexString(hex), out _, out _));

    [Theory]
    [InlineData("0a" + "000101" + "0105c000020700")] // a visitor of five bytes
    [InlineData("06" + "000101" + "03010f")] // a short trace id
    [InlineData("07" + "000101" + "05024100")] // 256 hops
    [InlineData("0d" + "000101" + "0508ffffffffffffffff")] // 2^62 - 1 hops
    [InlineData("07" + "000101" + "3f02ffff")] // an odd entry that is not known
    public void Odd_entries_that_make_no_sense_are_skipped(string hex)
    {
        var bytes = Convert.FromHexString(hex);
        AssertSame(new() { Kind = StreamKind.Tcp }, Read(bytes, bytes.Length));
    }

    [Fact]
    public void What_is_written_is_read_back()
    {
        var visitors = Gen.Select(Gen.OneOf(Gen.Byte.Array[4], Gen.Byte.Array[16]), Gen.Int[0, 65535], (address, port) => new IPEndPoint(new IPAddress(address), port));
        Gen.Select(Gen.Enum<StreamKind>(), Gen.ULong[0, VarInt.MaxValue], visitors.Null(), Gen.Byte.Array[16].Null(), Gen.Int[0, StreamHeader.MaxHopCount]).Sample((kind, tunnel, visitor, trace, hops) =>
        {
            var header = new StreamHeader { Kind = kind, Tunnel = tunnel, Visitor = visitor, TraceId = trace, HopCount = hops };
            var bytes = Write(header);
            AssertSame(header, Read(bytes, bytes.Length));
        });
    }

    [Fact]
    public void Any_bytes_are_read_or_refused_and_nothing_else()
    {
        var whole = Write(Full);
        Gen.Select(Gen.Int[0, whole.Length - 1], Gen.Byte).Array[1, 4].Sample(changes =>
        {
            var changed = (byte[])whole.Clone();
            foreach (var (index, value) in changes) changed[index] = value;
            if (StreamHeader.TryRead(changed, out var header, out var length) != HeaderStatus.Complete) return;
            Assert.InRange(length, 1, changed.Length);
            Assert.InRange(header.HopCount, 0, StreamHeader.MaxHopCount);
            Assert.True(Enum.IsDefined(header.Kind));
        });
    }

    private static byte[] Write(StreamHeader header)
    {
        var bytes = new byte[StreamHeader.MaxLength];
        return bytes[..header.Write(bytes)];
    }

    private static StreamHeader Read(byte[] bytes, int length)
    {
        Assert.Equal(HeaderStatus.Complete, StreamHeader.TryRead(bytes, out var header, out var read));
        Assert.Equal(length, read);
        return header;
    }

    private static void AssertSame(StreamHeader expected, StreamHeader actual)
    {
        Assert.Equal(expected with { TraceId = null }, actual with { TraceId = null });
        Assert.Equal(expected.TraceId, actual.TraceId);
    }
}

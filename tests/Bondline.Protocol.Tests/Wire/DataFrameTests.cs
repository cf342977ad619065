using System.Text;
using Xunit;

namespace Bondline.Protocol.Tests.Wire;

/// <summary>Each data frame: golden bytes both ways, every truncation, every limit.</summary>
public sealed class DataFrameTests
{
    private const string Largest = "FFFFFFFFFFFFFFFF"; // 2^62 - 1

    /// <summary>The bytes of a frame, and what it says in words.</summary>
    public static TheoryData<string, string> Golden => new()
    {
        { "10 4005 04 00 616263", "STREAM 4 at 0: abc" },
        { "10 4007 4040 4080 616263", "STREAM 64 at 128: abc" },
        { $"10 4011 {Largest} 8000400A 6162636465", $"STREAM {VarInt.MaxValue} at 16394: abcde" },
        { "24 4002 04 07", "STREAM 4 at 7 ends: " },
        { "24 4003 01 00 7A", "STREAM 1 at 0 ends: z" },
        { "14 02 04 05", "MAX_STREAM_DATA 4 5" },
        { $"14 10 {Largest} {Largest}", $"MAX_STREAM_DATA {VarInt.MaxValue} {VarInt.MaxValue}" },
        { "16 04 80100000", "MAX_DATA 1048576" },
        { "18 02 4080", "MAX_STREAMS 128" },
        { "1A 03 04 05 06", "RESET 4 5 6" },
        { "1C 03 04 4001", "STOP_SENDING 4 1" },
        { "1E 01 07", "PING 7" },
        { "1E 04 07 000000", "PING 7 and 3 more" },
        { "20 4042 4063" + new string('0', 128), "PONG 99 and 64 more" },
        { "20 02 4063", "PONG 99" },
        { "22 04 03 01 01 02", "SUBFLOW_STATUS 3 1 lost Backup" },
        { "37 02 01 02", "MODE 1 LowestLatency" },
        { $"37 09 {Largest} 03", $"MODE {VarInt.MaxValue} BackupOnly" },
        { $"22 0B 03 {Largest} 00 00", $"SUBFLOW_STATUS 3 {VarInt.MaxValue} usable Normal" },
    };

    [Theory, MemberData(nameof(Golden))]
    public void Is_read_from_golden_bytes(string hex, string words)
    {
        var bytes = Bytes(hex);
        Assert.True(Frame.TryRead(bytes, out var frame, out var length));
        Assert.Equal(bytes.Length, length);
        Assert.Equal(words, Words(frame));
    }

    [Theory, MemberData(nameof(Golden))]
    public void Is_written_as_it_was_read(string hex, string words)
    {
        var bytes = Bytes(hex);
        Assert.True(Frame.TryRead(bytes, out var frame, out _));
        Span<byte> written = stackalloc byte[bytes.Length + 64];
        written = written[..Write(frame, written)];
        Assert.True(Frame.TryRead(written, out var again, out var length));
        Assert.Equal(written.Length, length);
        Assert.Equal(words, Words(again));
        if (IsShortest(hex)) Assert.Equal(Convert.ToHexString(bytes), Convert.ToHexString(written));
    }

    [Theory, MemberData(nameof(Golden))]
    public void Waits_for_its_last_byte(string hex, string words)
    {
        var bytes = Bytes(hex);
        for (var length = 0; length < bytes.Length; length++) Assert.False(Frame.TryRead(bytes.AsSpan(0, length), out _, out _), $"{words}: {length} bytes were enough");
    }

    [Theory, MemberData(nameof(Golden))]
    public void Whose_body_ends_too_early_is_malformed(string hex, string words)
    {
        var bytes = Bytes(hex);
        Assert.True(Frame.TryRead(bytes, out var whole, out _));
        var fields = whole.Type switch
        {
            FrameType.Stream or FrameType.StreamEnd => whole.Body.Length - StreamFrame.Parse(whole).Payload.Length,
            FrameType.Ping or FrameType.Pong => whole.Body.Length - PingFrame.Parse(whole).Padding,
            _ => whole.Body.Length,
        };
        for (var length = 0; length < fields; length++)
        {
            var body = whole.Body[..length].ToArray();
            var error = Assert.Throws<ProtocolException>(() => Words(new Frame(Type(bytes), body)));
            Assert.True(error.Error == ProtocolError.FrameMalformed, $"{words}, {length} bytes: {error.Error}");
        }
    }

    [Theory, MemberData(nameof(Golden))]
    public void With_a_byte_too_many_is_malformed(string hex, string words)
    {
        var bytes = Bytes(hex);
        Assert.True(Frame.TryRead(bytes, out var whole, out _));
        if (whole.Type is FrameType.Stream or FrameType.StreamEnd or FrameType.Ping or FrameType.Pong) return; // payload or padding goes on to the end
        byte[] body = [.. whole.Body, 0];
        var error = Assert.Throws<ProtocolException>(() => Words(new Frame(Type(bytes), body)));
        Assert.True(error.Error == ProtocolError.FrameMalformed, words);
    }

    [Fact]
    public void A_length_over_the_limit_is_refused_before_its_bytes_come()
    {
        var largest = new byte[Frame.MaxLength];
        largest[0] = (byte)FrameType.Stream;
        VarInt.WriteFixed(largest.AsSpan(1), Frame.MaxLength - 5, 4); // a length in four bytes counts too
        Assert.True(Frame.TryRead(largest, out _, out var length));
        Assert.Equal(Frame.MaxLength, length);
        Assert.Equal(ProtocolError.FrameTooLarge, Assert.Throws<ProtocolException>(() => Frame.TryRead([0x10, 0x7F, 0xFE], out _, out _)).Error);
        Assert.False(Frame.TryRead([0x10, 0x7F, 0xFD], out _, out _));
        Assert.Equal(ProtocolError.FrameTooLarge, Assert.Throws<ProtocolException>(() => Frame.TryRead(Bytes($"10 {Largest}"), out _, out _)).Error);
        Assert.Equal(ProtocolError.FrameTooLarge, Assert.Throws<ProtocolException>(() => Frame.TryRead(Bytes($"{Largest} BFFFFFFF"), out _, out _)).Error);
    }

    [Fact]
    public void A_stream_frame_of_nothing_must_end_its_stream()
    {
        Assert.Equal(ProtocolError.FrameMalformed, Assert.Throws<ProtocolException>(() => Words(new Frame(FrameType.Stream, Bytes("04 00")))).Error);
        Assert.Equal("STREAM 4 at 0 ends: ", Words(new Frame(FrameType.StreamEnd, Bytes("04 00"))));
    }

    [Fact]
    public void A_stream_frame_beyond_the_last_offset_is_refused()
    {
        Assert.Equal(ProtocolError.FlowControl, Assert.Throws<ProtocolException>(() => Words(new Frame(FrameType.Stream, Bytes($"04 {Largest} 61")))).Error);
        Assert.Equal($"STREAM 4 at {VarInt.MaxValue - 1}: a", Words(new Frame(FrameType.Stream, Bytes("04 FFFFFFFFFFFFFFFE 61"))));
    }

    [Fact]
    public void A_status_with_an_unknown_state_or_policy_is_malformed()
    {
        Assert.Equal(ProtocolError.FrameMalformed, Assert.Throws<ProtocolException>(() => Words(new Frame(FrameType.SubflowStatus, Bytes("03 01 02 00")))).Error);
        Assert.Equal(ProtocolError.FrameMalformed, Assert.Throws<ProtocolException>(() => Words(new Frame(FrameType.SubflowStatus, Bytes("03 01 00 05")))).Error);
    }

    [Fact]
    public void A_mode_that_is_not_known_is_auto() => Assert.Equal("MODE 1 Auto", Words(new Frame(FrameType.Mode, Bytes("01 04"))));

    [Theory]
    [InlineData(0UL, "00")]
    [InlineData(63UL, "3F")]
    [InlineData(64UL, "4040")]
    [InlineData(16_383UL, "7FFF")]
    [InlineData(16_384UL, "80004000")]
    [InlineData((1UL << 30) - 1, "BFFFFFFF")]
    [InlineData(1UL << 30, "C000000040000000")]
    [InlineData(VarInt.MaxValue, Largest)]
    public void A_number_is_as_short_as_it_can_be(ulong value, string hex)
    {
        Span<byte> written = stackalloc byte[VarInt.MaxLength];
        var length = VarInt.Write(written, value);
        Assert.Equal(hex, Convert.ToHexString(written[..length]));
        Assert.Equal(VarInt.Length(value), length);
        Assert.True(VarInt.TryRead(written[..length], out var read, out var readLength));
        Assert.Equal((value, length), (read, readLength));
        for (var less = 0; less < length; less++) Assert.False(VarInt.TryRead(written[..less], out _, out _));
    }

    [Fact]
    public void A_number_of_over_62_bits_cannot_be_written() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => VarInt.Write(new byte[8], VarInt.MaxValue + 1));

    private static string Words(Frame frame)
    {
        switch (frame.Type)
        {
            case FrameType.Stream or FrameType.StreamEnd:
                var stream = StreamFrame.Parse(frame);
                return $"STREAM {stream.Stream.Value} at {stream.Offset}{(stream.IsEnd ? " ends" : "")}: {Encoding.ASCII.GetString(stream.Payload)}";
            case FrameType.MaxStreamData:
                var window = MaxStreamDataFrame.Parse(frame);
                return $"MAX_STREAM_DATA {window.Stream.Value} {window.Maximum}";
            case FrameType.MaxData or FrameType.MaxStreams:
                return $"{(frame.Type == FrameType.MaxData ? "MAX_DATA" : "MAX_STREAMS")} {MaximumFrame.Parse(frame).Maximum}";
            case FrameType.Reset:
                var reset = ResetFrame.Parse(frame);
                return $"RESET {reset.Stream.Value} {reset.Code} {reset.FinalSize}";
            case FrameType.StopSending:
                var stop = StopSendingFrame.Parse(frame);
                return $"STOP_SENDING {stop.Stream.Value} {stop.Code}";
            case FrameType.Ping or FrameType.Pong:
                var ping = PingFrame.Parse(frame);
                return $"{(frame.Type == FrameType.Ping ? "PING" : "PONG")} {ping.Number}{(ping.Padding > 0 ? $" and {ping.Padding} more" : "")}";
            case FrameType.SubflowStatus:
                var status = SubflowStatusFrame.Parse(frame);
                return $"SUBFLOW_STATUS {status.Subflow.Value} {status.Version} {(status.IsLost ? "lost" : "usable")} {status.Policy}";
            case FrameType.Mode:
                var mode = ModeFrame.Parse(frame);
                return $"MODE {mode.Version} {mode.Mode}";
            default:
                return frame.Type.ToString();
        }
    }

    private static int Write(Frame frame, Span<byte> destination)
    {
        switch (frame.Type)
        {
            case FrameType.Stream or FrameType.StreamEnd:
                var stream = StreamFrame.Parse(frame);
                var header = StreamFrame.WriteHeader(destination, stream.Stream, stream.Offset, stream.Payload.Length, stream.IsEnd);
                Assert.Equal(StreamFrame.HeaderLength(stream.Stream, stream.Offset), header);
                stream.Payload.CopyTo(destination[header..]);
                return header + stream.Payload.Length;
            case FrameType.MaxStreamData:
                return MaxStreamDataFrame.Parse(frame).WriteTo(destination);
            case FrameType.MaxData or FrameType.MaxStreams:
                return MaximumFrame.Parse(frame).WriteTo(destination);
            case FrameType.Reset:
                return ResetFrame.Parse(frame).WriteTo(destination);
            case FrameType.StopSending:
                return StopSendingFrame.Parse(frame).WriteTo(destination);
            case FrameType.Ping or FrameType.Pong:
                return PingFrame.Parse(frame).WriteTo(destination);
            case FrameType.Mode:
                return ModeFrame.Parse(frame).WriteTo(destination);
            default:
                return SubflowStatusFrame.Parse(frame).WriteTo(destination);
        }
    }

    // "4001" is a number in two bytes where one would do: read, never written.
    private static bool IsShortest(string hex) => !hex.StartsWith("1C", StringComparison.Ordinal);

    private static FrameType Type(byte[] bytes) => (FrameType)bytes[0];

    private static byte[] Bytes(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
}

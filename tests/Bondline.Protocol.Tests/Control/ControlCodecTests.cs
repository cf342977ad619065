using System.Buffers;
using System.Text;
using CsCheck;
using Xunit;

namespace Bondline.Protocol.Tests.Control;

public class ControlCodecTests
{
    public static TheoryData<string, string> Golden => new()
    {
        { nameof(RegisterTunnel), """{"type":"register","tunnel":1,"kind":"Http","name":"shop","takeover":true,"local":"localhost:3000"}""" },
        { "tcp", """{"type":"register","tunnel":2,"kind":"Tcp","remotePort":7000,"takeover":false}""" },
        { "h2", """{"type":"register","tunnel":3,"kind":"Http","takeover":false,"http":"Both","hostHeader":"localhost:3000"}""" },
        { "made up", """{"type":"register","tunnel":4,"kind":"Http","name":"calm-otter","takeover":false,"mayRename":true}""" },
        { nameof(UnregisterTunnel), """{"type":"unregister","tunnel":1}""" },
        { nameof(TunnelReady), """{"type":"ready","tunnel":1,"url":"https://shop.example","name":"shop"}""" },
        { nameof(TunnelRefused), """{"type":"refused","tunnel":1,"code":"name-taken","message":"another agent has it"}""" },
        { nameof(TunnelSuperseded), """{"type":"superseded","tunnel":1,"by":"laptop","message":"taken over"}""" },
        { nameof(WatchRequests), """{"type":"watchRequests"}""" },
        { nameof(RequestServed), """{"type":"requestServed","tunnel":1,"method":"GET","target":"/a?b=1","status":200,"durationMs":12,"bytes":5}""" },
        { nameof(RequestsUntold), """{"type":"requestsUntold","count":3}""" },
    };

    private static ControlMessage Message(string name) => name switch
    {
        nameof(RegisterTunnel) => new RegisterTunnel(1, TunnelKind.Http, "shop", Takeover: true, Local: "localhost:3000"),
        "tcp" => new RegisterTunnel(2, TunnelKind.Tcp, RemotePort: 7000),
        "h2" => new RegisterTunnel(3, TunnelKind.Http) { Http = HttpVersions.Both, HostHeader = "localhost:3000" },
        "made up" => new RegisterTunnel(4, TunnelKind.Http, "calm-otter") { MayRename = true },
        nameof(UnregisterTunnel) => new UnregisterTunnel(1),
        nameof(TunnelReady) => new TunnelReady(1, "https://shop.example", "shop"),
        nameof(TunnelRefused) => new TunnelRefused(1, "name-taken", "another agent has it"),
        nameof(WatchRequests) => new WatchRequests(),
        nameof(RequestServed) => new RequestServed(1, "GET", "/a?b=1", 200, 12, 5),
        nameof(RequestsUntold) => new RequestsUntold(3),
        _ => new TunnelSuperseded(1, "laptop", "taken over"),
    };

    [Theory]
    [MemberData(nameof(Golden))]
    public void Each_message_has_its_golden_line(string name, string line)
    {
        var output = new ArrayBufferWriter<byte>();
        var length = ControlCodec.Write(Message(name), output);
        Assert.Equal(line + "\n", Encoding.UTF8.GetString(output.WrittenSpan));
        Assert.Equal(output.WrittenCount, length);
        Assert.Equal(Message(name), ReadOne(line + "\n"));
    }

    [Theory]
    [MemberData(nameof(Golden))]
    public void A_line_may_come_in_any_pieces(string name, string line)
    {
        var bytes = Encoding.UTF8.GetBytes(line + "\n");
        for (var length = 0; length < bytes.Length; length++)
        {
            var part = new ReadOnlySequence<byte>(bytes, 0, length);
            Assert.False(ControlCodec.TryRead(ref part, out _));
            Assert.Equal(length, part.Length);
        }
        for (var size = 1; size < 9; size++)
        {
            var input = Split([.. bytes, .. "{"u8], size);
            Assert.True(ControlCodec.TryRead(ref input, out var message));
            Assert.Equal(Message(name), message);
            Assert.Equal(1, input.Length);
        }
    }

    [Theory]
    [InlineData("""{"type":"later","tunnel":1}""")]
    [InlineData("""{"tunnel":1}""")]
    [InlineData("""{"type":1,"tunnel":1}""")]
    [InlineData("{}")]
    [InlineData("null")]
    public void A_message_of_another_version_is_nothing(string line) => Assert.Null(ReadOne(line + "\n"));

    [Fact]
    public void Unknown_properties_and_any_order_are_taken() =>
        Assert.Equal(new UnregisterTunnel(5), ReadOne("{\"new\":[{}],\"tunnel\":5,\"type\":\"unregister\"}\r\n"));

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("[]")]
    [InlineData("1")]
    [InlineData("\"register\"")]
    [InlineData("""{"type":"unregister","tunnel":1""")]
    [InlineData("""{"type":"unregister","tunnel":1}}""")]
    [InlineData("""{"type":"unregister","tunnel":1}{"type":"unregister","tunnel":2}""")]
    [InlineData("""{"type":"unregister","tunnel":1} x""")]
    [InlineData("""{"type":"unregister","tunnel":-1}""")]
    [InlineData("""{"type":"unregister","tunnel":1e99}""")]
    [InlineData("""{"type":"unregister","tunnel":"1"}""")]
    [InlineData("""{"type":"unregister"}""")]
    [InlineData("""{"type":"register","tunnel":1}""")]
    [InlineData("""{"type":"register","tunnel":1,"kind":"Udp"}""")]
    [InlineData("""{"type":"register","tunnel":1,"kind":7}""")]
    [InlineData("""{"type":"register","tunnel":1,"kind":"Http","http":7}""")]
    [InlineData("""{"type":"register","tunnel":1,"kind":"Http","http":"Http3"}""")]
    [InlineData("""{"type":"register","tunnel":1,"kind":"Http","hostHeader":"a\r\nX-Evil: 1"}""")]
    [InlineData("""{"type":"register","tunnel":1,"kind":"Http","hostHeader":""}""")]
    [InlineData("""{"type":"ready","tunnel":1}""")]
    [InlineData("""{"type":"ready","tunnel":1,"url":null}""")]
    [InlineData("""{"type":"register","tunnel":1,"kind":"Http","name":"\ud800"}""")]
    [InlineData("{\"type\":\"unregister\",\"tunnel\":1,\"\u001b[2J\":0}")]
    public void Garbage_is_malformed_and_not_repeated(string line)
    {
        var error = Assert.Throws<ProtocolException>(() => ReadOne(line + "\n"));
        Assert.Equal(ProtocolError.FrameMalformed, error.Error);
        Assert.DoesNotContain('\u001b', error.Message);
    }

    [Fact]
    public void Bytes_that_are_no_text_are_malformed()
    {
        var input = new ReadOnlySequence<byte>([.. """{"type":"register","tunnel":1,"kind":"Http","name":"""u8, (byte)'"', 0xff, 0xfe, (byte)'"', (byte)'}', (byte)'\n']);
        Assert.Equal(ProtocolError.FrameMalformed, Assert.Throws<ProtocolException>(() => ControlCodec.TryRead(ref input, out _)).Error);
    }

    [Fact]
    public void Deep_nesting_is_malformed() => Assert.Throws<ProtocolException>(() => ReadOne("{\"x\":" + new string('[', 8000) + "\n"));

    [Fact]
    public void A_line_over_its_limit_is_refused_with_or_without_its_end()
    {
        var longest = Encoding.UTF8.GetBytes("{\"x\":\"" + new string('a', ControlCodec.MaxLineLength - 9) + "\"}\n");
        Assert.Equal(ControlCodec.MaxLineLength, longest.Length);
        Assert.Null(ReadOne(Encoding.UTF8.GetString(longest)));

        foreach (var end in new[] { "", "\n" })
        {
            var input = Split([.. new byte[ControlCodec.MaxLineLength], .. Encoding.UTF8.GetBytes(end)], 1000);
            Assert.Equal(ProtocolError.FrameTooLarge, Assert.Throws<ProtocolException>(() => ControlCodec.TryRead(ref input, out _)).Error);
        }
        var output = new ArrayBufferWriter<byte>();
        var tooLong = new TunnelRefused(1, "limit", new string('a', ControlCodec.MaxLineLength));
        Assert.Equal(ProtocolError.FrameTooLarge, Assert.Throws<ProtocolException>(() => ControlCodec.Write(tooLong, output)).Error);
        Assert.Equal(0, output.WrittenCount);
    }

    [Fact]
    public void Any_text_in_a_message_stays_one_line_and_comes_back()
    {
        Gen.Select(Gen.ULong, Gen.String[Gen.Char['\0', '\ud7ff'], 0, 50], Gen.Int[0, 65535]).Sample((tunnel, text, port) =>
        {
            ControlMessage[] messages = [new RegisterTunnel(tunnel, TunnelKind.Tcp, text, port, true, text), new TunnelSuperseded(tunnel, text, text)];
            var output = new ArrayBufferWriter<byte>();
            foreach (var message in messages) ControlCodec.Write(message, output);
            var input = Split(output.WrittenSpan.ToArray(), 16);
            foreach (var message in messages)
            {
                Assert.True(ControlCodec.TryRead(ref input, out var read));
                Assert.Equal(message, read);
            }
            Assert.True(input.IsEmpty);
        });
    }

    [Fact]
    public void Any_bytes_are_read_or_refused_and_nothing_else()
    {
        var line = Encoding.UTF8.GetBytes("""{"type":"register","tunnel":1,"kind":"Http","name":"a\u0041b","takeover":true}""" + "\n");
        Gen.Select(Gen.Int[0, line.Length - 2], Gen.OneOf(Gen.Byte, Gen.Byte[32, 126])).Array[1, 5].Sample(changes =>
        {
            var changed = (byte[])line.Clone();
            foreach (var (index, value) in changes) changed[index] = value;
            var input = new ReadOnlySequence<byte>(changed);
            try
            {
                while (ControlCodec.TryRead(ref input, out _)) continue;
            }
            catch (ProtocolException refused)
            {
                Assert.Equal(ProtocolError.FrameMalformed, refused.Error);
            }
        });
    }

    private static ControlMessage? ReadOne(string text)
    {
        var input = new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(text));
        Assert.True(ControlCodec.TryRead(ref input, out var message));
        Assert.True(input.IsEmpty);
        return message;
    }

    private static ReadOnlySequence<byte> Split(byte[] bytes, int size)
    {
        var first = new Segment(bytes.AsMemory(0, Math.Min(size, bytes.Length)), 0);
        var last = first;
        for (var from = size; from < bytes.Length; from += size) last = last.Append(bytes.AsMemory(from, Math.Min(size, bytes.Length - from)));
        return new(first, 0, last, last.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, long index) => (Memory, RunningIndex) = (memory, index);

        public Segment Append(ReadOnlyMemory<byte> memory)
        {
            var next = new Segment(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}

using System.Text;
using CsCheck;
using Xunit;

namespace Bondline.Protocol.Tests.Wire;

public class CloseFrameTests
{
    [Fact]
    public void It_has_its_golden_bytes()
    {
        const string golden = "0a4004" + "0e" + "62796e"; // bond unknown, "byn"
        Assert.Equal(golden, Convert.ToHexStringLower(Write(new(ProtocolError.BondUnknown, "byn"))));
        Assert.Equal(new CloseFrame(ProtocolError.BondUnknown, "byn"), Read(Convert.FromHexString(golden)));
    }

    [Fact]
    public void A_reason_of_512_bytes_is_taken_and_a_longer_one_refused()
    {
        Assert.Equal(512, CloseFrame.Parse(new(FrameType.Close, [1, .. new string('a', 512).Select(c => (byte)c)])).Reason.Length);
        var error = Assert.Throws<ProtocolException>(() => CloseFrame.Parse(new(FrameType.Close, [1, .. new byte[513]])));
        Assert.Equal(ProtocolError.FrameMalformed, error.Error);
    }

    [Theory]
    [InlineData("")]
    [InlineData("40")]
    [InlineData("c0000000000000")]
    public void A_code_cut_off_is_malformed(string hex) =>
        Assert.Equal(ProtocolError.FrameMalformed, Assert.Throws<ProtocolException>(() => CloseFrame.Parse(new(FrameType.Close, Convert.FromHexString(hex)))).Error);

    [Fact]
    public void A_peers_reason_cannot_steer_a_terminal_or_a_log() =>
        Assert.Equal("a [2Jb c d", CloseFrame.Parse(new(FrameType.Close, [1, .. "a\u001b[2Jb\nc\u009bd"u8])).Reason);

    [Fact]
    public void Any_reason_fits_and_is_read_back_up_to_its_cut()
    {
        Gen.Select(Gen.ULong[0, VarInt.MaxValue], Gen.String[Gen.Char, 0, 600]).Sample((code, reason) =>
        {
            var read = Read(Write(new((ProtocolError)code, reason)));
            Assert.Equal((ProtocolError)code, read.Code);
            Assert.True(Encoding.UTF8.GetByteCount(read.Reason) <= CloseFrame.MaxReasonLength + 2);
        });
        Assert.Equal(CloseFrame.MaxReasonLength / 3, Read(Write(new(ProtocolError.None, new string('€', 600)))).Reason.Length);
    }

    private static byte[] Write(CloseFrame frame)
    {
        var bytes = new byte[CloseFrame.MaxReasonLength + 16];
        return bytes[..frame.WriteTo(bytes)];
    }

    private static CloseFrame Read(byte[] bytes)
    {
        Assert.True(HandshakeFrame.TryRead(bytes, out var frame, out var length));
        Assert.Equal((FrameType.Close, bytes.Length), (frame.Type, length));
        return CloseFrame.Parse(frame);
    }
}

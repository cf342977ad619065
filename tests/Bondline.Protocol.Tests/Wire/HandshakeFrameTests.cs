using System.Text;
using CsCheck;
using Xunit;

namespace Bondline.Protocol.Tests.Wire;

public class HandshakeFrameTests
{
    private const string NonceHex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    private const string Hello = "00402b" + "00020101" + "0220" + NonceHex + "0103054100";
    private const string Open = "024041" + "002d612e41414543417751464267634943516f4c4441304f4478415245684d554652595847426b6147787764486838" + "0210" + "00112233445566778899aabbccddeeff";
    private const string Welcome = "044042" + "001000000007000000000000000000000009" + "0220" + NonceHex + "040107" + "01095b3a3a315d3a343433";
    private const string Join = "06403a" + "001000000007000000000000000000000009" + "020101" + "040102" + "0620" + NonceHex;
    private const string Joined = "084022" + "0020" + NonceHex;

    private static readonly byte[] Nonce = Convert.FromHexString(NonceHex);
    private static readonly Guid Instance = Guid.ParseExact("00112233445566778899aabbccddeeff", "N");
    private static readonly BondId Bond = new(new UInt128(0x00000007_00000000, 9));

    private static readonly Gen<byte[]> Bytes32 = Gen.Byte.Array[32];
    private static readonly Gen<BondId> Bonds = Gen.Select(Gen.ULong, Gen.ULong, (high, low) => new BondId(new UInt128(high, low)));

    /// <summary>A whole frame of each type, and what reads it.</summary>
    public static TheoryData<string> Frames => [Hello, Open, Welcome, Join, Joined];

    [Fact]
    public void Hello_has_its_golden_bytes()
    {
        Assert.Equal(Hello, Hex(new HelloFrame(1, 1, Nonce, [5, 256]).ToBytes()));
        var parsed = HelloFrame.Parse(Body(Hello));
        Assert.Equal((1UL, 1UL), (parsed.MinVersion, parsed.MaxVersion));
        Assert.Equal(Nonce, parsed.Nonce);
        Assert.Equal([5UL, 256UL], parsed.Features);
    }

    [Fact]
    public void Open_has_its_golden_bytes()
    {
        var open = new OpenFrame(new("a", new(Nonce)), Instance);
        Assert.Equal(Open, Hex(open.ToBytes()));
        Assert.Equal(open, OpenFrame.Parse(Body(Open)));
    }

    [Fact]
    public void Welcome_has_its_golden_bytes()
    {
        Assert.Equal(Welcome, Hex(new WelcomeFrame(Bond, new(Nonce), 7, [new("::1", 443)]).ToBytes()));
        var parsed = WelcomeFrame.Parse(Body(Welcome));
        Assert.Equal((Bond, 7U, new SecretBytes(Nonce)), (parsed.Bond, parsed.RelayId, parsed.Secret));
        Assert.Equal([new HostPort("::1", 443)], parsed.Addresses);
    }

    [Fact]
    public void Join_and_joined_have_their_golden_bytes()
    {
        Assert.Equal(Join, Hex(new JoinFrame(Bond, new(1), SubflowPolicy.Backup, Nonce).ToBytes()));
        var parsed = JoinFrame.Parse(Body(Join));
        Assert.Equal((Bond, new SubflowId(1), SubflowPolicy.Backup), (parsed.Bond, parsed.Subflow, parsed.Policy));
        Assert.Equal(Nonce, parsed.Proof);
        Assert.Equal(Joined, Hex(JoinFrame.MakeJoined(Nonce)));
        Assert.Equal(Nonce, JoinFrame.ParseJoined(Body(Joined)));
    }

    [Theory]
    [MemberData(nameof(Frames))]
    public void A_truncated_frame_waits_for_more(string hex)
    {
        var whole = Convert.FromHexString(hex);
        for (var length = 0; length < whole.Length; length++)
        {
            Assert.False(HandshakeFrame.TryRead(whole.AsSpan(0, length), out _, out var consumed));
            Assert.Equal(0, consumed);
        }
        Assert.True(HandshakeFrame.TryRead(whole, out _, out var all));
        Assert.Equal(whole.Length, all);
    }

    [Theory]
    [MemberData(nameof(Frames))]
    public void A_truncated_body_is_malformed_unless_only_optional_entries_are_missing(string hex)
    {
        var body = Convert.FromHexString(hex)[3..];
        for (var length = 0; length < body.Length; length++)
        {
            if (TryParse(hex, body.AsSpan(0, length)) is not { } error) Assert.True(EndsBehindRequiredEntries(body.AsSpan(0, length)), $"{length} of {body.Length} bytes are taken");
            else Assert.Equal(ProtocolError.FrameMalformed, error);
        }
    }

    [Theory]
    [MemberData(nameof(Frames))]
    public void Unknown_odd_entries_are_skipped_and_unknown_even_ones_refused(string hex)
    {
        var body = Convert.FromHexString(hex)[3..];
        Assert.Null(TryParse(hex, [.. body, 0x3f, 0x02, 1, 2]));
        Assert.Equal(ProtocolError.FrameMalformed, TryParse(hex, [.. body, 0x3e, 0x00]));
        Assert.Equal(ProtocolError.FrameMalformed, TryParse(hex, [.. body, 0x3f, 0x02, 1]));
    }

    [Theory]
    [MemberData(nameof(Frames))]
    public void Any_bytes_are_read_or_refused_and_nothing_else(string hex)
    {
        var body = Convert.FromHexString(hex)[3..];
        Gen.Select(Gen.Int[0, body.Length - 1], Gen.Byte).Array[1, 4].Sample(changes =>
        {
            var changed = (byte[])body.Clone();
            foreach (var (index, value) in changes) changed[index] = value;
            TryParse(hex, changed); // only a ProtocolException is caught there
        });
        Gen.Byte.Array[0, 200].Sample(garbage => { TryParse(hex, garbage); });
    }

    [Fact]
    public void A_frame_of_4096_bytes_is_taken_and_a_longer_one_refused_by_its_length_alone()
    {
        byte[] largest = [0x01, .. Fixed(HandshakeFrame.MaxLength - 3), .. new byte[HandshakeFrame.MaxLength - 3]];
        Assert.True(HandshakeFrame.TryRead(largest, out var frame, out var length));
        Assert.Equal((FrameType.Padding, HandshakeFrame.MaxLength), (frame.Type, length));
        var error = Assert.Throws<ProtocolException>(() => HandshakeFrame.TryRead([0x01, .. Fixed(HandshakeFrame.MaxLength - 2)], out _, out _));
        Assert.Equal(ProtocolError.FrameTooLarge, error.Error);
        error = Assert.Throws<ProtocolException>(() => HandshakeFrame.TryRead(Convert.FromHexString("01ffffffffffffffff"), out _, out _));
        Assert.Equal(ProtocolError.FrameTooLarge, error.Error);
    }

    [Theory]
    [InlineData("0001010220" + NonceHex)] // one version
    [InlineData("000202010220" + NonceHex)] // lowest above highest
    [InlineData("000200000220" + NonceHex)] // version 0 alone
    [InlineData("00030101010220" + NonceHex)] // three versions
    [InlineData("00020101")] // no nonce
    [InlineData("0220" + NonceHex)] // no versions
    [InlineData("00020101" + "021f" + "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e")] // 31 bytes
    [InlineData("00020101" + "0220" + NonceHex + "010140")] // a feature cut off
    public void A_hello_without_a_range_a_nonce_or_whole_features_is_malformed(string hex)
    {
        var error = Assert.Throws<ProtocolException>(() => HelloFrame.Parse(Convert.FromHexString(hex)));
        Assert.Equal(ProtocolError.FrameMalformed, error.Error);
    }

    [Fact]
    public void A_hello_names_at_most_64_features()
    {
        byte[] Features(int count) => [0, 2, 1, 1, 2, 32, .. Nonce, 1, .. Fixed(count), .. Enumerable.Repeat((byte)3, count)];
        Assert.Equal(64, HelloFrame.Parse(Features(64)).Features.Count);
        Assert.Throws<ProtocolException>(() => HelloFrame.Parse(Features(65)));
        Assert.Throws<ProtocolException>(() => HelloFrame.Parse([.. Features(64), 1, 1, 3])); // nor in two entries
    }

    [Theory]
    [InlineData(0, 1, true)]
    [InlineData(1, 1, true)]
    [InlineData(1, 9, true)]
    [InlineData(2, 9, false)]
    public void A_peer_whose_versions_do_not_include_ours_is_refused(ulong min, ulong max, bool isTaken)
    {
        var hello = HelloFrame.Parse(Body(Hex(new HelloFrame(min, max, Nonce, []).ToBytes())));
        var error = Record.Exception(() => hello.CheckVersion("peer")) as ProtocolException;
        Assert.Equal(isTaken ? null : ProtocolError.VersionUnsupported, error?.Error);
    }

    [Fact]
    public void A_token_that_is_none_is_refused_as_one()
    {
        foreach (var text in new[] { "", "a", "a.b", "A." + new string('A', 43), new string('a', 4000) })
        {
            var entries = new TlvWriter(new byte[HandshakeFrame.MaxLength]);
            entries.Add(0, Encoding.ASCII.GetBytes(text));
            entries.Add(2, new byte[16]);
            var body = entries.Written.ToArray();
            Assert.Equal(ProtocolError.TokenRefused, Assert.Throws<ProtocolException>(() => OpenFrame.Parse(body)).Error);
        }
    }

    [Fact]
    public void A_policy_that_does_not_exist_is_malformed()
    {
        var body = Body(Join).ToArray();
        body[23] = (byte)SubflowPolicy.Off;
        Assert.Equal(SubflowPolicy.Off, JoinFrame.Parse(body).Policy);
        body[23]++;
        Assert.Equal(ProtocolError.FrameMalformed, Assert.Throws<ProtocolException>(() => JoinFrame.Parse(body)).Error);
    }

    [Fact]
    public void Addresses_beyond_sixteen_and_unusable_ones_are_left_out()
    {
        var entries = new TlvWriter(new byte[HandshakeFrame.MaxLength]);
        entries.Add(1, "\u001b[2J:1"u8);
        entries.Add(1, "host:0"u8);
        for (var i = 0; i < 20; i++) entries.Add(1, Encoding.ASCII.GetBytes($"host{i}"));
        var parsed = WelcomeFrame.Parse([.. Body(Welcome), .. entries.Written]);
        Assert.Equal(WelcomeFrame.MaxAddresses, parsed.Addresses.Count);
        Assert.Equal(new HostPort("host0", JoinUrl.DefaultPort), parsed.Addresses[1]);

        var longest = Enumerable.Range(10, 20).Select(i => new HostPort(new string('a', 251) + i, 65535)).ToArray();
        var frame = new WelcomeFrame(Bond, new(Nonce), 1, longest).ToBytes();
        Assert.InRange(frame.Length, HandshakeFrame.MaxLength - 300, HandshakeFrame.MaxLength);
        Assert.Equal(longest[..15], WelcomeFrame.Parse(Body(Hex(frame))).Addresses);
    }

    [Fact]
    public void What_is_written_is_read_back()
    {
        var numbers = Gen.ULong[0, VarInt.MaxValue];
        Gen.Select(numbers, numbers, Bytes32, numbers.Array[0, HelloFrame.MaxFeatures]).Sample((a, b, nonce, features) =>
        {
            var (min, max) = (Math.Min(a, b), Math.Max(Math.Max(a, b), 1));
            var read = HelloFrame.Parse(Body(Hex(new HelloFrame(min, max, nonce, features).ToBytes())));
            Assert.Equal((min, max), (read.MinVersion, read.MaxVersion));
            Assert.Equal(nonce, read.Nonce);
            Assert.Equal(features, read.Features);
        });
        Gen.Select(Gen.String[Gen.Char["abcdefghijklmnopqrstuvwxyz0123456789-"], 1, Token.MaxIdLength], Bytes32, Gen.Guid).Sample((id, secret, instance) =>
        {
            var open = new OpenFrame(new(id, new(secret)), instance);
            Assert.Equal(open, OpenFrame.Parse(Body(Hex(open.ToBytes()))));
        });
        Gen.Select(Bonds, numbers, Gen.Enum<SubflowPolicy>(), Bytes32).Sample((bond, subflow, policy, proof) =>
        {
            var read = JoinFrame.Parse(Body(Hex(new JoinFrame(bond, new(subflow), policy, proof).ToBytes())));
            Assert.Equal((bond, new SubflowId(subflow), policy), (read.Bond, read.Subflow, read.Policy));
            Assert.Equal(proof, read.Proof);
        });
    }

    private static ProtocolError? TryParse(string golden, ReadOnlySpan<byte> body)
    {
        try
        {
            switch (golden)
            {
                case Hello: HelloFrame.Parse(body); break;
                case Open: OpenFrame.Parse(body); break;
                case Welcome: WelcomeFrame.Parse(body); break;
                case Join: JoinFrame.Parse(body); break;
                default: JoinFrame.ParseJoined(body); break;
            }
            return null;
        }
        catch (ProtocolException error)
        {
            return error.Error;
        }
    }

    /// <summary>Whole entries, and among them every required one: WELCOME's relay id and addresses, and HELLO's features, may be absent.</summary>
    private static bool EndsBehindRequiredEntries(ReadOnlySpan<byte> body)
    {
        List<ulong> ids = [];
        var entries = new TlvReader(body);
        while (entries.Next()) ids.Add(entries.Id);
        return !entries.IsMalformed && ids.Contains(0) && ids.Contains(2);
    }

    private static byte[] Fixed(int length)
    {
        var bytes = new byte[2];
        VarInt.WriteFixed(bytes, (ulong)length, 2);
        return bytes;
    }

    private static ReadOnlySpan<byte> Body(string hex) => Convert.FromHexString(hex).AsSpan(3);

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}

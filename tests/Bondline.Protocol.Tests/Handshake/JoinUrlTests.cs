using CsCheck;
using Xunit;

namespace Bondline.Protocol.Tests.Handshake;

public class JoinUrlTests
{
    private const string Secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"; // 0, 1, ... 31
    private const string Pin = "sha256:" + Secret;

    private static readonly byte[] SecretBytes = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    [Fact]
    public void Everything_a_url_can_say_is_read()
    {
        var url = Parse($"  bondline://my-laptop.{Secret}@relay.example,192.0.2.1:8443,[2001:db8::1],[fe80::1%2]:9/?pin={Pin}&pin=sha256:{new string('A', 43)}\n");
        Assert.Equal("my-laptop", url.Token.Id);
        Assert.Equal(SecretBytes, url.Token.Secret.Bytes);
        Assert.Equal([new("relay.example", 443), new("192.0.2.1", 8443), new("2001:db8::1", 443), new("fe80::1%2", 9)], url.Hosts);
        Assert.Equal([KeyPin.FromHash(SecretBytes), default], url.Pins);
        Assert.True(url.Pins[0].Matches(SecretBytes));
        Assert.False(url.Pins[1].Matches(SecretBytes));
        Assert.False(url.Pins[0].Matches(SecretBytes.AsSpan(1)));
    }

    [Fact]
    public void A_url_prints_without_its_secret_and_formats_with_it()
    {
        var url = Parse($"bondline://a.{Secret}@[::1]:8443?pin={Pin}");
        Assert.Equal($"bondline://a.{Secret}@[::1]:8443?pin={Pin}", url.Format());
        Assert.Equal($"bondline://a.***@[::1]:8443?pin={Pin}", url.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("bondline://")]
    [InlineData("bondline://a.S")]
    [InlineData("https://a.S@host")]
    [InlineData("Bondline://a.S@host")]
    [InlineData("bondline://@host")]
    [InlineData("bondline://.S@host")]
    [InlineData("bondline://A.S@host")]
    [InlineData("bondline://a.b.S@host")]
    [InlineData("bondline://a.SA@host")] // 44 characters
    [InlineData("bondline://a.S=@host")] // padding
    [InlineData("bondline://a.S @host")]
    [InlineData("bondline://a.\nS@host")]
    [InlineData("bondline://a.S@")]
    [InlineData("bondline://a.S@host,")]
    [InlineData("bondline://a.S@,host")]
    [InlineData("bondline://a.S@host:")]
    [InlineData("bondline://a.S@host:0")]
    [InlineData("bondline://a.S@host:65536")]
    [InlineData("bondline://a.S@host:-1")]
    [InlineData("bondline://a.S@host:+1")]
    [InlineData("bondline://a.S@host: 1")]
    [InlineData("bondline://a.S@host:1\0")]
    [InlineData("bondline://a.S@host:1:2")]
    [InlineData("bondline://a.S@host:99999999999999999999")]
    [InlineData("bondline://a.S@::1")]
    [InlineData("bondline://a.S@[::1")]
    [InlineData("bondline://a.S@[::1]443")]
    [InlineData("bondline://a.S@[host]")]
    [InlineData("bondline://a.S@[127.0.0.1]")]
    [InlineData("bondline://a.S@[]")]
    [InlineData("bondline://a.S@ho st")]
    [InlineData("bondline://a.S@ho\u001b[2Jst")]
    [InlineData("bondline://a.S@ho\0st")]
    [InlineData("bondline://a.S@b@host")]
    [InlineData("bondline://a.S@host/path")]
    [InlineData("bondline://a.S@host#x")]
    [InlineData("bondline://a.S@host?pin=")]
    [InlineData("bondline://a.S@host?pin=S")]
    [InlineData("bondline://a.S@host?pin=sha1:S")]
    [InlineData("bondline://a.S@host?pin=sha256:S=")]
    [InlineData("bondline://a.S@host?pin=sha256:SA")]
    [InlineData("bondline://a.S@host?pin=sha256:S&")]
    [InlineData("bondline://a.S@host?other=1")]
    [InlineData("bondline://a.S@host?pin=sha256:S?")]
    public void What_is_no_join_url_is_refused_without_repeating_the_secret(string text)
    {
        Assert.False(JoinUrl.TryParse(text.Replace("S", Secret, StringComparison.Ordinal), out var url, out var error));
        Assert.Null(url);
        Assert.NotEmpty(error);
        Assert.DoesNotContain(Secret, error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_secret_has_one_spelling()
    {
        foreach (var last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        {
            var text = Secret[..^1] + last;
            Assert.Equal(Token.TryParse("a." + text, out var token), KeyPin.TryParse("sha256:" + text, out _));
            if (token is not null) Assert.Equal("a." + text, token.Format());
            Assert.Equal("AEIMQUYcgkosw048".Contains(last, StringComparison.Ordinal), token is not null);
        }
    }

    [Fact]
    public void Limits_hold()
    {
        Parse($"bondline://{new string('a', 64)}.{Secret}@{new string('b', 253)}");
        Refuse($"bondline://{new string('a', 65)}.{Secret}@host");
        Refuse($"bondline://a.{Secret}@{new string('b', 254)}");
        Parse($"bondline://a.{Secret}@{Repeat("host", 16, ",")}");
        Refuse($"bondline://a.{Secret}@{Repeat("host", 17, ",")}");
        Parse($"bondline://a.{Secret}@host?{Repeat("pin=" + Pin, 8, "&")}");
        Refuse($"bondline://a.{Secret}@host?{Repeat("pin=" + Pin, 9, "&")}");
        Refuse($"bondline://a.{Secret}@host{new string('/', JoinUrl.MaxLength)}");
    }

    [Fact]
    public void What_is_formatted_is_read_back()
    {
        var bytes = Gen.Byte.Array[32];
        var ids = Gen.String[Gen.Char["abcdefghijklmnopqrstuvwxyz0123456789-"], 1, Token.MaxIdLength];
        var hosts = Gen.Select(Gen.Int[0, 4].Select(i => new[] { "a", "relay.example", "192.0.2.1", "::1", "2001:db8::ffff" }[i]), Gen.Int[1, 65535], (host, port) => new HostPort(host, port));
        Gen.Select(ids, bytes, hosts.List[1, 16], bytes.List[0, 8]).Sample((id, secret, hosts, pins) =>
        {
            var url = new JoinUrl(new(id, new(secret)), hosts, [.. pins.Select(pin => KeyPin.FromHash(pin))]);
            var read = Parse(url.Format());
            Assert.Equal(url.Token, read.Token);
            Assert.Equal(url.Hosts, read.Hosts);
            Assert.Equal(url.Pins, read.Pins);
        });
    }

    [Fact]
    public void No_text_does_anything_but_parse_or_be_refused()
    {
        var whole = $"bondline://a.{Secret}@host:1,[::1]?pin={Pin}";
        Gen.Select(Gen.Int[0, whole.Length - 1], Gen.OneOf(Gen.Char, Gen.Char["@?&:,[]./%=\n"])).Array[1, 4].Sample(changes =>
        {
            var text = whole.ToCharArray();
            foreach (var (index, value) in changes) text[index] = value;
            if (JoinUrl.TryParse(new(text), out var url, out _)) Assert.Equal(url.Format(), Parse(url.Format()).Format());
        });
    }

    private static JoinUrl Parse(string text)
    {
        Assert.True(JoinUrl.TryParse(text, out var url, out var error), error);
        return url;
    }

    private static void Refuse(string text) => Assert.False(JoinUrl.TryParse(text, out _, out _), text);

    private static string Repeat(string part, int count, string separator) => string.Join(separator, Enumerable.Repeat(part, count));
}

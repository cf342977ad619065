using System.Buffers.Binary;
using System.Text;
using Xunit;

namespace Bondline.Relay.Tests;

public sealed class FirstBytesTests
{
    [Fact]
    public void A_hello_that_offers_bondline_is_a_subflow() => Assert.Equal(FirstBytesKind.Subflow, FirstBytes.Read(Hello(alpn: ["h2", "bondline/1"])).Kind);

    [Fact]
    public void Any_other_hello_is_a_visitor_with_its_server_name()
    {
        Assert.Equal(new FirstBytes(FirstBytesKind.Tls, "shop.lab.test"), FirstBytes.Read(Hello(alpn: ["h2", "http/1.1"], serverName: "Shop.Lab.Test")));
        Assert.Equal(new FirstBytes(FirstBytesKind.Tls), FirstBytes.Read(Hello(alpn: ["bondline/10", "bondline/"])));
        Assert.Equal(new FirstBytes(FirstBytesKind.Tls), FirstBytes.Read(Hello(hasExtensions: false)));
    }

    [Fact]
    public void Every_truncation_of_a_hello_is_incomplete()
    {
        var hello = Hello(alpn: ["bondline/1"], serverName: "lab.test");
        for (var length = 0; length < hello.Length; length++) Assert.Equal(FirstBytesKind.Incomplete, FirstBytes.Read(hello.AsSpan(0, length)).Kind);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(64)]
    public void A_hello_may_be_cut_over_records_anywhere(int partLength)
    {
        var hello = Hello(alpn: ["bondline/1"], serverName: "lab.test");
        var cut = Records(hello.AsSpan(5), partLength);
        Assert.Equal(new FirstBytes(FirstBytesKind.Subflow, "lab.test"), FirstBytes.Read(cut));
        for (var length = 0; length < cut.Length; length++) Assert.Equal(FirstBytesKind.Incomplete, FirstBytes.Read(cut.AsSpan(0, length)).Kind);
    }

    [Fact]
    public void What_follows_the_hello_does_not_matter() => Assert.Equal(FirstBytesKind.Subflow, FirstBytes.Read([.. Hello(alpn: ["bondline/1"]), 0xff, 0xff]).Kind);

    [Fact]
    public void A_hello_as_large_as_post_quantum_ones_is_read() => Assert.Equal(FirstBytesKind.Subflow, FirstBytes.Read(Hello(alpn: ["bondline/1"], padding: 1800)).Kind);

    [Fact]
    public void A_hello_over_the_limit_is_refused_by_its_announced_length() =>
        Assert.Equal(FirstBytesKind.Unknown, FirstBytes.Read(Records(Hello(alpn: ["bondline/1"], padding: FirstBytes.MaxLength).AsSpan(5), 16_000).AsSpan(0, 64)).Kind);

    [Fact]
    public void One_byte_records_up_to_the_limit_are_refused()
    {
        var hello = Hello(alpn: ["bondline/1"], padding: 4000);
        Assert.Equal(FirstBytesKind.Unknown, FirstBytes.Read(Records(hello.AsSpan(5), 1).AsSpan(0, FirstBytes.MaxLength)).Kind);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n")]
    [InlineData("POST ")]
    [InlineData("PRI * HTTP/2.0")]
    [InlineData("VERSION-CONTROL", FirstBytesKind.Unknown)]
    [InlineData("GET", FirstBytesKind.Incomplete)]
    [InlineData("G", FirstBytesKind.Incomplete)]
    [InlineData("SSH-2.0-OpenSSH", FirstBytesKind.Unknown)]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAA", FirstBytesKind.Unknown)]
    [InlineData("\0\u0001\u0002", FirstBytesKind.Unknown)]
    internal void Other_protocols_are_told_apart(string text, FirstBytesKind kind = FirstBytesKind.Http) => Assert.Equal(kind, FirstBytes.Read(Encoding.Latin1.GetBytes(text)).Kind);

    [Fact]
    public void Broken_hellos_are_refused()
    {
        var whole = Hello(alpn: ["bondline/1"], serverName: "lab.test");
        byte[] With(int index, byte value)
        {
            var copy = whole.ToArray();
            copy[index] = value;
            return copy;
        }
        Assert.Equal(FirstBytesKind.Unknown, FirstBytes.Read(With(1, 2)).Kind); // no TLS version
        Assert.Equal(FirstBytesKind.Unknown, FirstBytes.Read(With(5, 2)).Kind); // a ServerHello
        Assert.Equal(FirstBytesKind.Unknown, FirstBytes.Read(With(3, 0xff)).Kind); // a record over its limit
        Assert.Equal(FirstBytesKind.Unknown, FirstBytes.Read([22, 3, 1, 0, 0]).Kind); // an empty record
        Assert.Equal(FirstBytesKind.Unknown, FirstBytes.Read(With(43, 200)).Kind); // a session id that does not end in the hello
    }

    [Fact]
    public void Any_change_of_one_byte_is_survived()
    {
        var hello = Hello(alpn: ["bondline/1"], serverName: "lab.test");
        for (var index = 0; index < hello.Length; index++)
        {
            var before = hello[index];
            for (var value = 0; value < 256; value++)
            {
                hello[index] = (byte)value;
                FirstBytes.Read(hello); // whatever it says: it neither throws nor reads beyond
            }
            hello[index] = before;
        }
    }

    internal static byte[] Hello(string[]? alpn = null, string? serverName = null, int padding = 0, bool hasExtensions = true)
    {
        var extensions = new List<byte>();
        if (serverName is not null)
        {
            var name = Encoding.ASCII.GetBytes(serverName);
            byte[] entry = [0, .. Vector16(name)];
            extensions.AddRange([0, 0, .. Vector16(Vector16(entry))]);
        }
        if (padding > 0) extensions.AddRange([0, 21, .. Vector16(new byte[padding])]);
        if (alpn is not null) extensions.AddRange([0, 16, .. Vector16(Vector16([.. alpn.SelectMany(protocol => (byte[])[(byte)protocol.Length, .. Encoding.ASCII.GetBytes(protocol)])]))]);
        byte[] body = [3, 3, .. new byte[32], 0, .. Vector16([0x13, 0x01]), 1, 0, .. hasExtensions ? Vector16([.. extensions]) : []];
        byte[] message = [1, (byte)(body.Length >> 16), (byte)(body.Length >> 8), (byte)body.Length, .. body];
        return Records(message, Math.Max(1, message.Length));
    }

    internal static byte[] Records(ReadOnlySpan<byte> message, int partLength)
    {
        var records = new List<byte>();
        for (var start = 0; start < message.Length; start += partLength)
        {
            var part = message[start..Math.Min(message.Length, start + partLength)];
            records.AddRange([22, 3, 1, .. Vector16(part.ToArray())]);
        }
        return [.. records];
    }

    private static byte[] Vector16(byte[] bytes)
    {
        var length = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)bytes.Length);
        return [.. length, .. bytes];
    }
}

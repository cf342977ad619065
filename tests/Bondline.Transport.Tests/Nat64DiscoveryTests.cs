using System.Net;
using Xunit;

namespace Bondline.Transport.Tests;

/// <summary>What a name server, or anybody in its place, may say about <c>ipv4only.arpa</c>.</summary>
public sealed class Nat64DiscoveryTests
{
    [Fact]
    public void A_prefix_is_read_behind_other_records()
    {
        var answer = Answer("64:ff9b::192.0.0.170");
        Assert.Equal("64:ff9b::/96", Nat64Discovery.Read(answer, 7).ToString());
        Assert.Null(Nat64Discovery.Read(answer, 8));
        for (var length = 0; length < answer.Length; length++) Assert.Null(Nat64Discovery.Read(answer.AsSpan(0, length), 7));
    }

    [Fact]
    public void Anything_else_is_nothing()
    {
        Assert.Null(Nat64Discovery.Read(Nat64Discovery.Question(7), 7)); // an echo
        Assert.Null(Nat64Discovery.Read(Answer("2001:db8::1"), 7));
        var refused = Answer("64:ff9b::192.0.0.170");
        refused[3] |= 3;
        Assert.Null(Nat64Discovery.Read(refused, 7));

        // No byte of it makes the reader go astray.
        var answer = Answer("64:ff9b::192.0.0.170");
        for (var at = 0; at < answer.Length; at++)
        {
            for (var value = 0; value < 256; value++)
            {
                var changed = answer.ToArray();
                changed[at] = (byte)value;
                Nat64Discovery.Read(changed, 7);
            }
        }
    }

    private static byte[] Answer(string address)
    {
        byte[] question = Nat64Discovery.Question(7);
        (question[2], question[3], question[7]) = (0x81, 0x80, 2);
        byte[] alias = [0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xC0, 12];
        return [.. question, .. alias, 0xC0, 12, 0, 28, 0, 1, 0, 0, 0, 60, 0, 16, .. IPAddress.Parse(address).GetAddressBytes()];
    }
}

using Xunit;

namespace Bondline.Transport.Tests;

/// <summary>Which answers are a sign-in page's.</summary>
public sealed class PortalProbeTests
{
    [Theory]
    [InlineData("HTTP/1.1 302 Found\r\nServer: x\r\nlocation:  http://login.hotel.example/a?b\r\n\r\n", "login.hotel.example")]
    [InlineData("HTTP/1.0 307 \r\nLocation: //10.1.2.3:8080/\r\n\r\n", "10.1.2.3")]
    [InlineData("HTTP/1.1 302 Found\r\nLocation: http://user@[fe80::1]/\r\n\r\n", "fe80::1")]
    [InlineData("HTTP/1.1 302 Found\r\nLocation: http://\u001b[31m/\r\n\r\n", "")]
    [InlineData("HTTP/1.1 302 Found\r\nLocation: http://notrelay.example/\r\n\r\n", "notrelay.example")]
    [InlineData("HTTP/1.1 511 Network Authentication Required\r\n\r\n", "")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<meta", "")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}", null)]
    [InlineData("HTTP/1.1 301 Moved\r\nLocation: https://relay.example/\r\n\r\n", null)]
    [InlineData("HTTP/1.1 301 Moved\r\nLocation: https://www.relay.example/\r\n\r\n", null)]
    [InlineData("HTTP/1.1 301 Moved\r\nLocation: /login\r\n\r\n", null)]
    [InlineData("HTTP/1.1 302 Found\r\n\r\nLocation: http://in.the.body/", null)]
    [InlineData("HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n", null)]
    [InlineData("HTTP/1.1 511", "")]
    [InlineData("HTTP/1.1 30\0\r\nLocation: http://elsewhere.example/\r\n\r\n", null)]
    [InlineData("HTTP/1.1 5", null)]
    [InlineData("SSH-2.0-OpenSSH", null)]
    [InlineData("", null)]
    public void An_answer_in_the_relays_place_is_told_from_the_relays(string head, string? portal) =>
        Assert.Equal(portal, PortalProbe.Judge(head, "relay.example"));
}

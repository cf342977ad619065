using System.Net;
using System.Net.Sockets;
using System.Text;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Transport.Tests;

/// <summary>What a proxy may say to CONNECT, and what is made of it.</summary>
public sealed class ProxyTunnelTests
{
    private static readonly HostPort Relay = new("relay.example", 8443);

    private static HttpProxy Proxy(string? credentials = null) => new(new HostPort("proxy.example", 3128), credentials, "HTTPS_PROXY");

    [Theory]
    [InlineData("HTTP/1.1 200 Connection established\r\n\r\n")]
    [InlineData("HTTP/1.0 200\r\nVia: someone\r\n\r\n")]
    [InlineData("HTTP/1.1 204 \r\nTransfer-Encoding: chunked\r\n\r\n")]
    public void It_agrees_and_not_before_its_head_is_whole(string head)
    {
        for (var length = 1; length < head.Length; length++) Assert.False(ProxyTunnel.Check(Encoding.Latin1.GetBytes(head[..length]), Relay, Proxy()));
        Assert.True(ProxyTunnel.Check(Encoding.Latin1.GetBytes(head), Relay, Proxy()));
    }

    [Theory]
    [InlineData("HTTP/1.1 407 No\r\n\r\n", null, "wants a user name and password")]
    [InlineData("HTTP/1.1 407 No\r\nproxy-authenticate: Basic realm=\"x\"\r\n\r\n", "YTpi", "does not take the user name and password in HTTPS_PROXY")]
    [InlineData("HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: \u001b[2J\r\n\r\n", "YTpi", "by Negotiate or NTLM (407)")]
    [InlineData("HTTP/1.0 401 Unauthorized\r\n\r\n", "YTpi", "does not take the user name and password in HTTPS_PROXY (401)")]
    [InlineData("HTTP/1.1 403 Forbidden\r\n\r\n", null, "many allow port 443 only")]
    [InlineData("HTTP/1.1 502 Bad Gateway\r\n\r\n", null, "does not reach relay.example:8443 (502)")]
    [InlineData("HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n", null, "status 302")]
    [InlineData("HTTP/1.1 200 OK\r\n\r\nx", null, "says more than it was asked")]
    [InlineData("HTTP/1.1 2000 OK\r\n\r\n", null, "does not answer as an HTTP proxy")]
    [InlineData("HTTP/1.1 20\0 OK\r\n\r\n", null, "does not answer as an HTTP proxy")]
    [InlineData("HTTP/1.1\r\n\r\n", null, "does not answer as an HTTP proxy")]
    [InlineData("HTTP/2", null, "does not answer as an HTTP proxy")]
    [InlineData("SSH-2.0-x", null, "does not answer as an HTTP proxy")]
    [InlineData("\u0015\u0003", null, "does not answer as an HTTP proxy")]
    public void It_does_not_and_the_reason_is_plain(string answer, string? credentials, string reason)
    {
        var refused = Assert.Throws<ProxyException>(() => ProxyTunnel.Check(Encoding.Latin1.GetBytes(answer), Relay, Proxy(credentials)));
        Assert.Contains(reason, refused.Message);
        Assert.DoesNotContain(refused.Message, char.IsControl);
        Assert.Equal(answer.Contains(" 407 ", StringComparison.Ordinal) || answer.Contains(" 401 ", StringComparison.Ordinal), refused.IsDenied);
    }

    [Fact]
    public async Task It_is_asked_with_credentials_and_may_answer_in_pieces()
    {
        using var listener = Listen();
        using var near = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await near.ConnectAsync(listener.LocalEndPoint!);
        using var far = await listener.AcceptAsync();
        var opening = ProxyTunnel.OpenAsync(near, Relay, Proxy("YTpi"), CancellationToken.None);
        var asked = new byte[1024];
        var length = 0;
        while (!Encoding.ASCII.GetString(asked, 0, length).EndsWith("\r\n\r\n", StringComparison.Ordinal)) length += await far.ReceiveAsync(asked.AsMemory(length));
        Assert.Equal("CONNECT relay.example:8443 HTTP/1.1\r\nHost: relay.example:8443\r\nProxy-Authorization: Basic YTpi\r\nUser-Agent: bondline\r\n\r\n", Encoding.ASCII.GetString(asked, 0, length));
        far.NoDelay = true;
        await far.SendAsync("HTTP/1.1 200 yes\r\n"u8.ToArray());
        await far.SendAsync("\r\n"u8.ToArray());
        await opening.WaitAsync(LoopbackPair.Patience);
    }

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 200 yes\r\nX: ")]
    public async Task One_that_ends_or_never_ends_its_head_is_given_up(string answer)
    {
        using var listener = Listen();
        using var near = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await near.ConnectAsync(listener.LocalEndPoint!);
        using var far = await listener.AcceptAsync();
        var opening = ProxyTunnel.OpenAsync(near, Relay, Proxy(), CancellationToken.None);
        await far.ReceiveAsync(new byte[1024]);
        if (answer.Length > 0) await far.SendAsync(Encoding.ASCII.GetBytes(answer.PadRight(ProxyTunnel.MaxHeadBytes, 'a')));
        else far.Shutdown(SocketShutdown.Send);
        await Assert.ThrowsAsync<ProxyException>(() => opening.WaitAsync(LoopbackPair.Patience));
    }

    private static Socket Listen()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        return listener;
    }
}

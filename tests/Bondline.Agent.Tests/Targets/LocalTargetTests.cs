using System.Net;
using System.Net.Sockets;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Agent.Tests;

public sealed class LocalTargetTests
{
    [Theory]
    [InlineData("3000", "http://127.0.0.1:3000", "3000")]
    [InlineData("localhost:3000", "http://127.0.0.1:3000", "3000")]
    [InlineData("127.0.0.1:3000", "http://127.0.0.1:3000", "127.0.0.1:3000")]
    [InlineData("http://Service.lan", "http://service.lan:80", "service.lan:80")]
    [InlineData("HTTP://service.lan:8080/", "http://service.lan:8080", "service.lan:8080")]
    [InlineData("[::1]:3000", "http://[::1]:3000", "[::1]:3000")]
    [InlineData("http://[::1]", "http://[::1]:80", "[::1]:80")]
    [InlineData("https://localhost:5001", "https://127.0.0.1:5001", "5001")]
    [InlineData("https://service.lan", "https://service.lan:443", "service.lan:443")]
    [InlineData("h2c://localhost:5000", "h2c://127.0.0.1:5000", "5000")]
    [InlineData("unix:/run/service", "unix:/run/service", "unix:/run/service")]
    [InlineData("/usr/bin/../lib/", "/usr/lib", "/usr/lib")]
    [InlineData("/", "/", "/")]
    public void An_http_target_is_read(string text, string shown, string key)
    {
        Assert.Equal(TargetSyntax.Valid, LocalTarget.TryParse(text, TunnelKind.Http, out var target));
        Assert.Equal((shown, key), (target!.ToString(), target.Key));
    }

    [Theory]
    [InlineData("3000", "localhost:3000")]
    [InlineData("http://service.lan", "service.lan")]
    [InlineData("https://service.lan", "service.lan")]
    [InlineData("https://service.lan:80", "service.lan:80")]
    [InlineData("[::1]:3000", "[::1]:3000")]
    [InlineData("[fe80::1%lo]:3000", "[fe80::1]:3000")]
    [InlineData("unix:/run/service", "localhost")]
    public void Its_own_host_is_what_a_browser_beside_it_would_ask_for(string text, string host)
    {
        LocalTarget.TryParse(text, TunnelKind.Http, out var target);
        Assert.Equal(host, target!.OwnHost);
        Assert.True(HostValue.IsValid(target.OwnHost));
    }

    [Theory]
    [InlineData("22", "127.0.0.1:22")]
    [InlineData("db.lan:5432", "db.lan:5432")]
    public void A_tcp_target_is_read(string text, string shown)
    {
        Assert.Equal(TargetSyntax.Valid, LocalTarget.TryParse(text, TunnelKind.Tcp, out var target));
        Assert.Equal(shown, target!.ToString());
    }

    [Theory]
    [InlineData("", TargetSyntax.Invalid)]
    [InlineData("0", TargetSyntax.Invalid)]
    [InlineData("65536", TargetSyntax.Invalid)]
    [InlineData("-1", TargetSyntax.Invalid)]
    [InlineData("+80", TargetSyntax.Invalid)]
    [InlineData("host", TargetSyntax.Invalid)]
    [InlineData(":80", TargetSyntax.Invalid)]
    [InlineData("host:", TargetSyntax.Invalid)]
    [InlineData("ho st:80", TargetSyntax.Invalid)]
    [InlineData("host:80\0", TargetSyntax.Invalid)]
    [InlineData("80\0", TargetSyntax.Invalid)]
    [InlineData("user@host:80", TargetSyntax.Invalid)]
    [InlineData("::1:80", TargetSyntax.Invalid)]
    [InlineData("[host]:80", TargetSyntax.Invalid)]
    [InlineData("[[::1]:1]:80", TargetSyntax.Invalid)]
    [InlineData("h\u00f6st:80", TargetSyntax.Invalid)]
    [InlineData("ftp://host:80", TargetSyntax.Invalid)]
    [InlineData("http://host:80/path", TargetSyntax.HasPath)]
    [InlineData("http://host?q=1", TargetSyntax.HasPath)]
    [InlineData("https://", TargetSyntax.Invalid)]
    [InlineData("h2://host:80", TargetSyntax.Invalid)]
    [InlineData("unix:", TargetSyntax.Invalid)]
    [InlineData("unix:/23456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678", TargetSyntax.Invalid)]
    [InlineData("./no-such-folder", TargetSyntax.Invalid)]
    public void What_is_no_http_target_says_why(string text, TargetSyntax why)
    {
        Assert.Equal(why, LocalTarget.TryParse(text, TunnelKind.Http, out var target));
        Assert.Null(target);
    }

    [Theory]
    [InlineData("http://host:80")]
    [InlineData("/")]
    public void Tcp_takes_no_url_and_no_folder(string text) => Assert.Equal(TargetSyntax.Invalid, LocalTarget.TryParse(text, TunnelKind.Tcp, out _));

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task A_port_is_looked_for_on_both_loopback_addresses(string address)
    {
        using var listener = new TcpListener(IPAddress.Parse(address), 0);
        listener.Start();
        LocalTarget.TryParse(((IPEndPoint)listener.LocalEndpoint).Port.ToString(System.Globalization.CultureInfo.InvariantCulture), TunnelKind.Tcp, out var target);
        using var socket = await target!.ConnectAsync(TestContext.Current.CancellationToken);
        Assert.Equal(listener.LocalEndpoint, socket.RemoteEndPoint);
        Assert.True(socket.NoDelay);
    }

    [Fact]
    public async Task A_service_that_is_not_there_is_refused_at_once()
    {
        int port;
        using (var listener = new TcpListener(IPAddress.Loopback, 0))
        {
            listener.Start();
            port = ((IPEndPoint)listener.LocalEndpoint).Port;
        }
        LocalTarget.TryParse($"{port}", TunnelKind.Tcp, out var target);
        var error = await Assert.ThrowsAsync<SocketException>(async () => await target!.ConnectAsync(TestContext.Current.CancellationToken));
        Assert.Equal(SocketError.ConnectionRefused, error.SocketErrorCode);
    }
}

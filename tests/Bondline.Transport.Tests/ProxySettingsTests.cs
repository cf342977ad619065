using System.Text;
using Bondline.Protocol;
using Xunit;

namespace Bondline.Transport.Tests;

/// <summary>The environment's proxies, as curl reads them.</summary>
public sealed class ProxySettingsTests
{
    [Theory]
    [InlineData("http://proxy.example:3128", "proxy.example", 3128, null)]
    [InlineData("proxy.example:3128", "proxy.example", 3128, null)]
    [InlineData("HTTP://proxy.example/", "proxy.example", 80, null)]
    [InlineData("http://[2001:db8::1]:3128", "2001:db8::1", 3128, null)]
    [InlineData("http://ann:p%40ss%3A@proxy.example:3128/ignored", "proxy.example", 3128, "ann:p@ss:")]
    [InlineData("http://ann@proxy.example", "proxy.example", 80, "ann:")]
    [InlineData("http://a@b:c@proxy.example", "proxy.example", 80, "a@b:c")]
    public void A_proxy_is_read_from_its_variable(string value, string host, int port, string? credentials)
    {
        var proxy = Read(("HTTPS_PROXY", value)).For("relay.example")!;
        Assert.Equal(new HostPort(host, port), proxy.Address);
        Assert.Equal(credentials, proxy.Credentials is { } encoded ? Encoding.UTF8.GetString(Convert.FromBase64String(encoded)) : null);
        Assert.Equal("HTTPS_PROXY", proxy.Variable);
    }

    [Theory]
    [InlineData("socks5://ann:secret@proxy.example:1080")]
    [InlineData("https://ann:secret@proxy.example")]
    [InlineData("http://ann:secret@")]
    [InlineData("http://ann:secret@proxy.example:99999")]
    [InlineData("http://ann:secret@proxy example")]
    [InlineData("\u001b[31m://ann:secret@x")]
    public void One_that_cannot_be_used_is_refused_without_its_password(string value)
    {
        var refused = Assert.Throws<FormatException>(() => Read(("https_proxy", value)));
        Assert.Contains("https_proxy", refused.Message);
        Assert.DoesNotContain("secret", refused.Message);
        Assert.DoesNotContain('\u001b', refused.Message);
    }

    [Fact]
    public void Lower_case_and_the_schemes_own_variable_come_first()
    {
        Assert.Equal("a:80", $"{Read(("https_proxy", "a"), ("HTTPS_PROXY", "b"), ("ALL_PROXY", "c")).For("relay")!.Address}");
        Assert.Equal("b:80", $"{Read(("HTTPS_PROXY", "b"), ("all_proxy", "c")).For("relay")!.Address}");
        Assert.Equal("c:80", $"{Read(("ALL_PROXY", "c"), ("http_proxy", "d")).For("relay")!.Address}");
        Assert.Null(Read(("http_proxy", "d")).For("relay"));
    }

    [Theory]
    [InlineData("*", "relay.example", false)]
    [InlineData("example", "relay.example", false)]
    [InlineData(".example", "relay.example", false)]
    [InlineData("other, RELAY.example ", "relay.example.", false)]
    [InlineData("lay.example", "relay.example", true)]
    [InlineData("relay.example.org", "relay.example", true)]
    [InlineData("10.0.0.0/8", "10.77.100.1", false)]
    [InlineData("10.77.100.1", "10.77.100.1", false)]
    [InlineData("77.100.1", "10.77.100.1", true)]
    [InlineData("10.0.0.0/99", "10.77.100.1", true)]
    [InlineData("[2001:db8::1]", "2001:DB8::1", false)]
    [InlineData("2001:db8::/32", "2001:db9::1", true)]
    [InlineData("", "localhost", false)]
    [InlineData("", "127.3.2.1", false)]
    [InlineData("", "::1", false)]
    [InlineData("", "relay.example", true)]
    public void Exceptions_are_reached_directly(string exceptions, string relay, bool isProxied) =>
        Assert.Equal(isProxied, Read(("HTTPS_PROXY", "proxy"), ("NO_PROXY", exceptions)).For(relay) is not null);

    private static ProxySettings Read(params (string Name, string Value)[] variables) =>
        ProxySettings.Read(name => variables.FirstOrDefault(variable => variable.Name == name).Value);
}

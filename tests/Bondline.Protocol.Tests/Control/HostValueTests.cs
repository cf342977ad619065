using Xunit;

namespace Bondline.Protocol.Tests.Control;

public class HostValueTests
{
    [Theory]
    [InlineData("localhost")]
    [InlineData("localhost:3000")]
    [InlineData("my_service.lan.:80")]
    [InlineData("127.0.0.1:65535")]
    [InlineData("[::1]")]
    [InlineData("[2001:db8::7]:8443")]
    public void A_host_with_or_without_its_port_is_taken(string value) => Assert.True(HostValue.IsValid(value));

    [Theory]
    [InlineData("")]
    [InlineData(":80")]
    [InlineData("host:")]
    [InlineData("host:80\0")]
    [InlineData("host:0")]
    [InlineData("host:65536")]
    [InlineData("host:+80")]
    [InlineData("host:80:80")]
    [InlineData("user@host")]
    [InlineData("host/path")]
    [InlineData("host name")]
    [InlineData("host\r\nX-Evil: 1")]
    [InlineData("host\0")]
    [InlineData("hóst")]
    [InlineData("::1")]
    [InlineData("[::1")]
    [InlineData("[::1]80")]
    [InlineData("[::1%lo]")]
    [InlineData("[127.0.0.1]")]
    [InlineData("[]")]
    public void Nothing_else_is(string value) => Assert.False(HostValue.IsValid(value));

    [Fact]
    public void It_is_no_longer_than_a_name_with_a_port_can_be() => Assert.False(HostValue.IsValid(new string('a', HostValue.MaxLength + 1)));
}

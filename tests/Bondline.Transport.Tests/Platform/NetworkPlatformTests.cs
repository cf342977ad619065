using Xunit;

namespace Bondline.Transport.Tests.Platform;

public sealed class NetworkPlatformTests
{
    [Theory]
    [InlineData(HostSystem.Linux, true, true)]
    [InlineData(HostSystem.Windows, true, true)]
    [InlineData(HostSystem.MacOS, true, false)]
    [InlineData(HostSystem.FreeBsd, false, false)]
    [InlineData(HostSystem.Other, false, false)]
    public void A_system_is_an_agent_and_a_relay_or_is_told_why_not(HostSystem system, bool isAgent, bool isRelay)
    {
        Assert.Equal(isAgent, NetworkPlatform.Refusal(system, isRelay: false) is null);
        Assert.Equal(isRelay, NetworkPlatform.Refusal(system, isRelay: true) is null);
    }

    [Fact]
    public void This_system_has_a_platform() => Assert.Equal(OperatingSystem.IsLinux() ? "LinuxNetworkPlatform" : "", NetworkPlatform.Current.GetType().Name);
}

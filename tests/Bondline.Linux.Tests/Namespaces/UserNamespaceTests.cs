using Xunit;

namespace Bondline.Linux.Tests.Namespaces;

public sealed class UserNamespaceTests
{
    [Theory]
    [InlineData("user.max_user_namespaces", "0", "sudo sysctl user.max_user_namespaces=15000")]
    [InlineData("kernel.unprivileged_userns_clone", "0", "sudo sysctl kernel.unprivileged_userns_clone=1")]
    [InlineData("kernel.apparmor_restrict_unprivileged_userns", "1", "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0")]
    public void The_setting_that_forbids_them_is_named_with_its_cure(string name, string value, string cure)
    {
        var told = UserNamespace.Explain(asked => asked == name ? value : null, "unshare: unshare failed: Operation not permitted");
        Assert.Contains($"{name} is {value}", told, StringComparison.Ordinal);
        Assert.Contains(cure, told, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_such_a_setting_it_is_what_the_system_said()
    {
        var told = UserNamespace.Explain(name => name == "user.max_user_namespaces" ? "96365" : null, "unshare: unshare failed: Operation not permitted");
        Assert.StartsWith("unshare: unshare failed: Operation not permitted", told, StringComparison.Ordinal);
        Assert.Contains("container", told, StringComparison.Ordinal);
    }
}

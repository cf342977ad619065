using Xunit;

namespace Bondline.Linux.Tests.Multipath;

/// <summary>Against this machine's kernel, without changing anything.</summary>
public sealed class MultipathPathManagerTests
{
    [Fact]
    public void Limits_and_endpoints_are_read_from_this_kernel()
    {
        using var manager = MultipathPathManager.Open();
        var limits = manager.Limits();
        Assert.InRange(limits.Subflows, 0, MultipathLimits.Max);
        Assert.InRange(limits.AcceptedAddresses, 0, MultipathLimits.Max);
        Assert.InRange(manager.Endpoints().Count, 0, MultipathEndpoint.MaxCount);
        Assert.True(manager.Knows(MultipathCommand.ChangeEndpoint));
    }

    [Fact]
    public void A_value_the_kernel_does_not_take_comes_back_in_its_words_or_the_right_is_missing()
    {
        using var manager = MultipathPathManager.Open();
        var before = manager.Limits();
        var refused = Assert.Throws<MultipathException>(() => manager.SetLimits(new(99, 0)));
        Assert.Contains(refused.Failure, new[] { MultipathFailure.InvalidArgument, MultipathFailure.RightMissing });
        if (refused.Failure == MultipathFailure.InvalidArgument) Assert.NotNull(refused.KernelText);
        Assert.Equal(before, manager.Limits());
    }

    [Fact]
    public void What_is_not_there_is_not_found_or_the_right_is_missing()
    {
        using var manager = MultipathPathManager.Open();
        var free = Enumerable.Range(1, 255).Except(manager.Endpoints().Select(endpoint => endpoint.Id)).Last();
        var refused = Assert.Throws<MultipathException>(() => manager.Delete(free));
        Assert.Contains(refused.Failure, new[] { MultipathFailure.NotFound, MultipathFailure.RightMissing });
    }
}

using Xunit;

namespace Bondline.Linux.Tests.Seccomp;

public sealed class CallerContextTests
{
    private static ReadOnlySpan<byte> Status =>
        "Name:\tcurl\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t71\nNgid:\t0\nPid:\t71\nPPid:\t1\nTracerPid:\t0\nUid:\t1\t2\t3\t1000\nGid:\t5\t6\t7\t4294967294\nFDSize:\t64\n"u8;

    [Fact]
    public void The_last_of_four_ids_is_the_one_for_files()
    {
        Assert.True(CallerContext.TryReadFileIds(Status, out var user, out var group));
        Assert.Equal((1000u, 4294967294u), (user, group));
        var whole = Status.IndexOf("FDSize"u8);
        for (var length = 0; length < whole; length++) Assert.False(CallerContext.TryReadFileIds(Status[..length], out _, out _));
    }

    [Theory]
    [InlineData("\nUid:\t1\t2\t3\nGid:\t1\t2\t3\t4\n")]
    [InlineData("\nUid:\t1\t2\t3\t4\t5\nGid:\t1\t2\t3\t4\n")]
    [InlineData("\nUid:\t1\t2\t3\t4294967296\nGid:\t1\t2\t3\t4\n")]
    [InlineData("\nUid:\t1\t2\t3\t-4\nGid:\t1\t2\t3\t4\n")]
    [InlineData("\nUid:\t1\t2\t3\t\nGid:\t1\t2\t3\t4\n")]
    [InlineData("\nUid:\t1\t2\t3\t4\nGid:\t1\t2\t3\tx\n")]
    public void Anything_else_is_not_taken(string status) => Assert.False(CallerContext.TryReadFileIds(System.Text.Encoding.ASCII.GetBytes(status), out _, out _));

    [Fact]
    public void A_process_has_its_own()
    {
        Assert.True(CallerContext.CanBeRead);
        CallerContext one = new(), other = new();
        Assert.True(one.TryRead(Environment.ProcessId, withLabel: true));
        Assert.True(other.TryRead(Environment.ProcessId, withLabel: true));
        Assert.True(one.IsInNetworkOf(other) && one.IsInControlGroupOf(other) && one.HasLabelOf(other));
        Assert.Equal((one.User, one.Group), (other.User, other.Group));
        Assert.False(other.TryRead(0, withLabel: false));
        Assert.False(other.TryRead(int.MaxValue, withLabel: false)); // no process can have that id
        Assert.False(other.TryRead(-1, withLabel: false));
    }
}

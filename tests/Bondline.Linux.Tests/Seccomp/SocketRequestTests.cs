using Xunit;

namespace Bondline.Linux.Tests.Seccomp;

public sealed class SocketRequestTests
{
    // struct seccomp_notif of socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0) on x86-64.
    private static readonly byte[] Notification = Convert.FromHexString(
        "0807060504030201" + "39300000" + "00000000" + "29000000" + "3E0000C0" + "D0C0B0A000000000"
        + "0A00000000000000" + "0100080000000000" + "0000000000000000" + "0000000000000000" + "0000000000000000" + "0000000000000000");

    private static readonly SocketRequest Request = new(0x0102_0304_0506_0708, 12345, 10, 1 | 0x80000);

    [Fact]
    public void It_is_read_where_the_kernel_puts_it()
    {
        Assert.Equal(SocketRequest.Length, Notification.Length);
        Assert.True(SocketRequest.TryRead(Notification, out var request));
        Assert.Equal(Request, request);
        Assert.True(SocketRequest.TryRead([.. Notification, 1, 2, 3, 4, 5, 6, 7, 8], out request)); // of a later kernel
        Assert.Equal(Request, request);
    }

    [Fact]
    public void Cut_short_it_is_none()
    {
        for (var length = 0; length < Notification.Length; length++) Assert.False(SocketRequest.TryRead(Notification.AsSpan(0, length), out _));
    }

    [Fact]
    public void The_plain_call_is_asked_for_by_its_id()
    {
        var answer = new byte[SocketRequest.PlainLength];
        Array.Fill(answer, (byte)0xEE);
        Request.WritePlain(answer);
        Assert.Equal("0807060504030201" + "0000000000000000" + "00000000" + "01000000", Convert.ToHexString(answer));
    }

    [Theory]
    [InlineData(1, "00000000")]
    [InlineData(1 | 0x800, "00000000")]
    [InlineData(1 | 0x80000, "00000800")]
    [InlineData(1 | 0x80800, "00000800")]
    public void A_descriptor_is_given_as_the_answer_and_closed_on_exec_as_asked(int type, string flags)
    {
        var order = new byte[SocketRequest.InjectionLength];
        Array.Fill(order, (byte)0xEE);
        (Request with { Type = type }).WriteInjection(order, 0x11);
        Assert.Equal("0807060504030201" + "02000000" + "11000000" + "00000000" + flags, Convert.ToHexString(order));
    }

    [Fact]
    public void Counts_come_back_as_they_were_sent()
    {
        var counts = new AnswerCounts(1, 20, 300, 4000, 50_000, 600_000, 7_000_000, 80_000_000);
        Assert.Equal(87_654_320, counts.Plain);
        var message = new byte[AnswerCounts.Length];
        counts.WriteTo(message);
        Assert.Equal("0100000000000000" + "1400000000000000" + "2C01000000000000", Convert.ToHexString(message)[..48]);
        Assert.True(AnswerCounts.TryRead(message, out var read));
        Assert.Equal(counts, read);
        for (var length = 0; length < message.Length; length++) Assert.False(AnswerCounts.TryRead(message.AsSpan(0, length), out _));
    }
}

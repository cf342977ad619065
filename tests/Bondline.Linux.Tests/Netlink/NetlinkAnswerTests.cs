using Xunit;

namespace Bondline.Linux.Tests.Netlink;

/// <summary>Bytes as Linux 6.18 sent them on a little-endian machine.</summary>
public sealed class NetlinkAnswerTests
{
    // Two endpoints of mptcp_pm, the answer to request 12, and the end of that dump.
    private const string Dump = "480000001c0002000c00000034120000030100003400018006000100020000000600050000000000050002000300000008000600060000000800070003000000080003000a000901"
        + "4c0000001c0002000c000000341200000301000038000180060001000a00000006000500a00f00000500020004000000080006000100000014000400fd000000000000000000000000000001";
    private const string Done = "14000000030002000c0000003412000000000000";

    // EINVAL to request 14, which is repeated whole; to request 7, of which only the header is.
    private const string NotFound = "54000000020000020e00000034120000eaffffff200000001c0001000e00000000000000030100000c000180050002004d0000001600010061646472657373206e6f7420666f756e640000000800020014000000";
    private const string NotFoundCapped = "440000000200000307000000f53c0000eaffffff200000001c00050007000000000000001600010061646472657373206e6f7420666f756e640000000800020014000000";

    // ENOENT to request 2, with no words.
    private const string NoFamily = "38000000020000000200000034120000feffffff24000000100001000200000000000000030100000d0002006d707463705f707800000000";

    [Fact]
    public void A_dump_over_several_datagrams_is_one_answer()
    {
        var answer = new NetlinkAnswer(12);
        answer.HandleDatagram(Convert.FromHexString(Dump));
        Assert.False(answer.IsComplete);
        answer.HandleDatagram(Convert.FromHexString(Done));
        Assert.True(answer.IsComplete);
        Assert.True(answer.Error.IsSuccess);
        Assert.False(answer.IsInterrupted);
        Assert.Equal(2, answer.Messages.Count);
        Assert.All(answer.Messages, message => Assert.Equal(28, (int)message.Type));
    }

    [Theory]
    [InlineData(NotFound, 14, 22, "address not found")]
    [InlineData(NotFoundCapped, 7, 22, "address not found")]
    [InlineData(NoFamily, 2, 2, null)]
    public void A_refusal_has_the_kernels_number_and_words(string hex, uint sequence, int number, string? text)
    {
        var answer = new NetlinkAnswer(sequence);
        answer.HandleDatagram(Convert.FromHexString(hex));
        Assert.True(answer.IsComplete);
        Assert.Equal(new NetlinkError(number, text), answer.Error);
    }

    [Fact]
    public void Answers_to_other_requests_are_passed_over()
    {
        var answer = new NetlinkAnswer(14);
        answer.HandleDatagram(Convert.FromHexString(Dump + Done + NotFoundCapped));
        Assert.False(answer.IsComplete);
        Assert.Empty(answer.Messages);
        answer.HandleDatagram(Convert.FromHexString(NotFound));
        Assert.Equal(22, answer.Error.Number);
    }

    [Fact]
    public void What_comes_after_the_end_is_not_looked_at()
    {
        var answer = new NetlinkAnswer(12);
        answer.HandleDatagram(Convert.FromHexString(Done + Dump));
        answer.HandleDatagram(Convert.FromHexString(Dump));
        Assert.Empty(answer.Messages);
    }

    [Theory]
    [InlineData(0, 0x12)] // NLM_F_MULTI | NLM_F_DUMP_INTR on an object
    [InlineData(148, 0x12)] // on the end
    public void A_dump_that_changed_while_it_was_read_is_to_be_asked_again(int message, byte flags)
    {
        var bytes = Convert.FromHexString(Dump + Done);
        bytes[message + 6] = flags;
        var answer = new NetlinkAnswer(12);
        answer.HandleDatagram(bytes);
        Assert.True(answer.IsComplete);
        Assert.True(answer.IsInterrupted);
    }

    [Fact]
    public void A_lost_part_is_to_be_asked_again()
    {
        var answer = new NetlinkAnswer(12);
        answer.HandleDatagram(Convert.FromHexString("10000000040000000000000000000000")); // NLMSG_OVERRUN
        answer.HandleDatagram(Convert.FromHexString(Done));
        Assert.True(answer.IsInterrupted);
    }

    [Fact]
    public void A_dump_that_fails_at_its_end_is_a_refusal()
    {
        var bytes = Convert.FromHexString(Done);
        bytes[16] = 0xFF;
        bytes[17] = bytes[18] = bytes[19] = 0xFF; // -1: EPERM
        var answer = new NetlinkAnswer(12);
        answer.HandleDatagram(bytes);
        Assert.Equal(1, answer.Error.Number);
    }

    [Fact]
    public void An_old_kernels_end_without_a_number_is_a_success()
    {
        var answer = new NetlinkAnswer(12);
        answer.HandleDatagram(Convert.FromHexString("10000000030002000c00000034120000"));
        Assert.True(answer.IsComplete);
        Assert.True(answer.Error.IsSuccess);
    }

    [Theory]
    [InlineData(Dump + Done, 12)]
    [InlineData(NotFound, 14)]
    [InlineData(NotFoundCapped, 7)]
    [InlineData(NoFamily, 2)]
    public void Every_truncation_and_every_false_length_is_refused_or_harmless(string hex, uint sequence)
    {
        var whole = Convert.FromHexString(hex);
        for (var length = 0; length < whole.Length; length++) Handle(whole[..length]);
        for (var position = 0; position < whole.Length; position++)
        {
            foreach (var value in new byte[] { 0, 1, 3, 0x7F, 0x80, 0xFF })
            {
                var bent = (byte[])whole.Clone();
                bent[position] = value;
                Handle(bent);
            }
        }

        void Handle(byte[] bytes)
        {
            try
            {
                new NetlinkAnswer(sequence).HandleDatagram(bytes);
            }
            catch (NetlinkFormatException)
            {
                // refused
            }
        }
    }
}

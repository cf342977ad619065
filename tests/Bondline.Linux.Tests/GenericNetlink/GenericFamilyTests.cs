using Xunit;

namespace Bondline.Linux.Tests.GenericNetlink;

public sealed class GenericFamilyTests
{
    // CTRL_CMD_NEWFAMILY of mptcp_pm as Linux 6.18 sends it, without the netlink header.
    private const string Family = "010200000d0002006d707463705f706d00000000060001001c000000080003000100000008000400000000000800050000000000e0000600140001000800010001000000080002001a000000"
        + "140002000800010002000000080002001a000000140003000800010003000000080002000e000000140004000800010004000000080002001a000000140005000800010005000000080002001a000000"
        + "140006000800010006000000080002000a000000140007000800010007000000080002001a000000140008000800010008000000080002001a000000140009000800010009000000080002001a000000"
        + "14000a00080001000a000000080002001a00000014000b00080001000b000000080002001a000000"
        + "44000700200001000800020008000000120001006d707463705f706d5f636d6473000000200002000800020009000000140001006d707463705f706d5f6576656e747300";

    [Fact]
    public void A_family_is_read_from_the_kernels_bytes()
    {
        var family = GenericFamily.Read(Convert.FromHexString(Family));
        Assert.Equal("mptcp_pm", family.Name);
        Assert.Equal(28, family.Id);
        Assert.Equal(1, family.Version);
        Assert.Equal(new Dictionary<string, int> { ["mptcp_pm_cmds"] = 8, ["mptcp_pm_events"] = 9 }, family.Groups);
        Assert.Equal(Enumerable.Range(1, 11), family.Commands);
        Assert.True(family.Knows(7));
        Assert.False(family.Knows(12));
        Assert.True((family with { Commands = [] }).Knows(12));
    }

    [Fact]
    public void A_query_is_written_as_the_kernel_reads_it()
    {
        var buffer = new byte[64];
        var length = GenericFamily.WriteQuery(buffer, sequence: 1, "mptcp_pm");
        Assert.Equal("24000000100005000100000000000000030200000d0002006d707463705f706d00000000", Convert.ToHexStringLower(buffer.AsSpan(0, length)));
    }

    [Fact]
    public void What_this_kernel_has_is_found_and_what_it_has_not_is_null()
    {
        Assert.Equal(16, GenericFamily.Find("nlctrl")!.Id); // the family that knows the families
        Assert.Null(GenericFamily.Find("mptcp_tomorrow"));
    }

    [Fact]
    public void A_family_without_a_name_or_a_number_is_refused()
    {
        Assert.Throws<NetlinkFormatException>(() => GenericFamily.Read(Convert.FromHexString("01020000060001001c000000")));
        Assert.Throws<NetlinkFormatException>(() => GenericFamily.Read(Convert.FromHexString("010200000d0002006d707463705f706d00000000")));
    }

    [Fact]
    public void Every_truncation_and_every_false_length_is_refused_or_harmless()
    {
        var whole = Convert.FromHexString(Family);
        for (var length = 0; length < whole.Length; length++) Read(whole[..length]);
        for (var position = 0; position < whole.Length; position++)
        {
            foreach (var value in new byte[] { 0, 1, 3, 0x7F, 0xFF })
            {
                var bent = (byte[])whole.Clone();
                bent[position] = value;
                Read(bent);
            }
        }

        static void Read(byte[] bytes)
        {
            try
            {
                GenericFamily.Read(bytes);
            }
            catch (NetlinkFormatException)
            {
                // refused
            }
        }
    }
}

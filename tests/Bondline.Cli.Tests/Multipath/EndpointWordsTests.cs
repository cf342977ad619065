using System.Net;
using Bondline.Linux;
using Xunit;

namespace Bondline.Cli.Tests.Multipath;

public sealed class EndpointWordsTests
{
    [Fact]
    public void The_words_of_ip_mptcp_are_read_in_any_order() => Assert.Equal(
        new(IPAddress.Parse("192.0.2.1"), 3, "eth0", 4000, MultipathEndpointFlags.Signal | MultipathEndpointFlags.Backup, MultipathEndpointFlags.None),
        EndpointWords.Parse(["backup", "dev", "eth0", "192.0.2.1", "id", "3", "signal", "port", "4000"]));

    [Theory]
    [InlineData("subflow", MultipathEndpointFlags.Subflow)]
    [InlineData("signal", MultipathEndpointFlags.Signal)]
    [InlineData("backup", MultipathEndpointFlags.Backup)]
    [InlineData("fullmesh", MultipathEndpointFlags.FullMesh)]
    [InlineData("laminar", MultipathEndpointFlags.Laminar)]
    public void Each_flag_has_its_word(string word, MultipathEndpointFlags flag)
    {
        Assert.Equal(flag, EndpointWords.Parse(["::1", word]).Set);
        Assert.Equal([word], EndpointWords.NamesOf(flag));
    }

    [Fact]
    public void Flags_are_named_as_ip_mptcp_names_them_and_newer_ones_by_number() => Assert.Equal(
        ["signal", "subflow", "implicit", "0xc0"],
        EndpointWords.NamesOf((MultipathEndpointFlags)0xC0 | MultipathEndpointFlags.Implicit | MultipathEndpointFlags.Subflow | MultipathEndpointFlags.Signal));

    [Fact]
    public void What_is_to_end_is_cleared() =>
        Assert.Equal(MultipathEndpointFlags.Backup | MultipathEndpointFlags.FullMesh, EndpointWords.Parse(["id", "1", "nobackup", "nofullmesh"]).Clear);

    [Theory]
    [InlineData("2001:db8::1", "2001:db8::1")]
    [InlineData("::ffff:192.0.2.1", "192.0.2.1")]
    [InlineData("fe80::1%3", "fe80::1")] // the interface stands behind dev
    public void Addresses_are_written_in_one_way(string text, string address) => Assert.Equal(IPAddress.Parse(address), EndpointWords.Parse([text]).Address);

    [Theory]
    [InlineData("eth0")]
    [InlineData("10.1")]
    [InlineData("0x7f000001")]
    [InlineData("192.0.2.1", "192.0.2.2")]
    [InlineData("192.0.2.1", "dev")]
    [InlineData("192.0.2.1", "id", "256")]
    [InlineData("192.0.2.1", "id", "-1")]
    [InlineData("192.0.2.1", "id", "three")]
    [InlineData("192.0.2.1", "port", "0")]
    [InlineData("192.0.2.1", "port", "65536")]
    [InlineData("192.0.2.1", "implicit")] // only the kernel makes those
    [InlineData("192.0.2.1", "backup", "nobackup")]
    public void What_makes_no_sense_is_a_mistake_of_the_command_line(params string[] words) =>
        Assert.Equal("usage", Assert.Throws<CommandException>(() => EndpointWords.Parse(words)).Code);
}

using System.Net;
using Xunit;

namespace Bondline.Linux.Tests.Multipath;

/// <summary>Bytes as Linux 6.18 sent and took them on a little-endian machine.</summary>
public sealed class MultipathEndpointTests
{
    private static readonly GenericFamily Family = new("mptcp_pm", 28, 1, new Dictionary<string, int>(), []);
    private static readonly MultipathEndpoint Endpoint = new(3, IPAddress.Parse("10.0.9.1"), 0, MultipathEndpointFlags.Subflow | MultipathEndpointFlags.Backup, 3);
    private static readonly MultipathEndpoint Endpoint6 = new(4, IPAddress.Parse("fd00::1"), 4000, MultipathEndpointFlags.Signal, 0);

    // Payloads of a dump.
    private const string Answer = "030100003400018006000100020000000600050000000000050002000300000008000600060000000800070003000000080003000a000901";
    private const string Answer6 = "0301000038000180060001000a00000006000500a00f00000500020004000000080006000100000014000400fd000000000000000000000000000001";

    [Fact]
    public void Endpoints_are_read_from_the_kernels_bytes()
    {
        Assert.Equal(Endpoint, MultipathEndpoint.Read(Convert.FromHexString(Answer)));
        Assert.Equal(Endpoint6, MultipathEndpoint.Read(Convert.FromHexString(Answer6)));
    }

    [Fact]
    public void Endpoints_are_written_as_the_kernel_takes_them()
    {
        Assert.Equal(
            "400000001c0005000a00000000000000010100002c00018006000100020000000500020003000000080003000a00090108000600060000000800070003000000",
            Written(buffer => Endpoint.Write(buffer, 10, Family, MultipathCommand.AddEndpoint)));
        Assert.Equal(
            "440000001c0005000b000000000000000101000030000180060001000a00000014000400fd00000000000000000000000000000106000500a00f00000800060001000000",
            Written(buffer => (Endpoint6 with { Id = 0 }).Write(buffer, 11, Family, MultipathCommand.AddEndpoint)));
        Assert.Equal(
            "380000001c0005001400000000000000070100002400018006000100020000000500020003000000080003000a0009010800060008000000",
            Written(buffer => (Endpoint with { Flags = MultipathEndpointFlags.FullMesh, InterfaceIndex = 0 }).Write(buffer, 20, Family, MultipathCommand.ChangeEndpoint)));
    }

    [Fact]
    public void The_other_requests_are_written_as_the_kernel_takes_them()
    {
        Assert.Equal("140000001c0001030c0000000000000003010000", Written(buffer => MultipathEndpoint.WriteQuery(buffer, 12, Family)));
        Assert.Equal("200000001c0005001700000000000000020100000c0001800500020003000000", Written(buffer => MultipathEndpoint.WriteDelete(buffer, 23, Family, 3, null)));
        Assert.Equal("140000001c0005001a0000000000000004010000", Written(buffer => MultipathEndpoint.WriteFlush(buffer, 26, Family)));
        Assert.Equal("280000001c000500170000000000000002010000140001800600010002000000080003000a000901", Written(buffer => MultipathEndpoint.WriteDelete(buffer, 23, Family, 0, Endpoint.Address)));
    }

    [Fact]
    public void Limits_are_read_and_written_as_the_kernels_bytes()
    {
        Assert.Equal(new MultipathLimits(Subflows: 2, AcceptedAddresses: 0), MultipathLimits.Read(Convert.FromHexString("0601000008000200000000000800030002000000")));
        Assert.Equal("240000001c0005001200000000000000050100000800020002000000" + "0800030004000000", Written(buffer => new MultipathLimits(4, 2).Write(buffer, 18, Family)));
        Assert.Equal("140000001c000500110000000000000006010000", Written(buffer => MultipathLimits.WriteQuery(buffer, 17, Family)));
    }

    [Fact]
    public void Unknown_attributes_are_passed_over()
    {
        // 8 bytes of attribute 99 in the endpoint, 8 of attribute 100 beside it.
        var newer = "030100003c00018006000100020000000600050000000000050002000300000008000600060000000800070003000000080003000a000901" + "0800630001020304" + "0800640001020304";
        Assert.Equal(Endpoint, MultipathEndpoint.Read(Convert.FromHexString(newer)));
        Assert.Null(MultipathEndpoint.Read(Convert.FromHexString("03010000" + "0800640001020304")));
    }

    [Theory]
    [InlineData(Answer)]
    [InlineData(Answer6)]
    public void Every_truncation_and_every_false_length_is_refused_or_harmless(string hex)
    {
        var whole = Convert.FromHexString(hex);
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
                MultipathEndpoint.Read(bytes);
                MultipathLimits.Read(bytes);
            }
            catch (NetlinkFormatException)
            {
                // refused
            }
        }
    }

    private static string Written(Func<byte[], int> write)
    {
        var buffer = new byte[128];
        return Convert.ToHexStringLower(buffer.AsSpan(0, write(buffer)));
    }
}

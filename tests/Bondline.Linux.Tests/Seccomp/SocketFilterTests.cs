using System.Runtime.InteropServices;
using Xunit;

namespace Bondline.Linux.Tests.Seccomp;

public sealed class SocketFilterTests
{
    private const uint X64 = 0xC000_003E, Arm64 = 0xC000_00B7, I386 = 0x4000_0003;
    private const uint Allow = 0x7FFF_0000, Notify = 0x7FC0_0000;

    [Fact]
    public void Its_bytes_are_these_instructions()
    {
        var filter = SocketFilter.For(Architecture.X64)!;
        Assert.Equal(
            """
            20-00-00-00-04-00-00-00
            15-00-00-0C-3E-00-00-C0
            20-00-00-00-00-00-00-00
            15-00-00-0A-29-00-00-00
            20-00-00-00-10-00-00-00
            15-00-01-00-02-00-00-00
            15-00-00-07-0A-00-00-00
            20-00-00-00-18-00-00-00
            54-00-00-00-FF-F7-F7-FF
            15-00-00-04-01-00-00-00
            20-00-00-00-20-00-00-00
            15-00-01-00-00-00-00-00
            15-00-00-01-06-00-00-00
            06-00-00-00-00-00-C0-7F
            06-00-00-00-00-00-FF-7F
            """,
            string.Join('\n', SocketFilter.Write(filter).Chunk(BpfInstruction.Length).Select(bytes => BitConverter.ToString(bytes))));
    }

    [Theory]
    [InlineData(2, 1, 0)]
    [InlineData(2, 1, 6)]
    [InlineData(10, 1, 0)]
    [InlineData(10, 1, 6)]
    [InlineData(2, 1 | 0x800, 0)]
    [InlineData(10, 1 | 0x80000, 6)]
    [InlineData(2, 1 | 0x80800, 6)]
    public void A_socket_for_TCP_is_put_before_the_listener(int family, int type, int protocol)
    {
        Assert.Equal(Notify, Run(Architecture.X64, X64, 41, family, type, protocol));
        Assert.Equal(Notify, Run(Architecture.Arm64, Arm64, 198, family, type, protocol));
    }

    [Theory]
    [InlineData(2, 2, 0)] // UDP
    [InlineData(10, 2, 17)]
    [InlineData(2, 2 | 0x80800, 0)]
    [InlineData(1, 1, 0)] // Unix
    [InlineData(16, 3, 0)] // netlink
    [InlineData(2, 3, 1)] // raw
    [InlineData(2, 1, 132)] // SCTP
    [InlineData(2, 1, 262)] // MPTCP by name
    [InlineData(2, 5, 132)]
    [InlineData(2, 1 | 0x10_0000, 0)] // a flag the kernel refuses
    [InlineData(2, 1 | 0x10, 0)]
    [InlineData(40, 1, 0)] // virtual machines
    public void Any_other_passes(int family, int type, int protocol) => Assert.Equal(Allow, Run(Architecture.X64, X64, 41, family, type, protocol));

    [Theory]
    [InlineData(X64, 40)] // sendfile
    [InlineData(X64, 42)] // connect
    [InlineData(X64, 41 | 0x4000_0000)] // socket of x32
    [InlineData(I386, 41)]
    [InlineData(I386, 359)] // socket there
    [InlineData(Arm64, 198)]
    public void Any_other_call_and_any_other_machine_code_passes(uint machine, int call) => Assert.Equal(Allow, Run(Architecture.X64, machine, call, 2, 1, 0));

    [Fact]
    public void Upper_halves_of_arguments_are_not_looked_at_as_the_kernel_does_not() =>
        Assert.Equal(Notify, Run(Architecture.X64, X64, 41, 2 | (1L << 40), 1 | (1L << 33), 6 | (7L << 32)));

    [Fact]
    public void A_machine_whose_calls_are_not_known_has_none() => Assert.Null(SocketFilter.For(Architecture.RiscV64));

    /// <summary>Does what the kernel does with a filter.</summary>
    private static uint Run(Architecture built, uint machine, int call, long family, long type, long protocol)
    {
        var data = new byte[64];
        MemoryMarshal.Write(data, call);
        MemoryMarshal.Write(data.AsSpan(4), machine);
        MemoryMarshal.Write(data.AsSpan(16), family);
        MemoryMarshal.Write(data.AsSpan(24), type);
        MemoryMarshal.Write(data.AsSpan(32), protocol);
        var filter = SocketFilter.For(built)!;
        uint word = 0;
        for (var at = 0; ; at++)
        {
            var instruction = filter[at];
            switch (instruction.Code)
            {
                case 0x20: word = MemoryMarshal.Read<uint>(data.AsSpan((int)instruction.Value)); break;
                case 0x54: word &= instruction.Value; break;
                case 0x15: at += word == instruction.Value ? instruction.IfTrue : instruction.IfFalse; break;
                case 0x06: return instruction.Value;
                default: throw new InvalidOperationException($"{instruction}");
            }
        }
    }
}

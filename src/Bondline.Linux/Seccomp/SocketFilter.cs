using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>The seccomp filter that puts every <c>socket(2)</c> for TCP before a listener and lets every other system call pass.</summary>
/// <remarks>
/// seccomp(2). UDP, Unix and raw sockets pass inside the filter, and the kernel remembers which system calls always pass, so those cost nothing.
/// Another architecture than the one we run on (32-bit programs) passes whole, as does x32, whose numbers have bit 30 set.
/// </remarks>
public static class SocketFilter
{
    private const uint Allow = 0x7FFF_0000, Notify = 0x7FC0_0000; // SECCOMP_RET_ALLOW, SECCOMP_RET_USER_NOTIF

    // struct seccomp_data: | nr (4) | arch (4) | instruction pointer (8) | six arguments (8 each) |; of an argument the low half comes first on the machines below.
    private const uint NumberOffset = 0, ArchitectureOffset = 4, FamilyOffset = 16, TypeOffset = 24, ProtocolOffset = 32;

    private const uint InternetFamily = 2, InternetFamily6 = 10, StreamType = 1, AnyProtocol = 0, Tcp = 6;
    private const uint TypeFlags = 0x800 | 0x80000; // SOCK_NONBLOCK | SOCK_CLOEXEC

    /// <returns>Null where the number of <c>socket(2)</c> is not known here.</returns>
    public static IReadOnlyList<BpfInstruction>? For(Architecture architecture) => architecture switch
    {
        Architecture.X64 => Create(0xC000_003E, 41), // AUDIT_ARCH_X86_64
        Architecture.Arm64 => Create(0xC000_00B7, 198), // AUDIT_ARCH_AARCH64
        _ => null,
    };

    public static byte[] Write(IReadOnlyList<BpfInstruction> instructions)
    {
        ArgumentNullException.ThrowIfNull(instructions);
        var bytes = new byte[instructions.Count * BpfInstruction.Length];
        for (var i = 0; i < instructions.Count; i++) instructions[i].WriteTo(bytes.AsSpan(i * BpfInstruction.Length));
        return bytes;
    }

    private static BpfInstruction[] Create(uint architecture, uint socket) =>
    [
        BpfInstruction.Load(ArchitectureOffset),
        BpfInstruction.IfEqual(architecture, 0, 12),
        BpfInstruction.Load(NumberOffset),
        BpfInstruction.IfEqual(socket, 0, 10),
        BpfInstruction.Load(FamilyOffset),
        BpfInstruction.IfEqual(InternetFamily, 1, 0),
        BpfInstruction.IfEqual(InternetFamily6, 0, 7),
        BpfInstruction.Load(TypeOffset),
        BpfInstruction.And(~TypeFlags), // a flag the kernel does not know stays, and the kernel itself refuses it
        BpfInstruction.IfEqual(StreamType, 0, 4),
        BpfInstruction.Load(ProtocolOffset),
        BpfInstruction.IfEqual(AnyProtocol, 1, 0),
        BpfInstruction.IfEqual(Tcp, 0, 1),
        BpfInstruction.Return(Notify),
        BpfInstruction.Return(Allow),
    ];
}

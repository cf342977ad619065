using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>The seccomp filter that puts every <c>socket(2)</c> for TCP before a listener and lets every other system call pass.</summary>
/// <remarks>
/// seccomp(2). UDP, Unix and raw sockets pass inside the filter, and the kernel remembers which system calls always pass, so those cost nothing.
/// Another architecture than the one we run on (32-bit programs) passes whole, as does x32, whose numbers have bit 30 set.
/// </remarks>
public static partial class SocketFilter
{
    private const uint SocketNumberX64 = 41, SocketNumberArm64 = 198;
    private const uint Allow = 0x7FFF_0000, Notify = 0x7FC0_0000; // SECCOMP_RET_ALLOW, SECCOMP_RET_USER_NOTIF

    // struct seccomp_data: | nr (4) | arch (4) | instruction pointer (8) | six arguments (8 each) |; of an argument the low half comes first on the machines below.
    private const uint NumberOffset = 0, ArchitectureOffset = 4, FamilyOffset = 16, TypeOffset = 24, ProtocolOffset = 32;

    private const uint InternetFamily = 2, InternetFamily6 = 10, StreamType = 1, AnyProtocol = 0, Tcp = 6;
    private const uint CloseOnExec = 0x80000, TypeFlags = 0x800 | CloseOnExec; // SOCK_NONBLOCK | SOCK_CLOEXEC
    private const int SolSocket = 1, ProtocolOption = 38, Multipath = 262; // SOL_SOCKET, SO_PROTOCOL, IPPROTO_MPTCP

    /// <returns>Null where the number of <c>socket(2)</c> is not known here.</returns>
    public static IReadOnlyList<BpfInstruction>? For(Architecture architecture) => architecture switch
    {
        Architecture.X64 => Create(0xC000_003E, SocketNumberX64), // AUDIT_ARCH_X86_64
        Architecture.Arm64 => Create(0xC000_00B7, SocketNumberArm64), // AUDIT_ARCH_AARCH64
        _ => null,
    };

    /// <summary>The calling thread is behind such a filter, and somebody answers: sockets for TCP that it makes are MPTCP sockets.</summary>
    public static bool IsAnswered
    {
        get
        {
            // By its number, or a library that stands between (LD_PRELOAD, as mptcpize has it) would be asked and not the kernel.
            nint? number = RuntimeInformation.ProcessArchitecture switch { Architecture.X64 => (int)SocketNumberX64, Architecture.Arm64 => (int)SocketNumberArm64, _ => null };
            if (number is null || syscall(number.Value, (int)InternetFamily, (int)(StreamType | CloseOnExec), 0) is not (>= 0 and var made)) return false;
            var length = sizeof(int);
            var isMultipath = getsockopt((int)made, SolSocket, ProtocolOption, out var protocol, ref length) == 0 && protocol == Multipath;
            _ = close((int)made);
            return isMultipath;
        }
    }

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

    [LibraryImport("libc")]
    private static partial nint syscall(nint number, nint family, nint type, nint protocol);

    [LibraryImport("libc")]
    private static partial int getsockopt(int socket, int level, int option, out int value, ref int length);

    [LibraryImport("libc")]
    private static partial int close(int descriptor);
}

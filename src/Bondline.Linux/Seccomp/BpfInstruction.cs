using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>One instruction of classic BPF, which a seccomp filter is made of (linux/filter.h, struct sock_filter).</summary>
/// <param name="Code">What it does.</param>
/// <param name="IfTrue">Instructions to leave out if a comparison holds.</param>
/// <param name="IfFalse">Instructions to leave out if it does not.</param>
/// <param name="Value">An offset, a number to compare with, or a result.</param>
//  | code (2) | if true (1) | if false (1) | value (4) |   host byte order
public readonly record struct BpfInstruction(ushort Code, byte IfTrue, byte IfFalse, uint Value)
{
    public const int Length = 2 + 1 + 1 + 4;

    private const ushort LoadWord = 0x20, AndValue = 0x54, JumpIfEqual = 0x15, ReturnValue = 0x06; // BPF_LD|W|ABS, BPF_ALU|AND|K, BPF_JMP|JEQ|K, BPF_RET|K

    /// <summary>Loads the 32 bits at an offset of <c>struct seccomp_data</c>.</summary>
    public static BpfInstruction Load(uint offset) => new(LoadWord, 0, 0, offset);

    /// <summary>Keeps the bits of the loaded word that <paramref name="mask"/> has.</summary>
    public static BpfInstruction And(uint mask) => new(AndValue, 0, 0, mask);

    /// <summary>Compares the loaded word; each way leaves out so many of the instructions that follow.</summary>
    public static BpfInstruction IfEqual(uint value, byte ifTrue, byte ifFalse) => new(JumpIfEqual, ifTrue, ifFalse, value);

    public static BpfInstruction Return(uint result) => new(ReturnValue, 0, 0, result);

    /// <param name="destination">At least <see cref="Length"/> bytes.</param>
    public void WriteTo(Span<byte> destination)
    {
        MemoryMarshal.Write(destination, Code);
        destination[2] = IfTrue;
        destination[3] = IfFalse;
        MemoryMarshal.Write(destination[4..], Value);
    }
}

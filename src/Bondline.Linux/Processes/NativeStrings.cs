using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>A list of strings as exec(3) takes it: pointers to bytes that end with a zero, and a null pointer.</summary>
internal sealed unsafe class NativeStrings : IDisposable
{
    private readonly byte** _pointers;
    private readonly int _count;

    public NativeStrings(IReadOnlyList<byte[]> strings)
    {
        _count = strings.Count;
        _pointers = (byte**)NativeMemory.AllocZeroed((nuint)_count + 1, (nuint)sizeof(byte*));
        for (var i = 0; i < _count; i++)
        {
            _pointers[i] = (byte*)NativeMemory.AllocZeroed((nuint)strings[i].Length + 1);
            strings[i].CopyTo(new Span<byte>(_pointers[i], strings[i].Length));
        }
    }

    public byte** Pointers => _pointers;

    public void Dispose()
    {
        for (var i = 0; i < _count; i++) NativeMemory.Free(_pointers[i]);
        NativeMemory.Free(_pointers);
    }
}

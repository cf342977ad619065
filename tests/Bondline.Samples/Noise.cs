using System.Buffers.Binary;

namespace Bondline.Samples;

/// <summary>Bytes that look random and are the same each time.</summary>
internal sealed class Noise(ulong seed)
{
    private ulong _state = seed | 1;

    public void Fill(Span<byte> bytes)
    {
        Span<byte> word = stackalloc byte[sizeof(ulong)];
        while (!bytes.IsEmpty)
        {
            _state ^= _state << 13; // xorshift64
            _state ^= _state >> 7;
            _state ^= _state << 17;
            BinaryPrimitives.WriteUInt64LittleEndian(word, _state);
            var count = Math.Min(bytes.Length, word.Length);
            word[..count].CopyTo(bytes);
            bytes = bytes[count..];
        }
    }
}

using System.Buffers;
using System.Globalization;
using System.Net;
using System.Text;

namespace Bondline.Relay;

/// <summary>Puts bytes together in a pooled buffer, which grows as needed and is held only while there is something in it.</summary>
/// <param name="capacity">What is mostly enough.</param>
internal sealed class ByteWriter(int capacity) : IDisposable
{
    private byte[] _buffer = [];

    public int Length { get; private set; }

    /// <summary>What fits without growing.</summary>
    public int Room => Math.Max(_buffer.Length, capacity) - Length;

    public ReadOnlyMemory<byte> Written => _buffer.AsMemory(0, Length);

    public void Write(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Take(bytes.Length));

    public void Write(in ReadOnlySequence<byte> bytes) => bytes.CopyTo(Take((int)bytes.Length));

    /// <summary>Writes characters up to 255 as the bytes they came as.</summary>
    public void Write(ReadOnlySpan<char> text) => Encoding.Latin1.GetBytes(text, Take(text.Length));

    public void Write(IPAddress address)
    {
        const int longest = 65; // with a scope
        var isWritten = address.TryFormat(Take(longest), out int written);
        Length -= longest - (isWritten ? written : 0);
    }

    public void Write(long number, ReadOnlySpan<char> format = default)
    {
        const int longest = 20;
        var isWritten = number.TryFormat(Take(longest), out int written, format, CultureInfo.InvariantCulture);
        Length -= longest - (isWritten ? written : 0);
    }

    /// <summary>Forgets what was written.</summary>
    public void Clear()
    {
        if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, Length) = ([], 0);
    }

    public void Dispose() => Clear();

    private Span<byte> Take(int count)
    {
        if (_buffer.Length - Length < count)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(Math.Max(capacity, 2 * _buffer.Length), Length + count));
            Written.Span.CopyTo(larger);
            if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }
        Length += count;
        return _buffer.AsSpan(Length - count, count);
    }
}

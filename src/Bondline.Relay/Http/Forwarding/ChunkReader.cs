using System.Globalization;
using Microsoft.AspNetCore.Http;
using System.Text;

namespace Bondline.Relay;

/// <summary>Takes the chunks off a response's body: RFC 9112 section 7.1.</summary>
internal struct ChunkReader
{
    private const int MaxLine = 4096; // with what extensions there may be
    private const int MaxTrailerBytes = 64 << 10, MaxTrailers = 256; // adding one copies those of the same name

    private long _left;
    private Next _next;
    private int _trailerBytes, _trailers;

    private enum Next
    {
        Size,
        Data,
        DataEnd,
        Trailer,
        End,
    }

    /// <summary>The last chunk and the trailers are behind it.</summary>
    public readonly bool IsOver => _next == Next.End;

    /// <summary>Moves the data to the front of the input.</summary>
    /// <param name="input">What has come.</param>
    /// <param name="trailers">Where trailers are added; null to drop them.</param>
    /// <param name="data">Bytes of data, from the front on.</param>
    /// <returns>Bytes consumed; the others are to be there again with the next ones.</returns>
    /// <exception cref="BadResponseException">These are no chunks.</exception>
    public int Read(Span<byte> input, IHeaderDictionary? trailers, out int data)
    {
        data = 0;
        var at = 0;
        while (_next != Next.End)
        {
            if (_next == Next.Data)
            {
                var count = (int)Math.Min(_left, input.Length - at);
                if (count == 0) break;
                input.Slice(at, count).CopyTo(input[data..]);
                data += count;
                at += count;
                _left -= count;
                if (_left == 0) _next = Next.DataEnd;
                continue;
            }
            var length = input[at..].IndexOf((byte)'\n');
            if (length < 0)
            {
                if (input.Length - at > MaxLine) throw new BadResponseException("The answer's body has a chunk without a size.");
                break;
            }
            TakeLine(input.Slice(at, length + 1), trailers);
            at += length + 1;
        }
        return at;
    }

    private void TakeLine(ReadOnlySpan<byte> line, IHeaderDictionary? trailers)
    {
        var text = line is [.., (byte)'\r', (byte)'\n'] ? line[..^2] : line[..^1];
        switch (_next)
        {
            case Next.Size:
                _left = SizeOf(text);
                _next = _left > 0 ? Next.Data : Next.Trailer;
                break;
            case Next.DataEnd:
                if (!text.IsEmpty) throw new BadResponseException("A chunk of the answer's body is longer than its size.");
                _next = Next.Size;
                break;
            default:
                if (text.IsEmpty)
                {
                    _next = Next.End;
                    break;
                }
                if ((_trailerBytes += line.Length) > MaxTrailerBytes || ++_trailers > MaxTrailers) throw new BadResponseException("The answer's trailers are too long.");
                ResponseHead.TakeField(ref line, out var name, out var value);
                var known = ResponseHead.NameOf(name);
                if (trailers is not null && RequestHead.MayTrail(known)) trailers.Append(known, Encoding.Latin1.GetString(value));
                break;
        }
    }

    private static long SizeOf(ReadOnlySpan<byte> line)
    {
        const int mostDigits = 15;
        var end = line.IndexOfAny((byte)';', (byte)' ', (byte)'\t');
        var digits = end < 0 ? line : line[..end];
        // 16 digits would overflow; no sign, space or prefix gets through.
        return digits.Length is > 0 and <= mostDigits && !digits.ContainsAnyExcept("0123456789abcdefABCDEF"u8)
            ? long.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)
            : throw new BadResponseException("The answer's body has a chunk without a size.");
    }
}

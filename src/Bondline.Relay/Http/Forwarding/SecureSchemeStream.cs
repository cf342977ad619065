using System.Buffers;
using System.Buffers.Binary;

namespace Bondline.Relay;

/// <summary>
/// A client's HTTP/2 connection whose TLS begins at the agent: the client believes it has none, and its requests say <c>:scheme http</c>, which a service behind TLS
/// refuses (RFC 9113 section 8.3.1). Here they say <c>https</c>.
/// </summary>
/// <remarks>
/// The scheme follows the method at the front of every HEADERS frame, as an index of HPACK's static table (RFC 7541 appendix A): that is how SocketsHttpHandler
/// writes, without padding or priority. Anything else passes as it is.
/// </remarks>
internal sealed class SecureSchemeStream(Stream inner) : Stream
{
    private const int PrefaceLength = 24, FrameHeaderLength = 9, Headers = 1;
    private const byte Get = 0x82, Post = 0x83, SchemeHttp = 0x86, SchemeHttps = 0x87, MethodName = 2;

    private readonly byte[] _frameHeader = new byte[FrameHeaderLength];
    private int _toSkip = PrefaceLength, _frameHeaderLength, _toRead;
    private Next _next;

    private enum Next
    {
        FrameHeader,
        Method,
        MethodLength,
        Scheme,
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => inner.ReadAsync(buffer, cancellationToken);

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var copy = ArrayPool<byte>.Shared.Rent(buffer.Length);
        try
        {
            buffer.CopyTo(copy);
            Rewrite(copy.AsSpan(0, buffer.Length));
            await inner.WriteAsync(copy.AsMemory(0, buffer.Length), cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(copy);
        }
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override void Flush() => inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, count);

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Sees every byte written, in pieces of any length.</summary>
    private void Rewrite(Span<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_toSkip > 0)
            {
                var skipped = Math.Min(_toSkip, bytes.Length);
                _toSkip -= skipped;
                _toRead -= skipped;
                bytes = bytes[skipped..];
                continue;
            }
            Take(ref bytes[0]);
            bytes = bytes[1..];
        }
    }

    private void Take(ref byte value)
    {
        if (_next == Next.FrameHeader)
        {
            _frameHeader[_frameHeaderLength++] = value;
            if (_frameHeaderLength < FrameHeaderLength) return;
            _frameHeaderLength = 0;
            _toRead = BinaryPrimitives.ReadInt32BigEndian(_frameHeader) >>> 8;
            if (_frameHeader[3] == Headers && _toRead > 0) _next = Next.Method;
            else _toSkip = _toRead;
            return;
        }
        _toRead--;
        switch (_next)
        {
            case Next.Method when value is Get or Post:
                _next = Next.Scheme;
                break;
            case Next.Method when (value & 0x0f) == MethodName:
                _next = Next.MethodLength;
                break;
            case Next.MethodLength when value < 0x7f && value < _toRead:
                (_toSkip, _next) = (value, Next.Scheme);
                break;
            case Next.Scheme:
                if (value == SchemeHttp) value = SchemeHttps;
                Leave();
                break;
            default: // not as expected
                Leave();
                break;
        }
        if (_toRead == 0 && _next != Next.FrameHeader) Leave();
    }

    private void Leave() => (_toSkip, _next) = (_toRead, Next.FrameHeader);
}

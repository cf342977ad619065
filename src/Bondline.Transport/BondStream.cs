using Bondline.Protocol;

namespace Bondline.Transport;

/// <summary>One stream of a bond as an ordinary .NET stream.</summary>
public sealed class BondStream : Stream
{
    internal BondStream(StreamHeader header) => Header = header;

    /// <summary>What the end that opened the stream said about it.</summary>
    public StreamHeader Header { get; }

    /// <summary>Completes when both directions are over and acknowledged, or the stream was reset, or its bond lost. Never faults.</summary>
    public Task Closed => throw new NotSupportedException();

    /// <summary>Ends our sending direction: the peer reads end of stream after what was written.</summary>
    public ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <summary>Resets both directions; reads and writes here then throw <see cref="BondStreamException"/> with <paramref name="error"/>.</summary>
    public void Abort(StreamError error) => throw new NotSupportedException();

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override void Flush() { }
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}

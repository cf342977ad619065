namespace Bondline.Protocol;

/// <summary>STREAM: bytes of one stream; <see cref="Offset"/> is the stream offset of the first one.</summary>
/// <remarks>docs/protocol.md, section "STREAM". Payload points into the reader's buffer.</remarks>
//  | type 0x10, or 0x24 if the payload ends the stream | length (2) | stream id (varint) | offset (varint) | payload to the end of the frame |
public readonly ref struct StreamFrame(StreamId stream, ulong offset, ReadOnlySpan<byte> payload, bool isEnd)
{
    /// <summary>Type, length, stream id and offset at their longest.</summary>
    public const int MaxHeaderLength = 1 + 2 + VarInt.MaxLength + VarInt.MaxLength;

    public StreamId Stream { get; } = stream;

    public ulong Offset { get; } = offset;

    public ReadOnlySpan<byte> Payload { get; } = payload;

    public bool IsEnd { get; } = isEnd;

    public static StreamFrame Parse(Frame frame)
    {
        var body = new BodyReader(frame.Type, frame.Body);
        var stream = new StreamId(body.ReadNumber());
        var offset = body.ReadNumber();
        var isEnd = frame.Type == FrameType.StreamEnd;
        if (offset + (ulong)body.Rest.Length > VarInt.MaxValue)
            throw new ProtocolException(ProtocolError.FlowControl, $"A frame of {stream} ends behind offset 2^62.");
        if (body.Rest.IsEmpty && !isEnd)
            throw new ProtocolException(ProtocolError.FrameMalformed, $"A frame of {stream} carries nothing.");
        return new(stream, offset, body.Rest, isEnd);
    }

    /// <summary>The bytes before the payload of such a frame.</summary>
    public static int HeaderLength(StreamId stream, ulong offset) => 1 + 2 + VarInt.Length(stream.Value) + VarInt.Length(offset);

    /// <summary>Writes everything but the payload, which the caller puts behind it.</summary>
    /// <returns>The bytes written.</returns>
    public static int WriteHeader(Span<byte> destination, StreamId stream, ulong offset, int payloadLength, bool isEnd)
    {
        destination[0] = (byte)(isEnd ? FrameType.StreamEnd : FrameType.Stream);
        var position = 3;
        position += VarInt.Write(destination[position..], stream.Value);
        position += VarInt.Write(destination[position..], offset);
        VarInt.WriteFixed(destination[1..], (ulong)(position - 3 + payloadLength), 2);
        return position;
    }
}

namespace Bondline.Protocol;

/// <summary>The small frames of a bond that are one to four numbers each; every one of them means the same when it comes twice or late.</summary>
/// <remarks>docs/protocol.md, section "Frames". Writers return the bytes written and need at most <see cref="MaxLength"/>.</remarks>
internal static class NumberFrame
{
    /// <summary>Type, length and four numbers at their longest.</summary>
    public const int MaxLength = 1 + 1 + 4 * VarInt.MaxLength;

    //  | type (1) | length (1) | number (varint) | ...
    public static int Write(Span<byte> destination, FrameType type, ulong a)
    {
        var position = 2 + VarInt.Write(destination[2..], a);
        return Finish(destination, type, position);
    }

    public static int Write(Span<byte> destination, FrameType type, ulong a, ulong b)
    {
        var position = 2 + VarInt.Write(destination[2..], a);
        position += VarInt.Write(destination[position..], b);
        return Finish(destination, type, position);
    }

    public static int Write(Span<byte> destination, FrameType type, ulong a, ulong b, ulong c)
    {
        var position = 2 + VarInt.Write(destination[2..], a);
        position += VarInt.Write(destination[position..], b);
        position += VarInt.Write(destination[position..], c);
        return Finish(destination, type, position);
    }

    public static int Write(Span<byte> destination, FrameType type, ulong a, ulong b, ulong c, ulong d)
    {
        var position = 2 + VarInt.Write(destination[2..], a);
        position += VarInt.Write(destination[position..], b);
        position += VarInt.Write(destination[position..], c);
        position += VarInt.Write(destination[position..], d);
        return Finish(destination, type, position);
    }

    private static int Finish(Span<byte> destination, FrameType type, int length)
    {
        destination[0] = (byte)type;
        destination[1] = (byte)(length - 2);
        return length;
    }
}

/// <summary>MAX_STREAM_DATA: the sender of <see cref="Stream"/> may send up to offset <see cref="Maximum"/>. Only the largest counts.</summary>
//  | 0x14 | length (1) | stream id (varint) | maximum (varint) |
internal readonly record struct MaxStreamDataFrame(StreamId Stream, ulong Maximum)
{
    public static MaxStreamDataFrame Parse(Frame frame)
    {
        var body = new BodyReader(frame.Type, frame.Body);
        var parsed = new MaxStreamDataFrame(new(body.ReadNumber()), body.ReadNumber());
        body.End();
        return parsed;
    }

    public int WriteTo(Span<byte> destination) => NumberFrame.Write(destination, FrameType.MaxStreamData, Stream.Value, Maximum);
}

/// <summary>MAX_DATA and MAX_STREAMS: the peer may send <see cref="Maximum"/> bytes over all streams, or open that many streams, since the bond began. Only the largest counts.</summary>
//  | 0x16 or 0x18 | length (1) | maximum (varint) |
internal readonly record struct MaximumFrame(FrameType Type, ulong Maximum)
{
    public static MaximumFrame Parse(Frame frame)
    {
        var body = new BodyReader(frame.Type, frame.Body);
        var parsed = new MaximumFrame(frame.Type, body.ReadNumber());
        body.End();
        return parsed;
    }

    public int WriteTo(Span<byte> destination) => NumberFrame.Write(destination, Type, Maximum);
}

/// <summary>RESET: the sender gives up its direction of the stream after <see cref="FinalSize"/> bytes.</summary>
//  | 0x1a | length (1) | stream id (varint) | code (varint) | final size (varint) |
internal readonly record struct ResetFrame(StreamId Stream, ulong Code, ulong FinalSize)
{
    public static ResetFrame Parse(Frame frame)
    {
        var body = new BodyReader(frame.Type, frame.Body);
        var parsed = new ResetFrame(new(body.ReadNumber()), body.ReadNumber(), body.ReadNumber());
        body.End();
        return parsed;
    }

    public int WriteTo(Span<byte> destination) => NumberFrame.Write(destination, FrameType.Reset, Stream.Value, Code, FinalSize);
}

/// <summary>STOP_SENDING: the receiver reads no more of the stream; the sender answers with RESET.</summary>
//  | 0x1c | length (1) | stream id (varint) | code (varint) |
internal readonly record struct StopSendingFrame(StreamId Stream, ulong Code)
{
    public static StopSendingFrame Parse(Frame frame)
    {
        var body = new BodyReader(frame.Type, frame.Body);
        var parsed = new StopSendingFrame(new(body.ReadNumber()), body.ReadNumber());
        body.End();
        return parsed;
    }

    public int WriteTo(Span<byte> destination) => NumberFrame.Write(destination, FrameType.StopSending, Stream.Value, Code);
}

/// <summary>PING and PONG: the number of a PING comes back in a PONG on the same subflow, at once, padded alike.</summary>
//  | 0x1e or 0x20 | length (varint) | number (varint) | padding |
internal readonly record struct PingFrame(FrameType Type, ulong Number, int Padding = 0)
{
    /// <summary>Padding makes a frame so long that one packet of it is as large as any of bulk on a path of 1,500 bytes.</summary>
    public const int ProbePadding = 1600;

    /// <summary>Type, length and number at their longest.</summary>
    public const int MaxHeader = 1 + 2 + VarInt.MaxLength;

    public static PingFrame Parse(Frame frame)
    {
        var body = new BodyReader(frame.Type, frame.Body);
        var number = body.ReadNumber();
        return new(frame.Type, number, body.Rest.Length);
    }

    public int WriteTo(Span<byte> destination)
    {
        if (Padding == 0) return NumberFrame.Write(destination, Type, Number);
        destination[0] = (byte)Type;
        var body = VarInt.Length(Number) + Padding;
        var position = 1 + VarInt.Write(destination[1..], (ulong)body);
        position += VarInt.Write(destination[position..], Number);
        destination.Slice(position, Padding).Clear();
        return position + Padding;
    }
}

/// <summary>SUBFLOW_STATUS: what the other end cannot see of a subflow. Only the highest version counts.</summary>
//  | 0x22 | length (1) | subflow id (varint) | version (varint) | 0 usable, 1 lost (varint) | policy (varint) |
internal readonly record struct SubflowStatusFrame(SubflowId Subflow, ulong Version, bool IsLost, SubflowPolicy Policy)
{
    public static SubflowStatusFrame Parse(Frame frame)
    {
        var body = new BodyReader(frame.Type, frame.Body);
        var subflow = new SubflowId(body.ReadNumber());
        var version = body.ReadNumber();
        var state = body.ReadNumber();
        var policy = body.ReadNumber();
        body.End();
        if (state > 1 || policy > (ulong)SubflowPolicy.Off)
            throw new ProtocolException(ProtocolError.FrameMalformed, $"SUBFLOW_STATUS has state {state} and policy {policy}.");
        return new(subflow, version, state == 1, (SubflowPolicy)policy);
    }

    public int WriteTo(Span<byte> destination) => NumberFrame.Write(destination, FrameType.SubflowStatus, Subflow.Value, Version, IsLost ? 1UL : 0, (ulong)Policy);
}

/// <summary>MODE: how the agent's user wants the subflows used together. Only the highest version counts; a mode not known is <see cref="BondMode.Auto"/>.</summary>
//  | 0x37 | length (1) | version (varint) | mode (varint) |
internal readonly record struct ModeFrame(ulong Version, BondMode Mode)
{
    public static ModeFrame Parse(Frame frame)
    {
        var body = new BodyReader(frame.Type, frame.Body);
        var version = body.ReadNumber();
        var mode = body.ReadNumber();
        body.End();
        return new(version, mode <= (ulong)BondMode.BackupOnly ? (BondMode)mode : BondMode.Auto);
    }

    public int WriteTo(Span<byte> destination) => NumberFrame.Write(destination, FrameType.Mode, Version, (ulong)Mode);
}

namespace Bondline.Fuzz;

/// <summary>The frames of a bond as they follow each other; each that is accepted is written again and read back the same.</summary>
internal static class FrameTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        try
        {
            while (Frame.TryRead(input, out var frame, out var length))
            {
                FuzzTarget.Require(length is > 1 and <= Frame.MaxLength, "a frame has 2 to 16,384 bytes");
                Parse(frame);
                input = input[length..];
            }
        }
        catch (ProtocolException)
        {
        }
    }

    private static void Parse(Frame frame)
    {
        Span<byte> written = stackalloc byte[CloseFrame.MaxReasonLength + 16];
        switch (frame.Type)
        {
            case FrameType.Close:
                var close = CloseFrame.Parse(frame);
                FuzzTarget.Require(!close.Reason.Any(char.IsControl), "a reason can be printed");
                close.WriteTo(written);
                break;
            case FrameType.Stream or FrameType.StreamEnd:
                var stream = StreamFrame.Parse(frame);
                Span<byte> header = stackalloc byte[StreamFrame.MaxHeaderLength];
                var headerLength = StreamFrame.WriteHeader(header, stream.Stream, stream.Offset, stream.Payload.Length, stream.IsEnd);
                FuzzTarget.Require(headerLength == StreamFrame.HeaderLength(stream.Stream, stream.Offset), "a header is as long as was said");
                break;
            case FrameType.MaxStreamData:
                var window = MaxStreamDataFrame.Parse(frame);
                FuzzTarget.Require(MaxStreamDataFrame.Parse(Again(written, window.WriteTo(written))) == window, "MAX_STREAM_DATA comes back the same");
                break;
            case FrameType.MaxData or FrameType.MaxStreams:
                var maximum = MaximumFrame.Parse(frame);
                FuzzTarget.Require(MaximumFrame.Parse(Again(written, maximum.WriteTo(written))) == maximum, "a maximum comes back the same");
                break;
            case FrameType.Reset:
                var reset = ResetFrame.Parse(frame);
                FuzzTarget.Require(ResetFrame.Parse(Again(written, reset.WriteTo(written))) == reset, "RESET comes back the same");
                break;
            case FrameType.StopSending:
                var stop = StopSendingFrame.Parse(frame);
                FuzzTarget.Require(StopSendingFrame.Parse(Again(written, stop.WriteTo(written))) == stop, "STOP_SENDING comes back the same");
                break;
            case FrameType.Ping or FrameType.Pong:
                var ping = PingFrame.Parse(frame);
                FuzzTarget.Require(PingFrame.Parse(Again(written, ping.WriteTo(written))) == ping, "PING comes back the same");
                break;
            case FrameType.SubflowStatus:
                var status = SubflowStatusFrame.Parse(frame);
                FuzzTarget.Require(SubflowStatusFrame.Parse(Again(written, status.WriteTo(written))) == status, "SUBFLOW_STATUS comes back the same");
                break;
            case FrameType.Mode:
                var mode = ModeFrame.Parse(frame);
                FuzzTarget.Require(ModeFrame.Parse(Again(written, mode.WriteTo(written))) == mode, "MODE comes back the same");
                break;
        }
    }

    private static Frame Again(ReadOnlySpan<byte> written, int length)
    {
        FuzzTarget.Require(Frame.TryRead(written[..length], out var frame, out var read) && read == length, "what was written is a whole frame");
        return frame;
    }
}

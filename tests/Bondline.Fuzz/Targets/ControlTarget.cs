using System.Buffers;

namespace Bondline.Fuzz;

/// <summary>The lines of the control stream; each message that is accepted is written again and read back the same.</summary>
internal static class ControlTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        var rest = new ReadOnlySequence<byte>(input.ToArray());
        try
        {
            while (ControlCodec.TryRead(ref rest, out var message))
                if (message is not null) WriteAgain(message);
        }
        catch (ProtocolException)
        {
        }
    }

    private static void WriteAgain(ControlMessage message)
    {
        var output = new ArrayBufferWriter<byte>();
        try
        {
            ControlCodec.Write(message, output);
        }
        catch (ProtocolException error) when (error.Error == ProtocolError.FrameTooLarge) // escapes make a line longer than it came
        {
            return;
        }
        var written = new ReadOnlySequence<byte>(output.WrittenMemory);
        FuzzTarget.Require(ControlCodec.TryRead(ref written, out var again) && written.IsEmpty, "what was written is one line");
        FuzzTarget.Require(message.Equals(again), "a message comes back the same");
    }
}

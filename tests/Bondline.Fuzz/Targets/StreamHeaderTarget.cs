namespace Bondline.Fuzz;

/// <summary>The first bytes of a stream.</summary>
internal static class StreamHeaderTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        var status = StreamHeader.TryRead(input, out var header, out var length);
        FuzzTarget.Require(status != HeaderStatus.Incomplete || input.Length < StreamHeader.MaxLength, "nobody waits for more than a header can have");
        if (status != HeaderStatus.Complete) return;
        FuzzTarget.Require(length <= input.Length && length <= StreamHeader.MaxLength, "a header lies in the input");
        var written = new byte[StreamHeader.MaxLength];
        var writtenLength = header.Write(written);
        FuzzTarget.Require(StreamHeader.TryRead(written.AsSpan(0, writtenLength), out var again, out _) == HeaderStatus.Complete, "what was written is a header");
        FuzzTarget.Require(
            (again.Kind, again.Tunnel, again.HopCount) == (header.Kind, header.Tunnel, header.HopCount) && Equals(again.Visitor, header.Visitor)
                && again.TraceId.AsSpan().SequenceEqual(header.TraceId),
            "a header comes back the same");
    }
}

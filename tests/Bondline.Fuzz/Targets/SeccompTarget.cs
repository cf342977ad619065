using Bondline.Linux;

namespace Bondline.Fuzz;

/// <summary>What <c>bondline run</c> reads of the kernel and of itself: notifications, /proc, counts.</summary>
internal static class SeccompTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        if (SocketRequest.TryRead(input, out var request))
        {
            Span<byte> answer = stackalloc byte[SocketRequest.InjectionLength];
            request.WriteInjection(answer, 7);
            FuzzTarget.Require(answer[..8].SequenceEqual(input[..8]), "an answer names what it answers");
            request.WritePlain(answer);
            FuzzTarget.Require(answer[..8].SequenceEqual(input[..8]), "an answer names what it answers");
        }
        if (AnswerCounts.TryRead(input, out var counts))
        {
            Span<byte> message = stackalloc byte[AnswerCounts.Length];
            counts.WriteTo(message);
            FuzzTarget.Require(message.SequenceEqual(input[..AnswerCounts.Length]), "counts come back as they were sent");
        }
        CallerContext.TryReadFileIds(input, out _, out _);
        FuzzTarget.Require(OwnCommandLine.Split(input).Sum(argument => argument.Length + 1) <= input.Length, "no argument is longer than all of them");
        _ = ProgramEnd.Read(input.Length >= 4 ? BitConverter.ToInt32(input) : 0).ExitCode;
    }
}

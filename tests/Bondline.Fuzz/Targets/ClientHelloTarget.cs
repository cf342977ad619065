using System.Buffers;
using Bondline.Relay;

namespace Bondline.Fuzz;

/// <summary>What a connection to the TLS port begins with, and what one to a tunnel may: once decided, more bytes change nothing.</summary>
internal static class ClientHelloTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        var whole = FirstBytes.Read(input);
        FuzzTarget.Require(whole.Kind != FirstBytesKind.Incomplete || input.Length < FirstBytes.MaxLength, "nobody waits for more than the limit");
        FuzzTarget.Require(whole.ServerName is null or { Length: <= 255 }, "a name is no longer than names are");
        var half = FirstBytes.Read(input[..(input.Length / 2)]);
        FuzzTarget.Require(half.Kind == FirstBytesKind.Incomplete || half == whole, "more bytes change nothing that was decided");
        Http2Preface.IsStartOf(new ReadOnlySequence<byte>(input.ToArray()));
    }
}

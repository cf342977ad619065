using Bondline.Relay;
using Microsoft.AspNetCore.Http;

namespace Bondline.Fuzz;

/// <summary>The head of a local service's response, whole and as it comes in pieces. The first byte says whether the request was HEAD, and the pieces.</summary>
internal static class ResponseHeadTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return;
        var (isHead, piece) = ((input[0] & 1) != 0, 1 + (input[0] >> 1));
        var head = input[1..];
        var (scanned, once) = (0, 0);
        var length = ResponseHead.FindEnd(head, ref once);
        for (var end = Math.Min(piece, head.Length); ; end = Math.Min(end + piece, head.Length))
        {
            var found = ResponseHead.FindEnd(head[..end], ref scanned);
            FuzzTarget.Require(found == 0 || found == length, "a head ends in the same place however it comes");
            if (found > 0) break;
            if (end < head.Length) continue;
            FuzzTarget.Require(length == 0, "a head ends in the same place however it comes");
            return;
        }
        var headers = new HeaderDictionary();
        try
        {
            var read = ResponseHead.Read(head[..length], isHead, headers);
            FuzzTarget.Require(read is { Status: >= 100 and <= 999, Length: >= 0 }, "a status has three digits, a length no sign");
            FuzzTarget.Require(read.Body != BodyKind.ToEnd || !read.KeepsConnection, "what ends with the connection does not keep it");
        }
        catch (BadResponseException)
        {
            return;
        }
        foreach (var (name, values) in headers)
        {
            FuzzTarget.Require(HeaderSyntax.IsToken(name), "a header's name is a token");
            foreach (var value in values) FuzzTarget.Require(HeaderSyntax.IsValue(value), "a header's value holds no line end");
        }
    }
}

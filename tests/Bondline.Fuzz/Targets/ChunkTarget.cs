using Bondline.Relay;
using Microsoft.AspNetCore.Http;

namespace Bondline.Fuzz;

/// <summary>A chunked body gives the same bytes in whatever pieces it comes. The first byte says which.</summary>
internal static class ChunkTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty) return;
        var (whole, wholeEnd) = Read(input[1..], input.Length);
        var (pieces, piecesEnd) = Read(input[1..], 1 + input[0]);
        FuzzTarget.Require(wholeEnd == piecesEnd, "a body ends in the same way however it comes");
        FuzzTarget.Require(wholeEnd == End.Refused || whole.AsSpan().SequenceEqual(pieces), "a body is the same however it comes");
    }

    private static (byte[] Data, End End) Read(ReadOnlySpan<byte> input, int piece)
    {
        var chunks = new ChunkReader();
        var body = new List<byte>();
        var waiting = Array.Empty<byte>();
        try
        {
            for (var at = 0; at < input.Length && !chunks.IsOver; at += piece)
            {
                byte[] now = [.. waiting, .. input.Slice(at, Math.Min(piece, input.Length - at))];
                var consumed = chunks.Read(now, new HeaderDictionary(), out var data);
                FuzzTarget.Require(data <= consumed && consumed <= now.Length, "no more data than was read");
                body.AddRange(now.AsSpan(0, data));
                waiting = now[consumed..];
            }
        }
        catch (BadResponseException)
        {
            return ([], End.Refused);
        }
        return ([.. body], chunks.IsOver ? End.Over : End.Open);
    }

    private enum End
    {
        Open,
        Over,
        Refused,
    }
}

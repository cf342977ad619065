using System.Net;

namespace Bondline.Protocol;

/// <summary>What a stream is for.</summary>
public enum StreamKind
{
    /// <summary>Control messages between agent and relay; the first stream the agent opens.</summary>
    Control,

    /// <summary>A visitor's TCP connection.</summary>
    Tcp,

    /// <summary>HTTP/1.1 requests of visitors.</summary>
    Http,

    /// <summary>HTTP/2 requests of visitors, from the client's preface on; only for tunnels whose service speaks it.</summary>
    Http2,
}

/// <summary>How far the header of a stream could be read.</summary>
public enum HeaderStatus
{
    Complete,
    Incomplete,
    Malformed,
}

/// <summary>The first bytes of every stream: what it is for and who calls.</summary>
/// <remarks>docs/protocol.md, section "Stream header".</remarks>
//  | length (varint of 1 or 2 bytes, at most 1,024) | entries: 0 kind (varint) · 2 tunnel (varint) · 1 visitor (4 or 16 bytes of address, 2 of port) · 3 trace id (16 bytes) · 5 hop count (varint) |
public sealed record StreamHeader
{
    /// <summary>Of the whole header, its length included.</summary>
    public const int MaxLength = 1024 + 2;

    public const int MaxHopCount = 255;

    public required StreamKind Kind { get; init; }

    /// <summary>The agent's number of the tunnel; 0 for the control stream.</summary>
    public ulong Tunnel { get; init; }

    public IPEndPoint? Visitor { get; init; }

    /// <summary>16 bytes, or null.</summary>
    public byte[]? TraceId { get; init; }

    public int HopCount { get; init; }

    /// <summary>Writes the header; <see cref="MaxLength"/> bytes are always enough.</summary>
    /// <returns>The bytes written.</returns>
    public int Write(Span<byte> destination)
    {
        Span<byte> list = stackalloc byte[128];
        var entries = new TlvWriter(list);
        entries.Add(0, (ulong)Kind);
        entries.Add(2, Tunnel);
        if (Visitor is not null)
        {
            Span<byte> visitor = stackalloc byte[18];
            Visitor.Address.TryWriteBytes(visitor, out var addressLength);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(visitor[addressLength..], (ushort)Visitor.Port);
            entries.Add(1, visitor[..(addressLength + 2)]);
        }
        if (TraceId is { Length: 16 }) entries.Add(3, TraceId);
        if (HopCount > 0) entries.Add(5, (ulong)HopCount);
        var length = VarInt.Write(destination, (ulong)entries.Length);
        entries.Written.CopyTo(destination[length..]);
        return length + entries.Length;
    }

    /// <param name="input">The stream's bytes from offset 0.</param>
    /// <param name="header">The header, if complete.</param>
    /// <param name="length">Its length, if complete; bytes behind it are the stream's payload.</param>
    public static HeaderStatus TryRead(ReadOnlySpan<byte> input, out StreamHeader header, out int length)
    {
        header = null!;
        length = 0;
        if (input.IsEmpty) return HeaderStatus.Incomplete;
        if (input[0] >> 6 > 1) return HeaderStatus.Malformed; // a length in over two bytes would make a header of over MaxLength
        if (!VarInt.TryRead(input, out var listLength, out var lengthLength)) return HeaderStatus.Incomplete;
        if (listLength > MaxLength - 2) return HeaderStatus.Malformed;
        if (input.Length < lengthLength + (int)listLength) return HeaderStatus.Incomplete;
        length = lengthLength + (int)listLength;
        StreamKind? kind = null;
        ulong tunnel = 0;
        var hops = 0;
        IPEndPoint? visitor = null;
        byte[]? trace = null;
        var entries = new TlvReader(input[lengthLength..length]);
        while (entries.Next())
        {
            switch (entries.Id)
            {
                case 0 when entries.TryReadNumber(out var number) && number <= (ulong)StreamKind.Http2:
                    kind = (StreamKind)number;
                    break;
                case 2 when entries.TryReadNumber(out tunnel):
                    break;
                case 1 when entries.Value.Length is 6 or 18:
                    visitor = new(new IPAddress(entries.Value[..^2]), System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(entries.Value[^2..]));
                    break;
                case 3 when entries.Value.Length == 16:
                    trace = entries.Value.ToArray();
                    break;
                case 5 when entries.TryReadNumber(out var number) && number <= MaxHopCount:
                    hops = (int)number;
                    break;
                default:
                    if (entries.MustBeUnderstood) return HeaderStatus.Malformed;
                    break;
            }
        }
        if (entries.IsMalformed || kind is null) return HeaderStatus.Malformed;
        header = new() { Kind = kind.Value, Tunnel = tunnel, Visitor = visitor, TraceId = trace, HopCount = hops };
        return HeaderStatus.Complete;
    }
}

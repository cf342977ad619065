using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>Writes one request into a buffer of the caller's.</summary>
public ref struct NetlinkRequest
{
    private const ushort RequestFlag = 1, DumpFlag = 0x300;

    private readonly Span<byte> _buffer;

    /// <param name="buffer">At least the header, the family's fixed part and the attributes to come.</param>
    /// <param name="type">What is asked.</param>
    /// <param name="isDump">Ask for all objects, not one.</param>
    /// <param name="sequence">Comes back in every answer.</param>
    /// <param name="fixedPart">The type's own header (rtmsg, ifinfomsg ...).</param>
    public NetlinkRequest(Span<byte> buffer, NetlinkType type, bool isDump, uint sequence, ReadOnlySpan<byte> fixedPart)
    {
        _buffer = buffer;
        buffer[..NetlinkMessage.HeaderLength].Clear();
        MemoryMarshal.Write(buffer[4..], (ushort)type);
        MemoryMarshal.Write(buffer[6..], (ushort)(RequestFlag | (isDump ? DumpFlag : 0)));
        MemoryMarshal.Write(buffer[8..], sequence);
        fixedPart.CopyTo(buffer[NetlinkMessage.HeaderLength..]);
        Length = NetlinkMessage.Align(NetlinkMessage.HeaderLength + fixedPart.Length);
        MemoryMarshal.Write(buffer, (uint)Length);
    }

    /// <summary>Bytes of the request so far.</summary>
    public int Length { get; private set; }

    public void Add(int type, ReadOnlySpan<byte> value)
    {
        var attribute = _buffer[Length..];
        var length = 4 + value.Length;
        attribute[..NetlinkMessage.Align(length)].Clear();
        MemoryMarshal.Write(attribute, (ushort)length);
        MemoryMarshal.Write(attribute[2..], (ushort)type);
        value.CopyTo(attribute[4..]);
        Length += NetlinkMessage.Align(length);
        MemoryMarshal.Write(_buffer, (uint)Length);
    }
}

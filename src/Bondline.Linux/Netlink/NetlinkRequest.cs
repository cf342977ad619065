using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>What a request asks for besides its type (NLM_F_*, linux/netlink.h); some bits mean one thing for reading and another for writing.</summary>
[Flags]
public enum NetlinkFlags : ushort
{
    None = 0,

    /// <summary>Set on every request.</summary>
    Request = 0x1,

    /// <summary>Say also that it went well.</summary>
    Acknowledge = 0x4,

    /// <summary>Reading: all objects, not one.</summary>
    Dump = 0x300,

    /// <summary>Writing: in place of what is there.</summary>
    Replace = 0x100,

    /// <summary>Writing: only if it is not there.</summary>
    Exclusive = 0x200,

    /// <summary>Writing: make it if it is not there.</summary>
    Create = 0x400,
}

/// <summary>Writes one request into a buffer of the caller's.</summary>
public ref struct NetlinkRequest
{
    private const int NestedBit = 0x8000; // NLA_F_NESTED

    private readonly Span<byte> _buffer;

    /// <param name="buffer">At least the header, the family's fixed part and the attributes to come.</param>
    /// <param name="type">What is asked.</param>
    /// <param name="flags">How; <see cref="NetlinkFlags.Request"/> is added.</param>
    /// <param name="sequence">Comes back in every answer.</param>
    /// <param name="fixedPart">The type's own header (rtmsg, ifinfomsg ...).</param>
    public NetlinkRequest(Span<byte> buffer, NetlinkType type, NetlinkFlags flags, uint sequence, scoped ReadOnlySpan<byte> fixedPart)
    {
        _buffer = buffer;
        buffer[..NetlinkMessage.HeaderLength].Clear();
        MemoryMarshal.Write(buffer[4..], (ushort)type);
        MemoryMarshal.Write(buffer[6..], (ushort)(flags | NetlinkFlags.Request));
        MemoryMarshal.Write(buffer[8..], sequence);
        fixedPart.CopyTo(buffer[NetlinkMessage.HeaderLength..]);
        Length = NetlinkMessage.Align(NetlinkMessage.HeaderLength + fixedPart.Length);
        MemoryMarshal.Write(buffer, (uint)Length);
    }

    /// <summary>Bytes of the request so far.</summary>
    public int Length { get; private set; }

    public void Add(int type, scoped ReadOnlySpan<byte> value)
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

    public void Add(int type, byte value) => Add(type, [value]);

    public void Add(int type, ushort value) => AddValue(type, value);

    public void Add(int type, uint value) => AddValue(type, value);

    public void Add(int type, int value) => AddValue(type, value);

    /// <summary>A C string, with its zero byte.</summary>
    public void Add(int type, string value)
    {
        Span<byte> text = stackalloc byte[System.Text.Encoding.UTF8.GetMaxByteCount(value.Length) + 1];
        text.Clear();
        Add(type, text[..(System.Text.Encoding.UTF8.GetBytes(value, text) + 1)]);
    }

    /// <summary>Starts an attribute whose value is attributes: those added until <see cref="EndNested"/>.</summary>
    /// <returns>What to end it with.</returns>
    public int BeginNested(int type)
    {
        var start = Length;
        Add(type | NestedBit, []);
        return start;
    }

    public readonly void EndNested(int start) => MemoryMarshal.Write(_buffer[start..], (ushort)(Length - start));

    private void AddValue<T>(int type, T value)
        where T : unmanaged => Add(type, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
}

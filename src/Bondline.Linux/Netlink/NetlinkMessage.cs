using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>The datagram or one of its messages is not what the kernel sends: shorter than its lengths say.</summary>
public sealed class NetlinkFormatException(string message) : FormatException(message);

/// <summary>Message types of rtnetlink that we read or write (linux/rtnetlink.h, linux/netlink.h).</summary>
public enum NetlinkType : ushort
{
    Nothing = 1,
    Error = 2,
    Done = 3,
    Overrun = 4,
    NewLink = 16,
    DeleteLink = 17,
    GetLink = 18,
    NewAddress = 20,
    DeleteAddress = 21,
    GetAddress = 22,
    NewRoute = 24,
    DeleteRoute = 25,
    GetRoute = 26,
}

/// <summary>One netlink message inside a datagram; <see cref="Payload"/> points into the datagram.</summary>
//  | length (4, header included) | type (2) | flags (2) | sequence (4) | port id (4) | payload | padding to 4 |   host byte order
public readonly ref struct NetlinkMessage
{
    public const int HeaderLength = 16;

    public NetlinkType Type { get; private init; }

    public ushort Flags { get; private init; }

    public uint Sequence { get; private init; }

    public ReadOnlySpan<byte> Payload { get; private init; }

    /// <summary>One of the messages of an answer, and not news: NLM_F_MULTI.</summary>
    public bool IsPartOfAnswer => (Flags & 0x2) != 0;

    /// <summary>Part of a dump that changed while it was read: NLM_F_DUMP_INTR.</summary>
    public bool IsDumpInterrupted => (Flags & 0x10) != 0;

    /// <summary>Takes the first message off <paramref name="datagram"/>.</summary>
    /// <returns>False at the end of the datagram.</returns>
    /// <exception cref="NetlinkFormatException">A length is below the header's or beyond the datagram.</exception>
    public static bool TryRead(ref ReadOnlySpan<byte> datagram, out NetlinkMessage message)
    {
        message = default;
        if (datagram.IsEmpty) return false;
        if (datagram.Length < HeaderLength) throw new NetlinkFormatException($"{datagram.Length} bytes are left, a netlink header has {HeaderLength}.");
        var length = MemoryMarshal.Read<uint>(datagram);
        if (length < HeaderLength || length > (uint)datagram.Length)
            throw new NetlinkFormatException($"A netlink message says it has {length} bytes; there are {datagram.Length}.");
        message = new NetlinkMessage
        {
            Type = (NetlinkType)MemoryMarshal.Read<ushort>(datagram[4..]),
            Flags = MemoryMarshal.Read<ushort>(datagram[6..]),
            Sequence = MemoryMarshal.Read<uint>(datagram[8..]),
            Payload = datagram[HeaderLength..(int)length],
        };
        datagram = datagram[Math.Min(Align((int)length), datagram.Length)..];
        return true;
    }

    /// <summary>The error number of an <see cref="NetlinkType.Error"/> message: 0 is an acknowledgement, else a positive errno.</summary>
    public int ReadError() => NetlinkError.Read(this).Number;

    internal static int Align(int length) => (length + 3) & ~3;
}

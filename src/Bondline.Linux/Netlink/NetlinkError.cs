using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>How a request ended: NLMSG_ERROR, which also acknowledges, and NLMSG_DONE at the end of a dump (linux/netlink.h).</summary>
/// <param name="Number">0 if it went well, else a positive errno.</param>
/// <param name="Text">The kernel's reason in its own words (NLMSGERR_ATTR_MSG); null if it gives none.</param>
//  Error: | negative errno (4) | header of the request (16) | rest of the request, without NLM_F_CAPPED | attributes, with NLM_F_ACK_TLVS |   host byte order
//  Done:  | negative errno (4) | attributes, with NLM_F_ACK_TLVS |   kernels before 4.6 may send no errno
public readonly record struct NetlinkError(int Number, string? Text)
{
    private const ushort CappedFlag = 0x100, AttributesFlag = 0x200;
    private const int AttributeMessage = 1;

    public bool IsSuccess => Number == 0;

    /// <param name="message">An error or a done message.</param>
    /// <exception cref="NetlinkFormatException">It is shorter than it says.</exception>
    public static NetlinkError Read(in NetlinkMessage message)
    {
        var payload = message.Payload;
        if (payload.Length < sizeof(int))
            return message.Type == NetlinkType.Done && payload.IsEmpty ? default : throw new NetlinkFormatException("A netlink error has no number.");
        // int.MinValue has no positive twin; the kernel's numbers end at 4095.
        var number = MemoryMarshal.Read<int>(payload) is var negative and > int.MinValue ? Math.Abs(negative) : throw new NetlinkFormatException("A netlink error's number is beyond all errors.");
        if ((message.Flags & AttributesFlag) == 0) return new(number, null);
        var attributes = payload[sizeof(int)..];
        if (message.Type == NetlinkType.Error) attributes = SkipRequest(attributes, isCapped: (message.Flags & CappedFlag) != 0);
        string? text = null;
        while (NetlinkAttribute.TryRead(ref attributes, out var attribute))
            if (attribute.Type == AttributeMessage)
                text = attribute.ReadString();
        return new(number, text);
    }

    private static ReadOnlySpan<byte> SkipRequest(ReadOnlySpan<byte> rest, bool isCapped)
    {
        if (rest.Length < NetlinkMessage.HeaderLength) throw new NetlinkFormatException("A netlink error does not say to which request.");
        if (isCapped) return rest[NetlinkMessage.HeaderLength..];
        var length = MemoryMarshal.Read<uint>(rest);
        if (length < NetlinkMessage.HeaderLength || length > (uint)rest.Length) throw new NetlinkFormatException($"A netlink error repeats a request of {length} bytes; there are {rest.Length}.");
        return rest[Math.Min(NetlinkMessage.Align((int)length), rest.Length)..];
    }
}

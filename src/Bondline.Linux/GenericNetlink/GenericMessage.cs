namespace Bondline.Linux;

/// <summary>The payload of a generic netlink message: one command of a family; <see cref="Attributes"/> points into it (linux/genetlink.h).</summary>
//  | command (1) | version (1) | reserved (2) | attributes |
public readonly ref struct GenericMessage
{
    public const int HeaderLength = 4;

    public int Command { get; private init; }

    public ReadOnlySpan<byte> Attributes { get; private init; }

    /// <exception cref="NetlinkFormatException">The payload is shorter than the header.</exception>
    public static GenericMessage Read(ReadOnlySpan<byte> payload) => payload.Length >= HeaderLength
        ? new() { Command = payload[0], Attributes = payload[HeaderLength..] }
        : throw new NetlinkFormatException($"A generic netlink message has {payload.Length} bytes, not {HeaderLength}.");

    /// <summary>Begins a request of a family; attributes may be added.</summary>
    /// <param name="buffer">At least the headers and the attributes to come.</param>
    /// <param name="family">The family's number (<see cref="GenericFamily.Id"/>).</param>
    /// <param name="command">One of the family's.</param>
    /// <param name="version">The family's.</param>
    /// <param name="flags">How.</param>
    /// <param name="sequence">Comes back in every answer.</param>
    public static NetlinkRequest Begin(Span<byte> buffer, int family, byte command, byte version, NetlinkFlags flags, uint sequence) =>
        new(buffer, (NetlinkType)family, flags, sequence, [command, version, 0, 0]);
}

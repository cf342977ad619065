using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Bondline.Linux;

/// <summary>RTM_NEWADDR and RTM_DELADDR: one address of an interface.</summary>
/// <param name="InterfaceIndex">Whose it is.</param>
/// <param name="Address">The local address (IFA_LOCAL, else IFA_ADDRESS).</param>
/// <param name="PrefixLength">Of its subnet.</param>
/// <param name="Flags">IFA_F_*.</param>
//  | family (1) | prefix length (1) | flags (1) | scope (1) | interface index (4) | attributes |   host byte order
public readonly record struct AddressMessage(int InterfaceIndex, IPAddress Address, int PrefixLength, uint Flags)
{
    public const int FixedLength = 8;

    private const int AttributeAddress = 1, AttributeLocal = 2, AttributeFlags = 8;

    /// <summary>Duplicate address detection is not over or failed, or the address is deprecated: nothing new may start from it.</summary>
    public bool IsUsable => (Flags & (0x40 | 0x08 | 0x20)) == 0;

    /// <summary>Valid on its own link only.</summary>
    public bool IsLinkLocal => Address.IsIPv6LinkLocal || (Address.AddressFamily == AddressFamily.InterNetwork && Address.GetAddressBytes() is [169, 254, ..]);

    /// <returns>Null for a family other than IPv4 and IPv6, or without an address.</returns>
    /// <exception cref="NetlinkFormatException">The payload is shorter than it says, or an address has the wrong length.</exception>
    public static AddressMessage? Read(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < FixedLength) throw new NetlinkFormatException($"An address message has {payload.Length} bytes, not {FixedLength}.");
        var family = payload[0];
        if (!AddressFamilies.IsInternet(family)) return null;
        IPAddress? local = null, address = null;
        uint flags = payload[2];
        var attributes = payload[FixedLength..];
        while (NetlinkAttribute.TryRead(ref attributes, out var attribute))
        {
            switch (attribute.Type)
            {
                case AttributeAddress: address = AddressFamilies.ReadAddress(family, attribute.Value); break;
                case AttributeLocal: local = AddressFamilies.ReadAddress(family, attribute.Value); break;
                case AttributeFlags: flags = attribute.ReadUInt32(); break;
            }
        }

        return (local ?? address) is { } found ? new(MemoryMarshal.Read<int>(payload[4..]), found, payload[1], flags) : null;
    }
}

/// <summary>The two address families rtnetlink shares with us.</summary>
internal static class AddressFamilies
{
    public const byte IPv4 = 2, IPv6 = 10;

    public static bool IsInternet(byte family) => family is IPv4 or IPv6;

    /// <exception cref="NetlinkFormatException">The length is not the family's.</exception>
    public static IPAddress ReadAddress(byte family, ReadOnlySpan<byte> value)
    {
        var length = family == IPv4 ? 4 : 16;
        return value.Length == length ? new(value) : throw new NetlinkFormatException($"An address of family {family} has {value.Length} bytes, not {length}.");
    }
}

using System.Net;
using System.Net.Sockets;

namespace Bondline.Protocol;

/// <summary>Where a network without IPv4 puts IPv4 addresses into IPv6 ones (RFC 6052).</summary>
public readonly record struct Nat64Prefix
{
    private static readonly IPAddress[] WellKnown = [IPAddress.Parse("192.0.0.170"), IPAddress.Parse("192.0.0.171")];

    // The longest first: shorter ones leave room behind, where the longer could be found by chance.
    private static readonly int[] Lengths = [96, 64, 56, 48, 40, 32];

    private readonly UInt128 _bits;
    private readonly int _length;

    private Nat64Prefix(UInt128 bits, int length) => (_bits, _length) = (bits, length);

    /// <summary>Finds the prefix in what a network says the address of <c>ipv4only.arpa</c> is (RFC 7050).</summary>
    /// <returns>False if it is not an address of that name.</returns>
    public static bool TryFind(IPAddress answer, out Nat64Prefix prefix)
    {
        ArgumentNullException.ThrowIfNull(answer);
        prefix = default;
        if (answer.AddressFamily != AddressFamily.InterNetworkV6) return false;
        var bits = ReadBits(answer);
        foreach (var length in Lengths)
        {
            var candidate = new Nat64Prefix(bits & (UInt128.MaxValue << (128 - length)), length);
            if (!WellKnown.Any(known => candidate.Translate(known).Equals(answer))) continue;
            prefix = candidate;
            return true;
        }

        return false;
    }

    /// <summary>The address that stands for an IPv4 one in that network.</summary>
    public IPAddress Translate(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        Span<byte> bytes = stackalloc byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, _bits);
        var at = _length / 8;
        foreach (var part in address.GetAddressBytes())
        {
            if (at == 8) at++; // bits 64 to 71 stay zero
            bytes[at++] = part;
        }

        return new(bytes);
    }

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, _bits);
        return $"{new IPAddress(bytes)}/{_length}";
    }

    private static UInt128 ReadBits(IPAddress address) => System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(address.GetAddressBytes());
}

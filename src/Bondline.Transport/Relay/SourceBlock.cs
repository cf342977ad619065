using System.Net;
using System.Net.Sockets;

namespace Bondline.Transport;

/// <summary>Whom connections are counted for: a block of addresses that one party may have all of.</summary>
public static class SourceBlock
{
    /// <summary>The same for all addresses of a block.</summary>
    /// <param name="source">An IPv4 address mapped to IPv6 is the IPv4 address.</param>
    /// <param name="ipv4Bytes">How many bytes of an IPv4 address all of a block have in common: 1 to 4.</param>
    /// <param name="ipv6Bytes">The same of an IPv6 address: 1 to 8.</param>
    /// <returns>Null for this machine, which is anybody: a proxy may run on it.</returns>
    public static UInt128? KeyOf(IPAddress source, int ipv4Bytes, int ipv6Bytes)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (IPAddress.IsLoopback(source)) return null;
        var address = source.IsIPv4MappedToIPv6 ? source.MapToIPv4() : source;
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var length);
        var kept = address.AddressFamily == AddressFamily.InterNetwork ? ipv4Bytes : ipv6Bytes;
        UInt128 key = (UInt128)(uint)length << 64; // the families do not meet
        for (var i = 0; i < kept; i++) key |= (UInt128)bytes[i] << (8 * i);
        return key;
    }
}

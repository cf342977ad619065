using System.Net;
using System.Net.Sockets;

namespace Bondline.Protocol;

/// <summary>The value of a Host header: <c>HOST</c> or <c>HOST:PORT</c> (RFC 9110 section 7.2), in ASCII.</summary>
public static class HostValue
{
    public const int MaxLength = 253 + 6;

    public static bool IsValid(string value)
    {
        if (value.Length > MaxLength) return false;
        var hostEnd = value.StartsWith('[') ? value.IndexOf(']', StringComparison.Ordinal) + 1 : value.IndexOf(':', StringComparison.Ordinal);
        if (hostEnd < 0) hostEnd = value.Length;
        return IsHost(value.AsSpan(0, hostEnd)) && (hostEnd == value.Length || IsPort(value.AsSpan(hostEnd)));
    }

    private static bool IsHost(ReadOnlySpan<char> host)
    {
        if (host.Length > 2 && host[0] == '[') return IPAddress.TryParse(host[1..^1], out var address) && address.AddressFamily == AddressFamily.InterNetworkV6 && !host.Contains('%');
        if (host.IsEmpty) return false;
        foreach (var character in host)
            if (!char.IsAsciiLetterOrDigit(character) && character is not ('.' or '-' or '_')) return false;
        return true;
    }

    private static bool IsPort(ReadOnlySpan<char> port) =>
        port[0] == ':' && DecimalText.TryRead(port[1..], out var number) && number is > 0 and <= 65_535;
}

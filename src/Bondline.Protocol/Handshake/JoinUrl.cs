using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Bondline.Protocol;

/// <summary>A host name or address and a TCP port; an IPv6 address prints in brackets.</summary>
public readonly record struct HostPort(string Host, int Port)
{
    private static readonly SearchValues<char> NameCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_"),
        Version6Characters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:%");

    /// <summary>Reads <c>host</c>, <c>host:port</c>, <c>[v6]</c> or <c>[v6]:port</c>.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, int defaultPort, out HostPort parsed)
    {
        parsed = default;
        ReadOnlySpan<char> host, rest;
        var isBracketed = text.StartsWith("[");
        if (isBracketed)
        {
            var close = text.IndexOf(']');
            if (close < 0) return false;
            host = text[1..close];
            rest = text[(close + 1)..];
        }
        else
        {
            var colon = text.IndexOf(':');
            host = colon < 0 ? text : text[..colon];
            rest = colon < 0 ? [] : text[colon..];
        }
        var port = defaultPort;
        if (!rest.IsEmpty && (rest[0] != ':' || !DecimalText.TryRead(rest[1..], out port))) return false;
        if (port is < 1 or > 65535 || !(isBracketed ? IsVersion6(host) : IsName(host))) return false;
        parsed = new(host.ToString(), port);
        return true;
    }

    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    // What a resolver or a terminal might take for something else never becomes a host.
    private static bool IsName(ReadOnlySpan<char> host) => host.Length is >= 1 and <= 253 && host.IndexOfAnyExcept(NameCharacters) < 0;

    private static bool IsVersion6(ReadOnlySpan<char> host) =>
        host.Length <= 64 && host.IndexOfAnyExcept(Version6Characters) < 0 && IPAddress.TryParse(host, out var address) && address.AddressFamily == AddressFamily.InterNetworkV6;
}

/// <summary>SHA-256 of a relay's public key (SubjectPublicKeyInfo): whoever shows this key is the relay, whatever names and dates its certificate has.</summary>
public readonly record struct KeyPin(UInt128 High, UInt128 Low)
{
    public const int Length = 32;

    public static KeyPin FromHash(ReadOnlySpan<byte> hash) => new(
        System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(hash), System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(hash[16..]));

    /// <summary>Compares in constant time.</summary>
    public bool Matches(ReadOnlySpan<byte> spkiHash)
    {
        Span<byte> mine = stackalloc byte[Length];
        CopyTo(mine);
        return CryptographicOperations.FixedTimeEquals(mine, spkiHash);
    }

    public void CopyTo(Span<byte> destination)
    {
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(destination, High);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(destination[16..], Low);
    }

    /// <summary>Reads <c>sha256:BASE64URL</c>.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out KeyPin pin)
    {
        pin = default;
        if (!text.StartsWith("sha256:", StringComparison.Ordinal)) return false;
        if (SecretText.Decode(text["sha256:".Length..]) is not { } hash) return false;
        pin = FromHash(hash);
        return true;
    }

    public override string ToString()
    {
        Span<byte> mine = stackalloc byte[Length];
        CopyTo(mine);
        return "sha256:" + SecretText.Encode(mine);
    }
}

/// <summary>What an agent needs to join a relay: <c>bondline://ID.SECRET@host[:port][,host2...]?pin=sha256:...&amp;pin=...</c></summary>
public sealed record JoinUrl(Token Token, IReadOnlyList<HostPort> Hosts, IReadOnlyList<KeyPin> Pins)
{
    public const string Scheme = "bondline://";
    public const int DefaultPort = 443, MaxLength = 4096, MaxHosts = 16, MaxPins = 8;

    /// <param name="text">The URL; white space around it is ignored.</param>
    /// <param name="url">The parsed URL.</param>
    /// <param name="error">What is wrong with it, without repeating its secret.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out JoinUrl? url, [NotNullWhen(false)] out string? error)
    {
        url = null;
        error = Parse(text.AsSpan().Trim(), ref url);
        return error is null;
    }

    /// <summary>The whole URL, secret included: for a file or the user who asked for it, never for a log.</summary>
    public string Format() => Format(Token.Format());

    public override string ToString() => Format(Token.ToString());

    private static string? Parse(ReadOnlySpan<char> text, ref JoinUrl? url)
    {
        if (text.Length > MaxLength) return $"a join URL has at most {MaxLength} characters";
        if (!text.StartsWith(Scheme, StringComparison.Ordinal)) return $"a join URL begins with {Scheme}";
        text = text[Scheme.Length..];
        var question = text.IndexOf('?');
        var query = question < 0 ? [] : text[(question + 1)..];
        if (question >= 0) text = text[..question];
        if (text.EndsWith("/")) text = text[..^1];
        var at = text.IndexOf('@');
        if (at < 0) return "a join URL has the form bondline://TOKEN@HOST:PORT?pin=sha256:...";
        if (!Token.TryParse(text[..at], out var token)) return "the token before @ is not of the form ID.SECRET";
        var hosts = new List<HostPort>();
        foreach (var range in text[(at + 1)..].Split(','))
        {
            var part = text[(at + 1)..][range];
            if (!HostPort.TryParse(part, DefaultPort, out var host)) return $"\"{part}\" is not a host or host:port";
            hosts.Add(host);
        }
        if (hosts.Count > MaxHosts) return $"a join URL names at most {MaxHosts} hosts";
        var pins = new List<KeyPin>();
        if (!query.IsEmpty)
        {
            foreach (var range in query.Split('&'))
            {
                var part = query[range];
                if (!part.StartsWith("pin=", StringComparison.Ordinal)) return $"\"{part}\" is not known; a join URL has only pin=";
                if (!KeyPin.TryParse(part["pin=".Length..], out var pin)) return "a pin has the form sha256: and 43 characters of base64url";
                pins.Add(pin);
            }
        }
        if (pins.Count > MaxPins) return $"a join URL has at most {MaxPins} pins";
        url = new(token, hosts, pins);
        return null;
    }

    private string Format(string token) =>
        Scheme + token + "@" + string.Join(',', Hosts) + (Pins.Count == 0 ? "" : "?" + string.Join('&', Pins.Select(pin => "pin=" + pin)));
}

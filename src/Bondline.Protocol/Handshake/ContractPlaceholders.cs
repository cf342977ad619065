using System.Diagnostics.CodeAnalysis;
using System.Net;

// Signatures others compile against. The commit that brings the real types deletes this file.
namespace Bondline.Protocol;

public sealed class SecretBytes(byte[] bytes)
{
    public ReadOnlySpan<byte> Bytes => bytes;
}

public readonly record struct HostPort(string Host, int Port);

public readonly record struct KeyPin(UInt128 High, UInt128 Low)
{
    public bool Matches(ReadOnlySpan<byte> spkiHash) => throw new NotSupportedException();
}

public sealed record Token(string Id, SecretBytes Secret);

public sealed record JoinUrl(Token Token, IReadOnlyList<HostPort> Hosts, IReadOnlyList<KeyPin> Pins)
{
    public static bool TryParse(string text, [NotNullWhen(true)] out JoinUrl? url, [NotNullWhen(false)] out string? error) => throw new NotSupportedException();

    public string Format() => throw new NotSupportedException();
}

public enum StreamKind
{
    Control,
    Tcp,
    Http,
}

public enum HeaderStatus
{
    Complete,
    Incomplete,
    Malformed,
}

public sealed record StreamHeader
{
    public StreamKind Kind { get; init; }
    public ulong Tunnel { get; init; }
    public IPEndPoint? Visitor { get; init; }
    public byte[]? TraceId { get; init; }
    public int HopCount { get; init; }

    public int Write(Span<byte> destination) => throw new NotSupportedException();

    public static HeaderStatus TryRead(ReadOnlySpan<byte> input, out StreamHeader header, out int length) => throw new NotSupportedException();
}

public sealed record PeerLimits;

public sealed class WelcomeResult
{
    public BondId BondId { get; init; }
    public required SecretBytes BondSecret { get; init; }
    public uint RelayId { get; init; }
    public required IReadOnlyList<HostPort> Addresses { get; init; }
    public required PeerLimits RelayLimits { get; init; }
}

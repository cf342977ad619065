using System.Security.Cryptography;

namespace Bondline.Protocol;

/// <summary>Bytes that must not be printed: a token's secret, a bond's secret. Compared in constant time.</summary>
public sealed class SecretBytes(byte[] bytes) : IEquatable<SecretBytes>
{
    public ReadOnlySpan<byte> Bytes => bytes;

    /// <summary>SHA-256 of the bytes: what may be stored.</summary>
    public byte[] Hash() => SHA256.HashData(bytes);

    public bool Equals(SecretBytes? other) => other is not null && CryptographicOperations.FixedTimeEquals(Bytes, other.Bytes);

    public override bool Equals(object? obj) => Equals(obj as SecretBytes);

    public override int GetHashCode() => bytes.Length;

    public override string ToString() => "***";
}

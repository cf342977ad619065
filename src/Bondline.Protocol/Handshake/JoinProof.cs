using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Bondline.Protocol;

/// <summary>HMAC-SHA256 under the bond's secret over everything a join is about: both HELLOs (and so both nonces, versions and features), the ids, the policy, the relay's key.</summary>
/// <remarks>docs/protocol.md, section "Join". A proof is good for one handshake only: the relay's HELLO carries a fresh challenge.</remarks>
internal static class JoinProof
{
    public const int Length = 32;

    private static readonly byte[] AgentLabel = "bondline join agent\0"u8.ToArray(), RelayLabel = "bondline join relay\0"u8.ToArray();

    public static byte[] Compute(BondRole by, SecretBytes secret, ReadOnlySpan<byte> agentHello, ReadOnlySpan<byte> relayHello, BondId bond, SubflowId subflow, SubflowPolicy policy, ReadOnlySpan<byte> relayKeyHash)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, secret.Bytes);
        hmac.AppendData(by == BondRole.Agent ? AgentLabel : RelayLabel);
        hmac.AppendData(SHA256.HashData(agentHello));
        hmac.AppendData(SHA256.HashData(relayHello));
        Span<byte> ids = stackalloc byte[BondId.Length + 8 + 1];
        BinaryPrimitives.WriteUInt128BigEndian(ids, bond.Value);
        BinaryPrimitives.WriteUInt64BigEndian(ids[BondId.Length..], subflow.Value);
        ids[^1] = (byte)policy;
        hmac.AppendData(ids);
        hmac.AppendData(relayKeyHash);
        return hmac.GetHashAndReset();
    }
}

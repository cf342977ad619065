using System.Buffers.Binary;
using System.Net;
using Bondline.Transport;

namespace Bondline.Fuzz;

/// <summary>A name server's answer to the question for an IPv6-only network's prefix.</summary>
internal static class NameAnswerTarget
{
    private static readonly IPAddress Documented = IPAddress.Parse("192.0.2.33");

    public static void Run(ReadOnlySpan<byte> input)
    {
        var id = input.Length < 2 ? (ushort)0 : BinaryPrimitives.ReadUInt16BigEndian(input);
        FuzzTarget.Require(Nat64Discovery.Read(input, (ushort)(id + 1)) is null, "an answer to another question is none");
        if (Nat64Discovery.Read(input, id) is not { } prefix) return;
        FuzzTarget.Require(Nat64Prefix.TryFind(prefix.Translate(IPAddress.Parse("192.0.0.170")), out _), "a prefix is one that its own network would tell");
        FuzzTarget.Require(!prefix.Translate(Documented).Equals(prefix.Translate(IPAddress.Any)), "two addresses stay two");
    }
}

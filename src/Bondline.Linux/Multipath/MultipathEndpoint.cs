using System.Net;
using System.Net.Sockets;

namespace Bondline.Linux;

/// <summary>What the kernel's path manager does with an endpoint (MPTCP_PM_ADDR_FLAG_*).</summary>
[Flags]
public enum MultipathEndpointFlags
{
    None = 0,

    /// <summary>Announce the address to peers; for servers.</summary>
    Signal = 1,

    /// <summary>Open a further subflow from the address; for clients.</summary>
    Subflow = 2,

    /// <summary>Use its subflows only while no other one works.</summary>
    Backup = 4,

    /// <summary>Open subflows from the address to every address of the peer (Linux 5.15). Not with <see cref="Signal"/>.</summary>
    FullMesh = 8,

    /// <summary>Made by the kernel for an address of a connection; gone when somebody adds it.</summary>
    Implicit = 16,

    /// <summary>Use the address once, for an address a peer announces (Linux 6.18).</summary>
    Laminar = 32,
}

/// <summary>A local address the kernel's path manager knows, for all MPTCP connections of the namespace.</summary>
/// <param name="Id">1 to 255; 0 to let the kernel choose when adding.</param>
/// <param name="Address">IPv4 or IPv6.</param>
/// <param name="Port">Where it takes subflows, if that is not the connection's own port; 0 if it is. Only with <see cref="MultipathEndpointFlags.Signal"/>.</param>
/// <param name="Flags">What to do with it.</param>
/// <param name="InterfaceIndex">Where its subflows go out; 0: wherever routing sends them.</param>
//  address, nested: family (u16) | id (u8) | IPv4 or IPv6 address | port (u16) | flags (u32) | interface index (s32); ports of events are in network order, this one is in host order
public sealed record MultipathEndpoint(int Id, IPAddress Address, int Port, MultipathEndpointFlags Flags, int InterfaceIndex)
{
    /// <summary>The kernel has room for this many (MPTCP_PM_ADDR_MAX).</summary>
    public const int MaxCount = 8;

    private const int AttributeFamily = 1, AttributeId = 2, AttributeAddress = 3, AttributeAddress6 = 4, AttributePort = 5, AttributeFlags = 6, AttributeInterface = 7;

    /// <summary>Where the address stands in every message of endpoints.</summary>
    internal const int Attribute = 1;

    /// <param name="payload">Of an answer to <see cref="MultipathCommand.GetEndpoints"/>.</param>
    /// <returns>Null if it holds no IPv4 or IPv6 address.</returns>
    /// <exception cref="NetlinkFormatException">It is shorter than it says.</exception>
    public static MultipathEndpoint? Read(ReadOnlySpan<byte> payload)
    {
        MultipathEndpoint? endpoint = null;
        var attributes = GenericMessage.Read(payload).Attributes;
        while (NetlinkAttribute.TryRead(ref attributes, out var attribute))
            if (attribute.Type == Attribute)
                endpoint = ReadAddress(attribute.Value);
        return endpoint;
    }

    /// <summary>Writes the question for all endpoints.</summary>
    /// <returns>Its length in bytes.</returns>
    public static int WriteQuery(Span<byte> buffer, uint sequence, GenericFamily family) =>
        Begin(buffer, sequence, family, MultipathCommand.GetEndpoints, NetlinkFlags.Dump).Length;

    /// <summary>Writes the request to forget all endpoints.</summary>
    /// <returns>Its length in bytes.</returns>
    public static int WriteFlush(Span<byte> buffer, uint sequence, GenericFamily family) =>
        Begin(buffer, sequence, family, MultipathCommand.FlushEndpoints, NetlinkFlags.Acknowledge).Length;

    /// <summary>Writes the request to add this endpoint, or to give the one with this address these flags.</summary>
    /// <returns>Its length in bytes.</returns>
    public int Write(Span<byte> buffer, uint sequence, GenericFamily family, MultipathCommand command)
    {
        var request = Begin(buffer, sequence, family, command, NetlinkFlags.Acknowledge);
        var nested = request.BeginNested(Attribute);
        AddAddress(ref request, Id, Address);
        if (Port != 0) request.Add(AttributePort, (ushort)Port);
        request.Add(AttributeFlags, (uint)Flags);
        if (InterfaceIndex != 0) request.Add(AttributeInterface, InterfaceIndex);
        request.EndNested(nested);
        return request.Length;
    }

    /// <summary>Writes the request to delete an endpoint.</summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="sequence">Comes back in the answer.</param>
    /// <param name="family">The family <c>mptcp_pm</c>.</param>
    /// <param name="id">Which one; 0 with an address ends the first subflow of connections that began there.</param>
    /// <param name="address">Needed for 0 only.</param>
    /// <returns>Its length in bytes.</returns>
    public static int WriteDelete(Span<byte> buffer, uint sequence, GenericFamily family, int id, IPAddress? address)
    {
        var request = Begin(buffer, sequence, family, MultipathCommand.DeleteEndpoint, NetlinkFlags.Acknowledge);
        var nested = request.BeginNested(Attribute);
        if (address is not null) AddAddress(ref request, id, address);
        else request.Add(AttributeId, (byte)id);
        request.EndNested(nested);
        return request.Length;
    }

    private static NetlinkRequest Begin(Span<byte> buffer, uint sequence, GenericFamily family, MultipathCommand command, NetlinkFlags flags) =>
        GenericMessage.Begin(buffer, family.Id, (byte)command, (byte)family.Version, flags, sequence);

    private static MultipathEndpoint? ReadAddress(ReadOnlySpan<byte> attributes)
    {
        IPAddress? address = null;
        int id = 0, port = 0, interfaceIndex = 0;
        var flags = MultipathEndpointFlags.None;
        while (NetlinkAttribute.TryRead(ref attributes, out var attribute))
        {
            switch (attribute.Type)
            {
                case AttributeId: id = attribute.ReadByte(); break;
                case AttributeAddress: address = AddressFamilies.ReadAddress(AddressFamilies.IPv4, attribute.Value); break;
                case AttributeAddress6: address = AddressFamilies.ReadAddress(AddressFamilies.IPv6, attribute.Value); break;
                case AttributePort: port = attribute.ReadUInt16(); break;
                case AttributeFlags: flags = (MultipathEndpointFlags)attribute.ReadUInt32(); break;
                case AttributeInterface: interfaceIndex = (int)attribute.ReadUInt32(); break;
            }
        }

        return address is null ? null : new(id, address, port, flags, interfaceIndex);
    }

    private static void AddAddress(ref NetlinkRequest request, int id, IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var length);
        var isIPv4 = address.AddressFamily == AddressFamily.InterNetwork;
        request.Add(AttributeFamily, (ushort)(isIPv4 ? AddressFamilies.IPv4 : AddressFamilies.IPv6));
        if (id != 0) request.Add(AttributeId, (byte)id);
        request.Add(isIPv4 ? AttributeAddress : AttributeAddress6, bytes[..length]);
    }
}

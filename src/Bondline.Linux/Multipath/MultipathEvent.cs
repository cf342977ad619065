using System.Net;

namespace Bondline.Linux;

/// <summary>What the kernel's path manager reports (MPTCP_EVENT_*); newer kernels may send others.</summary>
public enum MultipathEventKind
{
    /// <summary>Not the kernel's: some events were lost about here, because they were not read fast enough.</summary>
    Lost = 0,

    /// <summary>A connection began with MPTCP.</summary>
    Created = 1,

    /// <summary>The connection can have further subflows now.</summary>
    Established = 2,

    /// <summary>The connection ended.</summary>
    Closed = 3,

    /// <summary>The peer announced an address.</summary>
    Announced = 6,

    /// <summary>The peer took an address back.</summary>
    Removed = 7,

    /// <summary>A further subflow works.</summary>
    SubflowEstablished = 10,

    /// <summary>A subflow ended.</summary>
    SubflowClosed = 11,

    /// <summary>A subflow became backup, or no longer is.</summary>
    SubflowPriority = 13,

    /// <summary>An endpoint's port takes subflows.</summary>
    ListenerCreated = 15,

    /// <summary>An endpoint's port takes subflows no longer.</summary>
    ListenerClosed = 16,
}

/// <summary>What an event of a connection says besides (MPTCP_PM_EV_FLAG_*).</summary>
[Flags]
public enum MultipathEventFlags
{
    None = 0,

    /// <summary>The peer takes no joins at the address and port it was called at.</summary>
    DeniesJoinsToFirstAddress = 1,

    /// <summary>This machine was called.</summary>
    ServerSide = 2,
}

/// <summary>One event of the path manager. What an event does not have is null or 0.</summary>
public sealed record MultipathEvent
{
    private const int AttributeToken = 1, AttributeFamily = 2, AttributeLocalId = 3, AttributeRemoteId = 4, AttributeSource = 5, AttributeSource6 = 6,
        AttributeDestination = 7, AttributeDestination6 = 8, AttributeSourcePort = 9, AttributeDestinationPort = 10, AttributeBackup = 11, AttributeError = 12,
        AttributeFlags = 13, AttributeTimeout = 14, AttributeInterface = 15, AttributeResetReason = 16, AttributeResetFlags = 17, AttributeServerSide = 18;

    public required MultipathEventKind Kind { get; init; }

    /// <summary>The connection's token, as <c>ss</c> shows it too.</summary>
    public uint? Token { get; init; }

    /// <summary>The id of the local address: 0 for the first one of the connection.</summary>
    public int? LocalId { get; init; }

    /// <summary>The id of the peer's address.</summary>
    public int? RemoteId { get; init; }

    /// <summary>The local address; its port may be 0.</summary>
    public IPEndPoint? Local { get; init; }

    /// <summary>The peer's; its port may be 0.</summary>
    public IPEndPoint? Remote { get; init; }

    /// <summary>The subflow is used only while no other one works.</summary>
    public bool? IsBackup { get; init; }

    /// <summary>The errno that ended the subflow; 0 for none.</summary>
    public int Error { get; init; }

    public MultipathEventFlags Flags { get; init; }

    /// <summary>The interface the subflow is bound to; 0 for none.</summary>
    public int InterfaceIndex { get; init; }

    /// <summary>Why the peer reset the subflow: RFC 8684 section 3.6.</summary>
    public int? ResetReason { get; init; }

    /// <summary>The flags of that reset; 1: it may work again soon.</summary>
    public int? ResetFlags { get; init; }

    /// <summary>This machine was called, it did not call.</summary>
    public bool? IsServerSide { get; init; }

    /// <param name="datagram">As the group <c>mptcp_pm_events</c> sends it: any number of messages.</param>
    /// <param name="family">The number of the family <c>mptcp_pm</c>; other messages are passed over.</param>
    /// <param name="events">Gets the events that can be read, and <see cref="MultipathEventKind.Lost"/> where one cannot.</param>
    public static void ReadAll(ReadOnlySpan<byte> datagram, int family, ICollection<MultipathEvent> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        try
        {
            while (NetlinkMessage.TryRead(ref datagram, out var message))
            {
                if (message.Type == NetlinkType.Overrun) events.Add(new() { Kind = MultipathEventKind.Lost });
                else if ((int)message.Type == family) events.Add(Read(message.Payload));
            }
        }
        catch (NetlinkFormatException)
        {
            events.Add(new() { Kind = MultipathEventKind.Lost }); // cut short: what it said is lost
        }
    }

    /// <param name="payload">Of one message of the group.</param>
    /// <exception cref="NetlinkFormatException">It is shorter than it says.</exception>
    public static MultipathEvent Read(ReadOnlySpan<byte> payload)
    {
        var message = GenericMessage.Read(payload);
        var read = new MultipathEvent { Kind = (MultipathEventKind)message.Command };
        IPAddress? source = null, destination = null;
        int sourcePort = 0, destinationPort = 0;
        var attributes = message.Attributes;
        while (NetlinkAttribute.TryRead(ref attributes, out var attribute))
        {
            switch (attribute.Type)
            {
                case AttributeToken: read = read with { Token = attribute.ReadUInt32() }; break;
                case AttributeFamily or AttributeTimeout: break; // the address says its family; no kernel sends a time-out
                case AttributeLocalId: read = read with { LocalId = attribute.ReadByte() }; break;
                case AttributeRemoteId: read = read with { RemoteId = attribute.ReadByte() }; break;
                case AttributeSource: source = AddressFamilies.ReadAddress(AddressFamilies.IPv4, attribute.Value); break;
                case AttributeSource6: source = AddressFamilies.ReadAddress(AddressFamilies.IPv6, attribute.Value); break;
                case AttributeDestination: destination = AddressFamilies.ReadAddress(AddressFamilies.IPv4, attribute.Value); break;
                case AttributeDestination6: destination = AddressFamilies.ReadAddress(AddressFamilies.IPv6, attribute.Value); break;
                case AttributeSourcePort: sourcePort = attribute.ReadPort(); break;
                case AttributeDestinationPort: destinationPort = attribute.ReadPort(); break;
                case AttributeBackup: read = read with { IsBackup = attribute.ReadByte() != 0 }; break;
                case AttributeError: read = read with { Error = attribute.ReadByte() }; break;
                case AttributeFlags: read = read with { Flags = (MultipathEventFlags)attribute.ReadUInt16() }; break;
                case AttributeInterface: read = read with { InterfaceIndex = (int)attribute.ReadUInt32() }; break;
                case AttributeResetReason: read = read with { ResetReason = (int)attribute.ReadUInt32() }; break;
                case AttributeResetFlags: read = read with { ResetFlags = (int)attribute.ReadUInt32() }; break;
                case AttributeServerSide: read = read with { IsServerSide = attribute.ReadByte() != 0 }; break;
            }
        }

        return read with
        {
            Local = source is null ? null : new(source, sourcePort),
            Remote = destination is null ? null : new(destination, destinationPort),
            IsServerSide = read.IsServerSide ?? (read.Flags.HasFlag(MultipathEventFlags.ServerSide) ? true : null),
        };
    }
}

namespace Bondline.Linux;

/// <summary>What the kernel's path manager allows each connection of the namespace; either end's limit holds.</summary>
/// <param name="Subflows">Further subflows beside the first one, opened or taken: 0 to 8. The kernel begins with 2.</param>
/// <param name="AcceptedAddresses">Announced addresses of the peer to open a subflow to: 0 to 8. The kernel begins with 0.</param>
public readonly record struct MultipathLimits(int Subflows, int AcceptedAddresses)
{
    /// <summary>The largest limit the kernel takes.</summary>
    public const int Max = 8;

    private const int AttributeAcceptedAddresses = 2, AttributeSubflows = 3;

    /// <param name="payload">Of the answer to <see cref="MultipathCommand.GetLimits"/>.</param>
    /// <exception cref="NetlinkFormatException">It is shorter than it says.</exception>
    public static MultipathLimits Read(ReadOnlySpan<byte> payload)
    {
        int subflows = 0, accepted = 0;
        var attributes = GenericMessage.Read(payload).Attributes;
        while (NetlinkAttribute.TryRead(ref attributes, out var attribute))
        {
            switch (attribute.Type)
            {
                case AttributeAcceptedAddresses: accepted = (int)attribute.ReadUInt32(); break;
                case AttributeSubflows: subflows = (int)attribute.ReadUInt32(); break;
            }
        }

        return new(subflows, accepted);
    }

    /// <summary>Writes the question for the limits.</summary>
    /// <returns>Its length in bytes.</returns>
    public static int WriteQuery(Span<byte> buffer, uint sequence, GenericFamily family) =>
        GenericMessage.Begin(buffer, family.Id, (byte)MultipathCommand.GetLimits, (byte)family.Version, NetlinkFlags.Acknowledge, sequence).Length;

    /// <summary>Writes the request to set both.</summary>
    /// <returns>Its length in bytes.</returns>
    public int Write(Span<byte> buffer, uint sequence, GenericFamily family)
    {
        var request = GenericMessage.Begin(buffer, family.Id, (byte)MultipathCommand.SetLimits, (byte)family.Version, NetlinkFlags.Acknowledge, sequence);
        request.Add(AttributeAcceptedAddresses, AcceptedAddresses);
        request.Add(AttributeSubflows, Subflows);
        return request.Length;
    }
}

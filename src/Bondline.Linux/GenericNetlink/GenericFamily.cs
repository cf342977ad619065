namespace Bondline.Linux;

/// <summary>A family of generic netlink as this kernel has it: CTRL_CMD_NEWFAMILY (linux/genetlink.h).</summary>
/// <param name="Name">Such as <c>mptcp_pm</c>.</param>
/// <param name="Id">The message type of its messages; another one after each start of the machine.</param>
/// <param name="Version">The kernel's.</param>
/// <param name="Groups">The numbers of its groups of events, by name.</param>
/// <param name="Commands">The commands this kernel knows; empty if it does not tell.</param>
public sealed record GenericFamily(string Name, int Id, int Version, IReadOnlyDictionary<string, int> Groups, IReadOnlyList<int> Commands)
{
    private const byte CommandGetFamily = 3, ControllerVersion = 2;
    private const int Controller = 16; // GENL_ID_CTRL: the one family with a fixed number
    private const int AttributeId = 1, AttributeName = 2, AttributeVersion = 3, AttributeOperations = 6, AttributeGroups = 7;
    private const int OperationCommand = 1, GroupName = 1, GroupId = 2;

    /// <summary>Asks the kernel for a family by its name. It needs no rights.</summary>
    /// <returns>Null if this kernel does not have it.</returns>
    /// <exception cref="System.ComponentModel.Win32Exception">There is no generic netlink for us.</exception>
    public static GenericFamily? Find(string name)
    {
        using var socket = GenericSocket.TryOpen(name);
        return socket?.Family;
    }

    /// <summary>Whether this kernel has the command; true if it does not tell, for it will when asked for it.</summary>
    public bool Knows(int command) => Commands.Count == 0 || Commands.Contains(command);

    /// <summary>Writes the question for a family by its name.</summary>
    /// <returns>Its length in bytes.</returns>
    public static int WriteQuery(Span<byte> buffer, uint sequence, string name)
    {
        var request = GenericMessage.Begin(buffer, Controller, CommandGetFamily, ControllerVersion, NetlinkFlags.Acknowledge, sequence);
        request.Add(AttributeName, name);
        return request.Length;
    }

    /// <param name="payload">Of the answer.</param>
    /// <exception cref="NetlinkFormatException">It is shorter than it says, or has no name or number.</exception>
    public static GenericFamily Read(ReadOnlySpan<byte> payload)
    {
        string? name = null;
        int id = 0, version = 0;
        var groups = new Dictionary<string, int>(StringComparer.Ordinal);
        var commands = new List<int>();
        var attributes = GenericMessage.Read(payload).Attributes;
        while (NetlinkAttribute.TryRead(ref attributes, out var attribute))
        {
            switch (attribute.Type)
            {
                case AttributeId: id = attribute.ReadUInt16(); break;
                case AttributeName: name = attribute.ReadString(); break;
                case AttributeVersion: version = (int)attribute.ReadUInt32(); break;
                case AttributeOperations: ReadOperations(attribute.Value, commands); break;
                case AttributeGroups: ReadGroups(attribute.Value, groups); break;
            }
        }

        return name is not null && id != 0 ? new(name, id, version, groups, commands) : throw new NetlinkFormatException("A generic netlink family has no name or no number.");
    }

    private static void ReadOperations(ReadOnlySpan<byte> list, List<int> commands)
    {
        while (NetlinkAttribute.TryRead(ref list, out var operation)) // an array: each has its position as type
        {
            var parts = operation.Value;
            while (NetlinkAttribute.TryRead(ref parts, out var part))
                if (part.Type == OperationCommand)
                    commands.Add((int)part.ReadUInt32());
        }
    }

    private static void ReadGroups(ReadOnlySpan<byte> list, Dictionary<string, int> groups)
    {
        while (NetlinkAttribute.TryRead(ref list, out var group))
        {
            string? name = null;
            var id = 0;
            var parts = group.Value;
            while (NetlinkAttribute.TryRead(ref parts, out var part))
            {
                if (part.Type == GroupName) name = part.ReadString();
                else if (part.Type == GroupId) id = (int)part.ReadUInt32();
            }

            if (name is not null) groups[name] = id;
        }
    }
}

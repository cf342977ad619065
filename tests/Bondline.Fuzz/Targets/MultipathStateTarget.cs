using System.Text;
using Bondline.Cli;
using Bondline.Cli.Multipath;
using Bondline.Linux;

namespace Bondline.Fuzz;

/// <summary>What <c>bondline mptcp</c> wrote down to undo it later, as a crash or somebody else may have left it, and the text of nmcli, systemd-networkd and /proc.</summary>
internal static class MultipathStateTarget
{
    public static void Run(ReadOnlySpan<byte> input)
    {
        var text = Encoding.UTF8.GetString(input);
        foreach (var (device, connection) in NetworkManagerState.ReadConnections(text))
            FuzzTarget.Require(device.Length > 0 && Guid.TryParse(connection, out _), "a connection has an interface and a UUID");
        DhcpLease.ReadRouters(text);
        Capability.HasEffective(text, capability: 12);
        JournalText journal;
        try
        {
            journal = MultipathJournal.Parse(text, "fuzz");
        }
        catch (CommandException)
        {
            return;
        }

        foreach (var change in journal.Changes)
        {
            FuzzTarget.Require(change is not SysctlChange sysctl || sysctl.Name.StartsWith("net.", StringComparison.Ordinal), "only the network's settings are restored");
            FuzzTarget.Require(change.Command.Length > 0 && change.UndoCommand.Length > 0, "every change can be said");
        }

        FuzzTarget.Require(MultipathJournal.Parse(MultipathJournal.Format(journal), "fuzz").Changes.SequenceEqual(journal.Changes), "what was written down reads back the same");
    }
}
